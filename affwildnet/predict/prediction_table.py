"""The table of a prediction: a CSV file with a line for each frame, and its reading, line by line."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from affwildnet.predict.rows import Face, Row
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import whole
from tfrecords_tools.records.schema import DIMENSIONS

SIDES = ("left", "top", "right", "bottom")
COLUMNS = ("frame", "time", *SIDES, "face", *DIMENSIONS)
TRACK = "face_id"  # the further column of a table of all faces


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Attributes:
      time: seconds.
      prediction: valence and arousal; None where the frame has no face.
      track: number of the face, 1 where the table has one face at a time, 0 without a face.
    """

    time: float
    prediction: tuple[float, float] | None
    track: int


class Table:
    """Writes rows: one line for each face, and one with empty values for a frame without a face.

    Columns: frame (from 1), time (seconds), left, top, right, bottom (source pixels, right and bottom exclusive), face
    (1 or 0), valence, arousal; and face_id where a frame may have several lines.
    """

    def __init__(self, file, with_track: bool):
        self._file, self._with_track = file, with_track
        self._lines = csv.writer(file, lineterminator="\n")
        self._lines.writerow([*COLUMNS, *([TRACK] if with_track else [])])

    def write(self, row: Row) -> None:
        for face in row.faces or [None]:
            values = [row.number, f"{row.timestamp:.6f}", *_values(face)]
            if self._with_track:
                values.append("" if face is None else face.track)
            self._lines.writerow(values)
        self._file.flush()


def _values(face: Face | None) -> list:
    if face is None:
        return [""] * len(SIDES) + [0] + [""] * len(DIMENSIONS)
    sides = (getattr(face.box, side) for side in SIDES)
    return [*(f"{side:.2f}" for side in sides), 1, *(f"{value:.6f}" for value in face.prediction)]


@contextmanager
def writing(path: Path, with_track: bool) -> Iterator[Table]:
    """Yield the table; the file has its name when the block is done, and is gone if an error ends it."""
    try:
        with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            yield Table(file, with_track)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Name another `--output`.") from None


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a table, one held at a time."""
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found = line["face"] == "1"
            prediction = tuple(float(line[name]) for name in DIMENSIONS) if found else None
            yield Line(float(line["time"]), prediction, int(line.get(TRACK, 1) or 0) if found else 0)
