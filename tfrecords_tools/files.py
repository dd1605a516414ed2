"""Files that appear whole or not at all, and folders that are not written over."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrecords_tools.errors import UserError


def check_new_folder(folder: Path) -> None:
    """Raise a `UserError` unless `folder` is an empty folder, or nothing stands at that path."""
    if folder.is_dir():
        held = len(list(folder.iterdir()))
        if held:
            files = "1 file or folder" if held == 1 else f"{held} files or folders"
            raise UserError(
                f"{folder}: must be a new or empty folder. Received: one that holds {files}. "
                "Delete it, or name another one."
            )
    elif os.path.lexists(folder):
        raise UserError(f"{folder}: must be a new or empty folder. Received: a file. Name another one.")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; what is written there gets the name `path` at the end.

    On an error within, nothing is left of it, and what stood at `path` stays.
    """
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
