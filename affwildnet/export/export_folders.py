"""Folders that appear whole or not at all, and replace an earlier export but nothing else."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrecords_tools.errors import UserError


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise a `UserError` if `folder` exists and is not an earlier export, which holds the file `marker`."""
    if os.path.lexists(folder) and not (folder / marker).is_file():
        what = "a folder without it" if folder.is_dir() else "a file"
        raise UserError(
            f"{folder}: must be a new folder or an earlier export, which holds {marker}. Received: {what}. "
            "Delete it, or choose another one."
        )


@contextmanager
def replacing(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder, which takes the place of `folder` at the end of the block.

    On an error in the block, it is deleted and an earlier export stays.

    Raises:
      UserError: as `check_replaceable`, or if the folder cannot be written.
    """
    check_replaceable(folder, marker)
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error}). Choose another folder, or make room.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
