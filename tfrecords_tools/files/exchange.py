"""Put new files in the place of old ones in a folder that may hold other files too, and lose neither on the way.

    with Exchange(folder) as exchange:      # completes what a killed process left half done
        write(exchange.new / "manifest.json")
        exchange.complete(old=["manifest.json", "shard-0"])

The new files are gathered in `.exchange/new` inside the folder, so that no rename crosses a file system, whatever the
folder is: a link's target, a mount point, or a folder with notes of the user's. A journal is written when they are
whole. From then on the exchange can be completed at any time, by any process: the old files go to `.exchange/old`, the
new ones take their place, and the old ones are deleted last. Before the journal stands, nothing old is touched. One
process at a time exchanges files in a folder.
"""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import json_text, sync, whole
from tfrecords_tools.files.locks import hold
from tfrecords_tools.files.regular_files import regular

FOLDER = ".exchange"
_JOURNAL = "journal.json"


class Exchange:
    """New files for a folder, as a context manager; without `complete` nothing changes.

    Attributes:
      new: the folder to write them into, with subfolders or without.
    """

    def __init__(self, folder: Path):
        """Prepare an exchange in a folder, which is made if it is not there.

        Raises:
          UserError: if nothing can be written there, or another process is at it; seen before any work is done.
        """
        self._folder = Path(os.path.realpath(folder))  # a link stays, its target's files are exchanged
        self.new = self._folder / FOLDER / "new"
        self._made = not self._folder.exists()
        with ExitStack() as held:
            try:
                self.new.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(_alone_in(self._folder))
                _complete(self._folder)
                self.new.mkdir()
            except OSError as error:
                raise UserError(f"{folder}: cannot be written ({error.strerror}). Name another folder.") from None
            self._held = held.pop_all()

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(self, *_) -> None:
        with self._held:
            if not interrupted(self._folder):
                shutil.rmtree(self._folder / FOLDER, ignore_errors=True)
                if self._made:
                    with suppress(OSError):  # it holds something by now
                        self._folder.rmdir()

    def complete(self, old: Iterable[str] = (), last: str = "") -> None:
        """Put all new files in place of the old ones.

        Args:
          old: names of files in the folder that go; others stay. Those of the new files go too.
          last: of the new files, the one that makes them a whole: it goes first and comes last.
        """
        paths = sorted(self.new.rglob("*"), key=lambda path: len(path.parts), reverse=True)
        for path in (*paths, self.new):
            sync(path)
        new = sorted(path.relative_to(self.new).as_posix() for path in paths if not path.is_dir())
        gone = [name for name in sorted({*old, *new}) if os.path.lexists(self._folder / name)]
        gone.sort(key=lambda name: name != last)
        new.sort(key=lambda name: name == last)
        with whole(self._folder / FOLDER / _JOURNAL) as partial:
            partial.write_text(json.dumps({"old": gone, "new": new}), "utf-8")
        _complete(self._folder)


def check_writable(folder: Path) -> None:
    """Raise a `UserError` unless files can be exchanged in a folder, which need not be there yet."""
    with Exchange(folder):
        pass


def interrupted(folder: Path) -> bool:
    """Return whether an exchange was begun in a folder and not completed: its files are not all in place."""
    return (folder / FOLDER / _JOURNAL).is_file()


def recover(folder: Path) -> bool:
    """Complete an exchange that a killed process has left, or clear away one that had not begun; return whether any.

    Nothing is lost wherever it was killed, and this may be killed as well.
    """
    folder = Path(os.path.realpath(folder))
    if not (folder / FOLDER).is_dir():
        return False
    with _alone_in(folder):
        _complete(folder)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
    return True


def _alone_in(folder: Path) -> AbstractContextManager[None]:
    return hold(folder / FOLDER / "exchange.lock", f"exchanges files in {folder}")


def _complete(folder: Path) -> None:
    """Complete an exchange, of which nothing but the lock is left."""
    new, old = folder / FOLDER / "new", folder / FOLDER / "old"
    if interrupted(folder):
        journal = _journal(folder)
        for name in journal["old"]:
            # A new file that is no longer in `new` stands in the folder already.
            placed = name in journal["new"] and not (new / name).exists()
            if not placed and os.path.lexists(folder / name):
                _move(folder / name, old / name)
        for name in journal["new"]:
            if (new / name).exists():
                _move(new / name, folder / name)
        for parent in {(folder / name).parent for name in journal["new"]}:
            sync(parent)
        (folder / FOLDER / _JOURNAL).unlink()
    for left in (new, old):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _journal(folder: Path) -> dict[str, list[str]]:
    """Return what is exchanged in a folder, names below it.

    Raises:
      UserError: if that is not what `Exchange.complete` wrote: nothing is moved then.
    """
    path = folder / FOLDER / _JOURNAL
    try:
        journal = json_text.loads(regular(path).read_text("utf-8"))
        if not all(_below(name) for part in ("old", "new") for name in journal[part]):
            raise ValueError("a name that leads elsewhere")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: must say which files were being exchanged when a process was killed. Received: "
            f"{type(error).__name__}: {error}. The old files are in {folder} and in {path.with_name('old')}, the new "
            f"ones in {path.with_name('new')}: put together those of one kind, and delete {path.parent}."
        ) from None
    return journal


def _below(name: object) -> bool:
    return isinstance(name, str) and bool(name) and not {"", "..", "."} & set(name.split("/"))


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, to)
