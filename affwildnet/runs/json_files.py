"""JSON files and JSON lines of a working directory, written whole or not at all."""

import json
import logging
import math
import os
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.errors.room import needing
from tfrecords_tools.files import regular, whole

_log = logging.getLogger(__name__)

_BLOCK = 4096
_MOST_STEPS = 1 << 53
# Fields of a line that hold a number, or numbers by name.
_SCORES = ("loss", "ranking", "ccc", "pearson", "mse", "accuracy")


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file whole or not at all."""
    text = json.dumps(value, indent=2) + "\n"
    with needing(_blocks(text)), whole(path) as partial:
        partial.write_text(text, "utf-8")


def read_json(path: Path) -> dict | None:
    """Return the object in a JSON file, None if there is no file.

    Raises:
      UserError: if it holds anything else.
    """
    try:
        found = json.loads(regular(path).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise _is_folder(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: must be readable JSON. Received: {type(error).__name__}: {error}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: must hold a JSON object. Received: {type(found).__name__}.")
    return found


def _is_folder(path: Path) -> UserError:
    return UserError(f"{path}: must be a file. Received: a folder. Move it away: a run writes a file of that name.")


def append_line(path: Path, value: dict) -> None:
    """Append one JSON line in a single write, so that a reader sees all of it or its beginning."""
    text = json.dumps(value) + "\n"
    if path.is_dir():
        raise _is_folder(path)
    with needing(_blocks(text)), regular(path).open("a+b") as file:
        # A process that was killed while writing may have left half a line.
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        begin = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(begin + text.encode())


def _blocks(text: str) -> int:
    """Return the bytes that a text takes on a disk, which gives them out in blocks."""
    return -(-len(text) // _BLOCK) * _BLOCK


def read_lines(path: Path) -> list[dict]:
    """Return the JSON lines of a file, none if there is no file; damaged lines are skipped and named.

    Every line has a `step`, a whole number, and numbers where it has scores.
    """
    try:
        lines = regular(path).read_text("utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except IsADirectoryError:
        raise _is_folder(path) from None
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line) if line else None
        except (ValueError, RecursionError):
            value = ...
        if is_line(value):
            values.append(value)
        elif line:
            _log.warning(f"{path}, line {number}: cut off or damaged, skipped")
    return values


def is_line(value: object) -> bool:
    """Return whether a JSON value can be a line of a log: with a `step`, and numbers where it has scores."""
    if not isinstance(value, dict) or type(value.get("step")) is not int or not 0 <= value["step"] <= _MOST_STEPS:
        return False
    ranking = value.get("ranking")
    ranks = ranking.values() if isinstance(ranking, dict) else ()
    return all(_are_numbers(value.get(name)) for name in _SCORES) and all(
        rank is not None and math.isfinite(rank) for rank in ranks
    )


def _are_numbers(value: object) -> bool:
    if isinstance(value, dict):
        return all(each is None or type(each) in (int, float) for each in value.values())
    return value is None or type(value) in (int, float)
