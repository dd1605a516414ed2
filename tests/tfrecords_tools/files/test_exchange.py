"""Exchanging files in a folder: killed anywhere, the old files or the new ones are there, and others stay."""

import contextlib
import os

import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import exchange
from tfrecords_tools.files.exchange import Exchange, check_writable, interrupted, recover

OLD = {"manifest.json": "old", "a": "old a", "b": "old b"}
NEW = {"manifest.json": "new", "b": "new b", "c": "new c"}
MINE = {"notes.txt": "mine", "folds.json": "folds"}


def fill(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def held(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    "journal", ["", "[]", '{"old": []}', '{"old": 5, "new": []}', '{"old": ["../x"], "new": []}', "[" * 9999]
)
def test_a_damaged_journal_moves_nothing_and_says_where_the_files_are(journal, tmp_path):
    fill(tmp_path, OLD | MINE)
    fill(tmp_path / exchange.FOLDER / "new", NEW)
    fill(tmp_path / exchange.FOLDER, {"journal.json": journal})
    with pytest.raises(UserError, match=r"journal\.json: must say which files .* The old files are in "):
        recover(tmp_path)
    assert held(tmp_path) == OLD | MINE
    assert held(tmp_path / exchange.FOLDER / "new") == NEW


def swap(folder):
    with Exchange(folder) as exchanged:
        fill(exchanged.new, NEW)
        exchanged.complete(OLD, last="manifest.json")


def test_old_files_go_new_ones_come_and_others_stay(tmp_path):
    fill(tmp_path, OLD | MINE)
    fill(tmp_path / "sub", {"deep": "mine"})
    swap(tmp_path)
    assert held(tmp_path) == NEW | MINE
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "b",
        "c",
        "folds.json",
        "manifest.json",
        "notes.txt",
        "sub",
    ]


def test_a_new_folder_is_made_and_an_abandoned_one_is_not_left(tmp_path):
    swap(tmp_path / "deep" / "new")
    assert held(tmp_path / "deep" / "new") == NEW
    with Exchange(tmp_path / "other") as exchanged:
        fill(exchanged.new, NEW)
    assert not (tmp_path / "other").exists()


class Killed(BaseException):
    pass


def operations(monkeypatch, stop_at):
    """Have the `stop_at`-th operation on files die as if the process had been killed; return the count."""
    done = [0]

    def counted(function):
        def call(*arguments, **more):
            done[0] += 1
            if done[0] == stop_at:
                raise Killed
            return function(*arguments, **more)

        return call

    for name in ("replace", "fsync", "unlink", "mkdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(exchange.shutil, "rmtree", counted(exchange.shutil.rmtree))
    return done


def whole_count(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        fill(tmp_path / "count", OLD | MINE)
        done = operations(patch, -1)
        swap(tmp_path / "count")
        return done[0]


def test_killed_anywhere_nothing_is_lost_and_the_next_one_completes(tmp_path):
    total = whole_count(tmp_path)
    assert total > 10
    outcomes = set()
    for stop in range(1, total + 1):
        folder = tmp_path / f"killed-{stop}"
        fill(folder, OLD | MINE)
        with pytest.MonkeyPatch.context() as patch:
            operations(patch, stop)
            with pytest.raises(Killed):
                swap(folder)
        everything = {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert MINE.items() <= everything.items()
        begun = interrupted(folder)
        recover(folder)
        assert held(folder) == (NEW if begun or held(folder)["manifest.json"] == "new" else OLD) | MINE
        assert not (folder / ".exchange").exists()
        outcomes.add(held(folder)["manifest.json"])
    assert outcomes == {"old", "new"}


def test_recovering_may_be_killed_as_well(tmp_path):
    for stop in range(1, 30):
        folder = tmp_path / f"twice-{stop}"
        fill(folder, OLD | MINE)
        fill(folder / ".exchange" / "new", NEW)
        (folder / ".exchange" / "journal.json").write_text(
            '{"old": ["manifest.json", "a", "b"], "new": ["b", "c", "manifest.json"]}'
        )
        with pytest.MonkeyPatch.context() as patch:
            operations(patch, stop)
            with contextlib.suppress(Killed):
                recover(folder)
        recover(folder)
        assert held(folder) == NEW | MINE


def test_a_links_target_is_used(tmp_path):
    fill(tmp_path / "real", OLD | MINE)
    (tmp_path / "link").symlink_to("real")
    swap(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert held(tmp_path / "real") == NEW | MINE


def test_what_cannot_be_written_is_seen_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        check_writable(tmp_path / "file" / "within")
    fill(tmp_path / "fine", MINE)
    check_writable(tmp_path / "fine")
    assert held(tmp_path / "fine") == MINE
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
