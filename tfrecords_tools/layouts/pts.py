"""Points of a face in `.pts` files: `version: 1`, `n_points: N`, and N lines `x y` between braces.

The format counts pixels from 1, also as written by Menpo, with which the faces of Aff-Wild were found (ijcv2019 section
3.1): 1 is subtracted from both coordinates.
"""

import re
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.files.tables import read_text, to_number

# Pixels from a frame's corner, beyond which nothing of a face is seen in it: no camera has such frames.
REACH = 100_000.0


def read_points(path: Path, count: int) -> np.ndarray:
    """Return (count, 2) float32, x and y in pixels, 0 being the first.

    Raises:
      UserError: if the file does not hold that number of points.
    """
    text = read_text(path)
    stated = re.search(r"n_points:\s*([0-9]+)", text)
    try:
        body = re.search(r"\{([^{}]*)\}", text)[1]
        cells = [re.split(r"[ \t]+", line.strip(" \t")) for line in body.split("\n") if line.strip(" \t")]
        points = np.array([[to_number(cell, "", -REACH, REACH) for cell in line] for line in cells])
        right = points.shape == (count, 2) and (stated is None or stated[1] == str(count))
    except (TypeError, ValueError):  # no braces; a word, or lines of unequal length
        right = False
    if not right:
        raise UserError(f"{path}: must hold {count} lines `x y` between braces, in pixels. Received: {text[:60]!r}")
    return (points - 1).astype(np.float32)


def extent(points: np.ndarray) -> Box:
    """Return the smallest box around (n, 2) points, such as the four corners of a box or 68 landmarks."""
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return Box(left, top, right, bottom)
