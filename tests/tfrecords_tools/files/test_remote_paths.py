"""Paths in a bucket, tried on TensorFlow's file system in memory, which is reached the same way."""

import errno
import hashlib
import pickle
import uuid
from pathlib import Path

import pytest
import tensorflow as tf

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import file_names, folder_at, is_remote, local_path, sha256_of, statuses, whole


@pytest.fixture
def folder():
    found = folder_at(f"ram://{uuid.uuid4()}/corpus")
    tf.io.gfile.makedirs(str(found / "deep"))
    for name, data in (("a.txt", b"one\ntwo\n"), ("b.tfrecord-1", b"x" * 10_000_000), ("deep/c", b"")):
        with tf.io.gfile.GFile(str(found / name), "wb") as file:
            file.write(data)
    return found


def test_a_file_is_read_as_one_of_this_computer(folder):
    path = folder / "a.txt"
    assert path.read_text() == "one\ntwo\n"
    assert path.read_bytes() == b"one\ntwo\n"
    with path.open() as file:
        assert list(file) == ["one\n", "two\n"]
    with path.open("rb") as file:
        assert (file.read(2), file.read()) == (b"on", b"e\ntwo\n")
    assert sha256_of(folder / "b.tfrecord-1") == hashlib.sha256(b"x" * 10_000_000).hexdigest()
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (8, 0)  # in memory, files have no time


def test_what_is_there_is_known(folder):
    assert ((folder / "a.txt").is_file(), (folder / "deep").is_file(), (folder / "none").is_file()) == (1, 0, 0)
    assert ((folder / "a.txt").is_dir(), (folder / "deep").is_dir(), (folder / "none").exists()) == (0, 1, 0)
    assert file_names(folder) == {"a.txt", "b.tfrecord-1", "deep"}
    assert [path.name for path in folder.glob("*.tfrecord-*")] == ["b.tfrecord-1"]
    sizes = [getattr(status, "st_size", None) for status in statuses([folder / "a.txt", folder / "none"])]
    assert sizes == [8, None]


def test_a_path_is_its_url(folder):
    path = folder_at("gs://bucket/a/b")
    assert str(path / "c") == "gs://bucket/a/b/c"
    assert str(path.parent) == "gs://bucket/a"
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(pickle.loads(pickle.dumps(path))) == str(folder_at(Path("gs://bucket/a/b"))) == "gs://bucket/a/b"
    assert folder_at(path) is path.resolve() is path
    assert is_remote(path)
    assert not is_remote("data/gs")
    assert folder_at("data") == local_path("data") == Path("data")
    assert folder_at("file:///tmp/a") == local_path("file:///tmp/a") == Path("/tmp/a")


def test_what_is_not_there_or_cannot_be_read_is_an_error_of_the_operating_system(folder):
    with pytest.raises(FileNotFoundError, match="none"):
        (folder / "none").read_bytes()
    with pytest.raises(FileNotFoundError):
        (folder / "none").stat()


@pytest.mark.parametrize("place", ["gs://", "gs:///corpus"])
def test_a_url_without_a_bucket_is_refused(place):
    with pytest.raises(UserError, match="must name a bucket"):
        folder_at(place)


def test_a_file_system_that_tensorflow_lacks_is_named():
    with pytest.raises(UserError, match="nosuch://bucket/corpus: TensorFlow must read what is at nosuch://"):
        folder_at("nosuch://bucket/corpus").exists()


def test_nothing_is_written(folder):
    with pytest.raises(UserError, match=r"must be on this computer.* Received: gs://bucket/run"):
        local_path("gs://bucket/run")
    for write in (lambda: folder.mkdir(parents=True), lambda: whole(folder / "new").__enter__()):
        with pytest.raises(OSError, match="Read-only") as error:
            write()
        assert error.value.errno == errno.EROFS
