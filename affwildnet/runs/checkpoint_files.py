"""The files of checkpoints: their names and order, what their archive must hold, and the note beside each.

The note names the contents of its archive, so that a file which was copied under another one's name is not taken for
it. Needs nothing of Keras.
"""

import re
import zipfile
from pathlib import Path

from affwildnet.runs.json_files import read_json
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular

_NAME = re.compile(r"step-(\d{8,})\.keras")
# Every `.keras` file has these members.
_MEMBERS = frozenset(("config.json", "model.weights.h5"))
# What zipfile raises for a file that is no archive, or is cut off or damaged.
_NOT_WHOLE = (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError)
# The field of a note that has the length and CRC-32 of each member; notes of earlier versions lack it.
CONTENTS = "contents"


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


def contents_note(path: Path) -> dict[str, dict[str, list[int]]]:
    """Return the field of a note that describes an archive, from its table of contents alone; none for another file."""
    regular(path)
    try:
        return {CONTENTS: _contents(path)}
    except _NOT_WHOLE:
        return {}


def _contents(path: Path) -> dict[str, list[int]]:
    """Return length and CRC-32 of each member of an archive, from its table of contents; raise one of `_NOT_WHOLE`."""
    with zipfile.ZipFile(path) as archive:
        return {member.filename: [member.file_size, member.CRC] for member in archive.infolist()}


def check_note(path: Path, needed: bool = False) -> None:
    """Raise a `UserError` if the note beside a checkpoint is that of another one.

    Nothing is read but the note and the archive's table of contents.

    Args:
      path: of the checkpoint.
      needed: whether one without a note is refused too, as where the step counts that the name says.

    Raises:
      FileNotFoundError: if there is no such checkpoint.
    """
    _check_note(path, contents_note(path).get(CONTENTS), needed)


def _check_note(path: Path, contents: dict[str, list[int]] | None, needed: bool) -> None:
    try:
        note = read_json(state_path(path))
    except UserError:  # a damaged note, which says nothing of the file
        note = None
    if note is None and needed:
        raise UserError(f"{path}: must have {state_path(path).name} beside it, which says of which step it is.")
    note = note or {}
    step, noted = step_of(path), note.get("step")
    if step is not None and isinstance(noted, int) and noted != step:
        received = f"one of step {noted}, under the name of step {step}"
    elif CONTENTS in note and contents is not None and note[CONTENTS] != contents:  # a broken archive says so itself
        received = "other contents"
    else:
        return
    raise UserError(
        f"{path}: must be the checkpoint that {state_path(path).name} was written for. Received: {received}. One was "
        "copied or renamed, or whoever wrote them was killed in between: put back what belongs together, or take both "
        "away and run again what writes them: train.py, or evaluate.py with --watch or --fuse."
    )


def check_archive(path: Path) -> None:
    """Raise a `UserError` unless a file is a `.keras` file by its table of contents, and the one of its note."""
    regular(path)
    try:
        contents = _contents(path)
    except _NOT_WHOLE as error:
        raise UserError(f"{path}: not a whole checkpoint ({type(error).__name__}: {error}).") from None
    if missing := _MEMBERS - set(contents):
        raise UserError(f"{path}: must be a .keras file. Received: an archive without {', '.join(sorted(missing))}.")
    _check_note(path, contents, needed=False)
