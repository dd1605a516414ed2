"""Features on the disk: what was written is read, and whatever happened to a file, nothing else ever is."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.data.feature_cache import FeatureCache
from affwildnet.data.feature_file import FeatureFile
from tests.helpers.corpora import make_corpus
from tfrecords_tools.errors import room

WIDTH = 7


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, [{"frames": 12}, {"frames": 9}, {"frames": 10}])
    return Corpus.open(folder, "train")


def values_of(video, records, kind="float32"):
    """Different in every frame, and exact in every type."""
    numbers = 100 * video + np.asarray(records)[:, None] + np.arange(WIDTH) / 8
    return (np.floor(numbers / 4) * 4 if kind == "bfloat16" else numbers).astype(FeatureFile(None, 1, 1, kind).dtype)


def opened(tmp_path, corpus, kind="float32", most_gb=1.0):
    cache = FeatureCache(tmp_path / "features", corpus, WIDTH, kind, most_gb)
    cache.prepare()
    return cache


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
def test_what_was_written_is_read_by_this_process_and_the_next(tmp_path, corpus, kind):
    cache = opened(tmp_path, corpus, kind)
    records = np.array([1, 2, 5, 6, 7])
    cache.write(1, records, values_of(1, records, kind))
    for each in (cache, opened(tmp_path, corpus, kind)):
        values, there = each.read(1, 0, 9, 11)
        assert values.dtype == each.dtype
        assert there.tolist() == [False, True, True, False, False, True, True, True, False, False, False]
        assert np.array_equal(values[there], values_of(1, records, kind))
        assert not values[~there].any()
        assert np.flatnonzero(each.computed).tolist() == [12 + record for record in records]
        assert not each.read(0, 0, 4, 4)[1].any()
    stored = np.load(next((tmp_path / "features").glob("*.npy")))
    assert stored.shape == (9,)
    if kind != "bfloat16":
        assert np.array_equal(stored["values"][5:8], values_of(1, [5, 6, 7], kind))


def test_a_damaged_row_is_not_read_and_can_be_written_again(tmp_path, corpus, shown):
    cache = opened(tmp_path, corpus)
    cache.write(0, np.arange(12), values_of(0, range(12)))
    (path,) = (tmp_path / "features").glob("*.npy")
    data = bytearray(path.read_bytes())
    data[-3 * (4 + 4 * WIDTH) + 9] ^= 1  # a bit of record 9, as it would be torn by a kill
    path.write_bytes(data)
    values, there = cache.read(0, 6, 6, 6)
    assert there.tolist() == [True, True, True, False, True, True]
    assert np.array_equal(values[there], values_of(0, [6, 7, 8, 10, 11]))
    assert shown() == f"{path}: has damaged rows; their features are computed again\n"
    cache.read(0, 6, 6, 6)
    assert shown() == ""
    cache.write(0, np.array([9]), values_of(0, [9]))
    assert opened(tmp_path, corpus).read(0, 0, 12, 12)[1].all()


@pytest.mark.parametrize("damage", ["cut", "longer", "head", "empty"])
def test_a_file_of_another_size_or_head_begins_anew(tmp_path, corpus, damage, shown):
    cache = opened(tmp_path, corpus)
    for video in (0, 1):
        cache.write(video, np.arange(5), values_of(video, range(5)))
    path = next(path for path in (tmp_path / "features").glob("*.npy") if corpus.videos[0].sha256[:20] == path.stem)
    data = path.read_bytes()
    path.write_bytes(
        {"cut": data[:-40], "longer": data + b"0", "head": data[:9] + b"x" + data[10:], "empty": b""}[damage]
    )
    again = opened(tmp_path, corpus)
    assert shown() == f"{path}: damaged or cut off; its features are computed again\n"
    assert not again.read(0, 0, 5, 5)[1].any()
    assert again.read(1, 0, 5, 5)[1].all()
    again.write(0, np.arange(5), values_of(0, range(5)))
    assert np.array_equal(again.read(0, 0, 5, 5)[0], values_of(0, range(5)))


def test_videos_beyond_the_limit_have_no_place(tmp_path, corpus, shown):
    row = 4 + 4 * WIDTH
    cache = opened(tmp_path, corpus, most_gb=22 * row / 1e9)
    assert [cache.has_place(video) for video in range(3)] == [True, True, False]
    assert cache.frames == 21
    assert "21 frames, up to 1 kB; the other 10 are computed in every epoch" in cache.summary()
    for video in range(3):
        cache.write(video, np.arange(9), values_of(video, range(9)))
    assert [bool(cache.read(video, 0, 9, 9)[1].all()) for video in range(3)] == [True, True, False]
    assert len(list((tmp_path / "features").iterdir())) == 2


def test_a_full_disk_ends_the_writing_and_not_the_reading(tmp_path, corpus, shown, monkeypatch):
    cache = opened(tmp_path, corpus)
    cache.write(0, np.arange(5), values_of(0, range(5)))

    def full(self, records, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FeatureFile, "write", full)
    cache.write(0, np.arange(5, 9), values_of(0, range(5, 9)))
    cache.write(1, np.arange(5, 9), values_of(1, range(5, 9)))
    lines = shown().splitlines()
    assert len(lines) == 1
    assert ".npy: cannot be written (No space left on device; " in lines[0]
    assert lines[0].endswith("Features that are not there yet are computed in every epoch from now on")
    assert cache.read(0, 0, 9, 9)[1].tolist() == [True] * 5 + [False] * 4


def test_the_disk_is_not_filled(tmp_path, corpus, shown, monkeypatch):
    row, free = 4 + 4 * WIDTH, []
    monkeypatch.setattr(room, "free", lambda folder: free[-1])
    cache = FeatureCache(tmp_path / "features", corpus, WIDTH, "float32", 1.0, spare=500_000)
    free.append(500_000 + 5 * row)
    cache.prepare()
    how_much = "500 kB are free, 500 kB are left to checkpoints and logs"
    assert f"about 1 kB are needed for the features and {how_much}. Those that find no room" in shown()
    cache.write(0, np.arange(5), values_of(0, range(5)))
    assert shown() == ""
    free.append(500_000 + row - 1)
    for records in ([5], [6]):
        cache.write(0, np.array(records), values_of(0, records))
    assert shown().count(f"cannot be written (No space left on device; {how_much}). Features") == 1
    assert cache.read(0, 0, 7, 7)[1].tolist() == [True] * 5 + [False] * 2


def test_nothing_is_kept_of_records_that_were_written_to_meanwhile(tmp_path, corpus, shown):
    cache = opened(tmp_path, corpus)
    path = corpus.folder / corpus.videos[0].file
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    try:
        for _ in range(2):
            cache.write(0, np.arange(5), values_of(0, range(5)))
        cache.write(1, np.arange(5), values_of(1, range(5)))
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shown() == f"{path}: was written to since the run began; its features are not kept\n"
    assert [bool(cache.read(video, 0, 5, 5)[1].any()) for video in (0, 1)] == [False, True]


def test_records_that_were_packed_again_have_a_file_of_their_own(tmp_path, corpus):
    cache = opened(tmp_path, corpus)
    cache.write(0, np.arange(5), values_of(0, range(5)))
    first, *others = corpus.videos
    changed = replace(corpus, videos=(replace(first, sha256="0" * 64), *others))
    assert not opened(tmp_path, changed).read(0, 0, 5, 5)[1].any()
    assert cache.read(0, 0, 5, 5)[1].all()
