"""Folders of an export, whose files are exchanged as a whole: those of an earlier export, and no others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files.exchange import FOLDER, Exchange


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise a `UserError` if `folder` exists and is not an earlier export, which holds the file `marker`."""
    if (folder / FOLDER).is_dir():
        return  # an export was killed there: `replacing` completes it first
    if os.path.lexists(folder) and not (folder / marker).is_file():
        what = "a folder without it" if folder.is_dir() else "a file"
        raise UserError(
            f"{folder}: must be a new folder or an earlier export, which holds {marker}. Received: {what}. "
            "Delete it, or choose another one."
        )


@contextmanager
def replacing(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder, whose files take their places in `folder` at the end of the block.

    They replace files of the same names; others stay. On an error in the block, an earlier export stays.

    Raises:
      UserError: as `check_replaceable`, or if the folder cannot be written.
    """
    check_replaceable(folder, marker)
    try:
        with Exchange(folder) as exchange:
            if any(path.name != FOLDER for path in folder.iterdir()) and not (folder / marker).is_file():
                raise UserError(f"{folder}: must be a new folder or an earlier export. Choose another one.")
            yield exchange.new
            exchange.complete(last=marker)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error}). Choose another folder, or make room.") from None
