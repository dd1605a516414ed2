"""JSON files and JSON lines of a working directory, written whole or not at all."""

import json
import logging
import os
from pathlib import Path

from tfrecords_tools.files import whole

_log = logging.getLogger(__name__)


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file whole or not at all."""
    with whole(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def append_line(path: Path, value: dict) -> None:
    """Append one JSON line in a single write, so that a reader sees all of it or its beginning."""
    with path.open("a+b") as file:
        # A process that was killed while writing may have left half a line.
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        begin = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(begin + json.dumps(value).encode() + b"\n")


def read_lines(path: Path) -> list[dict]:
    """Return the JSON lines of a file, none if there is no file; a line that a crash has cut off is skipped."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return []
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                values.append(json.loads(line))
        except ValueError:
            _log.warning(f"{path}, line {number}: cut off, skipped")
    return values
