"""The files of checkpoints: their names and order, and what their archive must hold. Needs nothing of Keras."""

import re
import zipfile
from pathlib import Path

from tfrecords_tools.errors import UserError

_NAME = re.compile(r"step-(\d{8,})\.keras")
# Every `.keras` file has these members.
_MEMBERS = frozenset(("config.json", "model.weights.h5"))


def path_of(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of a step."""
    return folder / f"step-{step:08d}.keras"


def step_of(path: Path) -> int | None:
    """Return the step of a checkpoint, by its name; None for another file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def listed(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=step_of)


def state_path(path: Path) -> Path:
    """Return the path of a checkpoint's JSON file."""
    return path.with_suffix(".json")


def check_archive(path: Path) -> None:
    """Raise a `UserError` unless a file is a `.keras` file by its table of contents; its contents are not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            missing = _MEMBERS - set(archive.namelist())
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise UserError(f"{path}: not a whole checkpoint ({type(error).__name__}: {error}).") from None
    if missing:
        raise UserError(f"{path}: must be a .keras file. Received: an archive without {', '.join(sorted(missing))}.")
