"""Files that appear whole or not at all, and folders that are not written over."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files.remote_paths import RemotePath

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed
    fcntl = None

_PATIENCE = 2.0  # seconds that another process may take to write a short file
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)  # of file systems without locks


def check_new_folder(folder: Path, besides: str = "") -> None:
    """Raise a `UserError` unless `folder` is an empty folder but for the name `besides`, or nothing is at that path."""
    if folder.is_dir():
        held = sum(path.name != besides for path in folder.iterdir())
        if held:
            files = "1 file or folder" if held == 1 else f"{held} files or folders"
            raise UserError(
                f"{folder}: must be a new or empty folder. Received: one that holds {files}. "
                "Name another one, or empty this one if you need nothing in it."
            )
    elif os.path.lexists(folder):
        what = "a link that leads nowhere" if folder.is_symlink() and not folder.exists() else "a file"
        raise UserError(f"{folder}: must be a new or empty folder. Received: {what}. Name another one.")


def check_place(folder: Path) -> None:
    """Raise a `UserError` unless files can be written in a folder, or the folder be made. Nothing is written."""
    for place in (Path(os.path.abspath(folder)), *Path(os.path.abspath(folder)).parents):
        if place.is_dir():
            if not os.access(place, os.W_OK | os.X_OK):
                raise UserError(f"{folder}: cannot be written ({place} is read-only). Name another folder.")
            return
        if os.path.lexists(place):
            raise UserError(f"{folder}: cannot be written ({place} is a file). Name another folder.")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; what is written there gets the name `path` at the end.

    On an error within, nothing is left of it, and what stood at `path` stays. The file is on the disk before it gets
    its name, so that a power cut leaves the old one or the new one. One process at a time writes a file.

    Raises:
      UserError: if another process is at it, and does not end within seconds; or if a device or a pipe is there.
    """
    if isinstance(path, RemotePath):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path}: must be a file. Received: a device or a pipe. Name another file.")
    partial = _partial(path)
    with _alone_at(partial, path):
        try:
            yield partial
            sync(partial)
            os.replace(partial, path)
            sync(path.parent)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            if (
                isinstance(error, OSError)
                and error.errno is not None
                and error.filename in (None, str(partial), partial)
            ):
                # An error of writing does not name its file; those of PyAV cannot be given another name.
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise


def discard_partial(path: Path) -> None:
    """Delete what a process that was ended has left of a file, unless another process is writing that file now."""
    partial = _partial(path)
    if fcntl is None:
        partial.unlink(missing_ok=True)
    elif os.path.lexists(partial) and (held := _held(partial)) is not None:
        partial.unlink(missing_ok=True)
        os.close(held)


def _partial(path: Path) -> Path:
    return path.with_name(f".partial-{path.name}")


@contextmanager
def _alone_at(partial: Path, path: Path) -> Iterator[None]:
    """Hold an empty file at `partial` while the block runs, which the operating system frees however the process ends.

    What another process has begun there and left is emptied.
    """
    if fcntl is None:
        yield
        return
    until = time.monotonic() + _PATIENCE
    while (held := _held(partial)) is None:
        if time.monotonic() > until:
            raise UserError(
                f"{path}: one process at a time writes it. Received: a second one, while the first is at it."
            )
        time.sleep(_PATIENCE / 100)
    try:
        yield
    finally:
        os.close(held)


def _held(partial: Path) -> int | None:
    """Return the descriptor of a file that no other process holds, now empty; None if one does."""
    # A link of this name is an error: what it leads to would be emptied.
    more = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | more, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The process before may have given the file its name in the meantime, or deleted it.
        if os.path.samestat(os.fstat(descriptor), os.stat(partial)):
            os.truncate(descriptor, 0)
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(descriptor)
            raise
        return descriptor
    os.close(descriptor)
    return None


def sync(path: Path) -> None:
    """Have the operating system write a file, or the names in a folder, to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders cannot be opened on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have nothing to write
            raise
    finally:
        os.close(descriptor)
