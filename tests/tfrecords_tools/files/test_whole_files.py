"""A file appears whole or not at all, whoever else writes it at the same time."""

import errno
import os

import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import discard_partial, json_text, whole, whole_files


def test_a_second_writer_waits_and_then_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files, "_PATIENCE", 0.05)
    path = tmp_path / "table.csv"
    with whole(path) as partial:
        partial.write_text("first")
        with pytest.raises(UserError, match=r"table\.csv: one process at a time writes it"), whole(path) as other:
            other.write_text("second")
        assert partial.read_text() == "first"
    assert path.read_text() == "first"
    with whole(path) as partial:
        partial.write_text("third")
    assert path.read_text() == "third"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_has_begun_is_begun_anew(tmp_path):
    (tmp_path / ".partial-a").write_text("a longer text that was never finished")
    with whole(tmp_path / "a") as partial, partial.open("r+") as file:
        file.write("new")
    assert (tmp_path / "a").read_text() == "new"


def test_what_a_process_has_left_is_discarded_but_not_what_another_writes(tmp_path):
    path, partial = tmp_path / "copy.mp4", tmp_path / ".partial-copy.mp4"
    with whole(path) as writing:
        writing.write_text("half")
        discard_partial(path)
        assert writing.read_text() == "half"
    assert path.read_text() == "half"
    partial.write_text("left")
    for _ in range(2):  # also where nothing is left
        discard_partial(path)
        assert [each.name for each in tmp_path.iterdir()] == ["copy.mp4"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, error):
    def broken_off():
        with whole(tmp_path / "a") as partial:
            partial.write_text("half")
            raise error

    (tmp_path / "a").write_text("old")
    with pytest.raises(error):
        broken_off()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_an_error_of_writing_names_the_file_and_not_its_temporary_name(tmp_path):
    with pytest.raises(OSError, match="No space") as raised, whole(tmp_path / "a") as partial:
        raise OSError(errno.ENOSPC, "No space left on device", str(partial))
    assert raised.value.filename == str(tmp_path / "a")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised, whole(tmp_path / "folder") as partial:
        partial.touch()
    assert str(raised.value) == f"[Errno 21] Is a directory: '{tmp_path / 'folder'}'"


def test_a_pipe_is_not_replaced_and_what_a_link_leads_to_not_emptied(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="Received: a device or a pipe"), whole(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / ".partial-a").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError, match="symbolic link"), whole(tmp_path / "a"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_json_that_is_nested_too_deeply_is_json_that_cannot_be_read():
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.loads("[" * 100_000)
