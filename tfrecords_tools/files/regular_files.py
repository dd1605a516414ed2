"""Files that may be opened: a pipe, a device or a socket in the place of one would be waited for without end."""

import os
import stat
from pathlib import Path
from typing import TypeVar

from tfrecords_tools.errors import UserError
from tfrecords_tools.files.remote_paths import RemotePath

AnyPath = TypeVar("AnyPath", Path, RemotePath)

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def regular(path: AnyPath) -> AnyPath:
    """Return a path as it is; there may also be a folder, or nothing.

    Raises:
      UserError: if a pipe, a device or a socket is there.

    Example:
      >>> regular(Path("notes.json")).read_text("utf-8")
    """
    if isinstance(path, RemotePath):
        return path
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # opening it says what is wrong
        return path
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            raise UserError(f"{path}: must be a file. Received: {kind}. Put a file in its place, or name another.")
    return path
