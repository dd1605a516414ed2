"""One process at a time in a folder: a lock file that says who holds it, and that is free when its holder has died."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tfrecords_tools.crash_guard import started_as
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import json_text
from tfrecords_tools.files.regular_files import regular

# Seconds: for so long a process may hold a lock that only looks whether it is free.
_PATIENCE = 0.2


class InUse(UserError):
    """Another process holds a lock."""


@contextmanager
def hold(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock while the block runs.

    The operating system frees it when the process ends, however it ends. On a file system that other computers share,
    one of theirs is recognised by its name in the file.

    Args:
      path: of the lock file, such as `workdir/.trainer.lock`; its folder must exist.
      doing: for the others' message, such as "trains in runs/a".

    Raises:
      InUse: if another process of this computer holds it, naming it.
      UserError: if one of another computer does, or the file cannot be written.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 10)
    except Timeout:
        raise InUse(_held(path, doing)) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Name another folder.") from None
    note = path.with_suffix(".holder")
    try:
        other = _read(note)
        if other and other.get("host") != socket.gethostname():
            raise UserError(
                f"{_held(path, doing)} That is another computer: whether it still runs cannot be seen from here. If it "
                f"does not, delete {note}."
            )
        mine = {"host": socket.gethostname(), "pid": started_as(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        note.write_text(json.dumps({**mine, "command": " ".join(sys.argv)[:200]}), "utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                note.unlink()
    finally:
        lock.release()


def check_free(path: Path, doing: str) -> None:
    """Raise a `UserError` if another process holds a lock at this moment; it may be taken right afterwards.

    Args:
      path, doing: see `hold`; the file and its folder need not be there.
    """
    if not path.exists():
        return
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(_held(path, doing)) from None
    except OSError:  # it cannot be written: whoever wants to hold it says so
        return
    lock.release()


def _held(path: Path, doing: str) -> str:
    holder = _read(path.with_suffix(".holder"))
    who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}" if holder else "another process"
    return f"One process at a time {doing}. Received: a second one; the first is {who}."


def _read(note: Path) -> dict:
    try:
        found = json_text.loads(regular(note).read_text("utf-8"))
        return found if {"host", "pid", "since"} <= found.keys() else {}
    except (OSError, ValueError, AttributeError):
        return {}
