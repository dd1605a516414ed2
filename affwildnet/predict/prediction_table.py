"""The table of predictions: a CSV file with a line for each frame, written and read line by line."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from affwildnet.predict.frame_faces import Face, FrameFaces
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular, whole
from tfrecords_tools.records.schema import DIMENSIONS

SIDES = ("left", "top", "right", "bottom")
COLUMNS = ("frame", "time", *SIDES, "face", *DIMENSIONS)
TRACK = "face_id"  # a further column in a table of all faces


@dataclass(frozen=True)
class TableLine:
    """A line of a table.

    Attributes:
      time: seconds.
      prediction: valence and arousal; None where the frame has no face.
      track: number of the face; 1 in a table of one face at a time, 0 without a face.
    """

    time: float
    prediction: tuple[float, float] | None
    track: int


class PredictionTable:
    """Writes a line for each face, and a line with empty values for a frame without a face.

    Columns: frame (from 1), time (seconds), left, top, right, bottom (pixels of the frame, right and bottom exclusive),
    face (1 or 0), valence, arousal; and face_id where a frame may have several lines.
    """

    def __init__(self, file, with_track: bool):
        self._file, self._with_track = file, with_track
        self._lines = csv.writer(file, lineterminator="\n")
        self._lines.writerow([*COLUMNS, *([TRACK] if with_track else [])])

    def write(self, frame: FrameFaces) -> None:
        """Write the lines of a frame, which must have its predictions."""
        for face in frame.faces or [None]:
            values = [frame.number, f"{frame.timestamp:.6f}", *_values(face)]
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
def writing(
    path: Path, with_track: bool, done: Callable[[Path], None] = lambda path: None
) -> Iterator[PredictionTable]:
    """Yield a table to write; the file gets its name at the end of the block, and is deleted on an error.

    Args:
      path: of the table.
      with_track: whether lines have the number of the face.
      done: called with the path of the whole file before it gets its name.
    """
    try:
        with whole(path) as partial:
            with partial.open("w", encoding="utf-8", newline="") as file:
                yield PredictionTable(file, with_track)
            done(partial)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Choose another `output`.") from None


def lines(path: Path) -> Iterator[TableLine]:
    """Yield the lines of a table, one held at a time."""
    with regular(path).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found = line["face"] == "1"
            prediction = tuple(float(line[name]) for name in DIMENSIONS) if found else None
            yield TableLine(float(line["time"]), prediction, int(line.get(TRACK, 1) or 0) if found else 0)
