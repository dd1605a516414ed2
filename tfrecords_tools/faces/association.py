"""Match the faces of a frame with those seen before, by overlap, position and colour."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tfrecords_tools.faces.boxes import Box, crop_around

# Measured on three real clips and twelve synthetic ones, half a second apart: the similarity of one face is 0.94 and
# more in 99 of 100 pairs, that of two faces 0.4 in the median.
SAME_PLACE = 0.5  # least similarity of a face that is where one was: below it, the scene has changed
SAME_FACE = 0.8  # least similarity of a face that comes back elsewhere, or after a while
NEAR = 1.0  # sides of the box: farthest that a face may be from where it is expected
MAX_GROWTH = 2.0  # largest factor by which its size may change
RECENT = 1.0  # seconds for which a place is remembered
BINS = 16  # of the histogram, for hue and for saturation
INNER = 0.7  # share of the box that the histogram covers: what surrounds a face changes as it moves
SHRUNK = 32  # pixels: side to which the box is shrunk for the histogram, which averages the noise out


@dataclass
class Seen:
    """A face when it was seen last.

    Attributes:
      box: in source pixels.
      colours: (256,) histogram, as `histogram` returns it.
      time: seconds.
      speed: x and y of the box's centre, in pixels a second.
      look: how it looked, as `recognition.look_of` returns it; None where that is not kept.
      description: (128,) of a look, as `FaceRecogniser.describe` returns it; None where nobody has asked for it.
    """

    box: Box
    colours: np.ndarray
    time: float
    speed: tuple[float, float] = (0.0, 0.0)
    look: np.ndarray | None = None
    description: np.ndarray | None = None

    def expected(self, time: float) -> Box:
        """Return the box at a time, if the face keeps its speed."""
        x, y = (speed * (time - self.time) for speed in self.speed)
        return self.box.moved(x, y)


def associate(before: list[Seen], now: list[Seen]) -> dict[int, int]:
    """Match faces so that the sum of their likeness is greatest; faces of both may stay without a match.

    Args:
      before: all known faces, wherever they were seen last.
      now: the faces of one frame.

    Returns:
      The index in `before` by the index in `now`.
    """
    scores = np.array([[_likeness(old, new) for new in now] for old in before]).reshape(len(before), len(now))
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if scores[old, new] > 0}


def _likeness(old: Seen, new: Seen) -> float:
    """Return a likeness from 0, not the same face, to 3."""
    sides = [box.right - box.left for box in (old.box, new.box)]
    if max(sides) > MAX_GROWTH * min(sides):
        return 0.0
    alike = similarity(old.colours, new.colours)
    if new.time - old.time <= RECENT:
        expected = old.expected(new.time)
        off = float(np.hypot(*np.subtract(expected.centre, new.box.centre))) / (sum(sides) / 2)
        overlap = max(expected.overlap(new.box), old.box.overlap(new.box))
        if alike >= SAME_PLACE and off <= NEAR:
            return alike + overlap + 1 - off
    # Half as much: a place that the face can have reached counts more than its colours.
    return alike / 2 if alike >= SAME_FACE else 0.0


def histogram(image: np.ndarray, box: Box) -> np.ndarray:
    """Return (256,) float32 shares of the colours in a box; they sum to 1, or are all 0 outside the frame.

    The colours are hue and saturation, not the RGB of the thesis: within one video, light and shade change RGB as much
    as another face does.

    Args:
      image: of the frame, (height, width, 3) uint8 RGB.
      box: of a face, in the frame's pixels.
    """
    inner, _, _ = crop_around(image, box, INNER)
    if not inner.size:
        return np.zeros(BINS * BINS, np.float32)
    small = cv2.resize(inner, (SHRUNK, SHRUNK), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    return cv2.calcHist([colours], [0, 1], None, [BINS, BINS], [0, 180, 0, 256]).ravel() / SHRUNK**2


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Bhattacharyya coefficient of two histograms: 1 for the same, 0 without a common colour."""
    return float(np.sqrt(one * other).sum())
