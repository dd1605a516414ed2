"""Folders of packed corpora that lie in a bucket or elsewhere that `tf.io.gfile` reads, such as `gs://bucket/corpus`.

`folder_at` is the way in: a `Path` for a folder of this computer, a `RemotePath` for a URL. A `RemotePath` does what
`pathlib` does for reading, and nothing that writes: locks and renames, on which whole files rest, are not to be had
there. `local_path` is the way in for what is written.
"""

import errno
import fnmatch
import io
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple

from tfrecords_tools.errors import UserError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_AT_ONCE = 4 << 20  # bytes
_REQUESTS = 32  # at once: each waits for its answer, which takes some 50 ms


class Status(NamedTuple):
    """What is known of a remote file: its size in bytes, when it was written in nanoseconds, and no inode."""

    st_size: int
    st_mtime_ns: int
    st_ino: int = 0


class RemotePath(PurePosixPath):
    """A path in a bucket, to read from; it is text as a URL, and its errors are those of a file of this computer.

    Example:
        >>> RemotePath("gs://bucket/corpus") / "manifest.json"
        RemotePath('gs://bucket/corpus/manifest.json')
    """

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)  # `pathlib` joins slashes

    def resolve(self) -> "RemotePath":
        """Return the path itself: a URL is absolute and without links."""
        return self

    def open(self, mode: str = "r", encoding: str = "utf-8") -> IO:
        """Open the file for reading: "rb" as bytes, "r" as text."""
        data = io.BufferedReader(_Reader(self), _AT_ONCE)
        return data if mode == "rb" else io.TextIOWrapper(data, encoding)

    def read_bytes(self) -> bytes:
        """Return the contents of the file."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the contents of the file as text."""
        return self.read_bytes().decode(encoding)

    def stat(self) -> Status:
        """Return size and time of the file."""
        with _os_errors(self) as gfile:
            found = gfile.stat(str(self))
        return Status(int(found.length), int(found.mtime_nsec))

    def exists(self) -> bool:
        """Return whether a file or a folder is there."""
        with _os_errors(self) as gfile:
            return gfile.exists(str(self))

    def is_dir(self) -> bool:
        """Return whether a folder is there."""
        with _os_errors(self) as gfile:
            return gfile.isdir(str(self))

    def is_file(self) -> bool:
        """Return whether a file is there."""
        return self.exists() and not self.is_dir()

    def iterdir(self) -> Iterator["RemotePath"]:
        """Yield what is in the folder."""
        with _os_errors(self) as gfile:
            names = gfile.listdir(str(self))
        return (self / name.rstrip("/") for name in names)

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """Yield what is in the folder with a name like `pattern`, which has no slash."""
        return (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Raise an `OSError`: a remote folder is read only."""
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))


class _Reader(io.RawIOBase):
    """The bytes of a remote file, one after the other."""

    def __init__(self, path: RemotePath):
        self._path = path
        with _os_errors(path) as gfile:
            self._file = gfile.GFile(str(path), "rb")
            self._file.size()  # it is opened when it is first used

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        with _os_errors(self._path):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def folder_at(place: str | os.PathLike) -> Path:
    """Return the folder at a path of this computer as a `Path`, at a URL as a `RemotePath`, which reads like one.

    Raises:
      UserError: if a URL names no bucket.
    """
    if isinstance(place, RemotePath):
        return place
    text = _text(place)
    found = _URL.fullmatch(text)
    if not found:
        return Path(place)
    scheme, rest = found.groups()
    if scheme.lower() == "file":
        return Path(rest)
    if not rest.strip("/") or rest.startswith("/"):
        raise UserError(f"A URL must name a bucket and a folder in it, such as gs://bucket/corpus. Received: {text}")
    return RemotePath(text)


def local_path(place: str | os.PathLike) -> Path:
    """Return a path of this computer as a `Path`.

    Raises:
      UserError: if it is a URL.
    """
    found = _URL.fullmatch(_text(place))
    if found and found[1].lower() != "file":
        raise UserError(
            "What is written, and what is read other than a packed corpus, must be on this computer: files are locked "
            f"and renamed there. Received: {_text(place)}. Name a local folder, and copy it afterwards."
        )
    return Path(found[2]) if found else Path(place)


def is_remote(place: str | os.PathLike) -> bool:
    """Return whether a path is a URL of another place than this computer."""
    return isinstance(folder_at(place), RemotePath)


def file_names(folder: Path) -> set[str]:
    """Return the names of the files in a folder by one look at it: thousands of looks at a bucket take minutes."""
    if isinstance(folder, RemotePath):
        return {path.name for path in folder.iterdir()}
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}


def statuses(paths: Iterable[Path]) -> Iterator[os.stat_result | Status | OSError]:
    """Yield the status of each file, or the error in its place; of a bucket's files, many are asked for at once."""
    paths = list(paths)
    if any(isinstance(path, RemotePath) for path in paths):
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from pool.map(_status, paths)
    else:
        yield from map(_status, paths)


def _status(path: Path) -> os.stat_result | Status | OSError:
    try:
        return path.stat()
    except OSError as error:
        return error


def _text(place: str | os.PathLike) -> str:
    # `Path("gs://bucket")` has lost a slash; no folder here has a name that ends in a colon.
    parts = place.parts if isinstance(place, PurePath) else ()
    if len(parts) > 1 and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+:", parts[0]):
        return f"{parts[0]}//{'/'.join(parts[1:])}"
    return os.fsdecode(place)


@contextmanager
def _os_errors(path: RemotePath) -> Iterator:
    """Yield `tf.io.gfile`; raise its errors as those of the operating system, which callers know."""
    import tensorflow as tf

    name = str(path)
    try:
        yield tf.io.gfile
    except tf.errors.NotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
    except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, _line(error), name) from None
    except tf.errors.UnimplementedError:
        scheme = name.partition(":")[0]
        raise UserError(
            f"{name}: TensorFlow must read what is at {scheme}://. Received: it does not. Install what adds that, such "
            "as tensorflow-io, or copy the corpus to this computer."
        ) from None
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, _line(error), name) from None


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", error)).split())[:300]
