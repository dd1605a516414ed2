"""Which of the faces seen now is which of those seen before: by overlap, position and colour."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tfrecords_tools.faces.boxes import Box, crop_around

# Measured on three real clips and twelve synthetic ones, half a second apart: one face is alike by 0.94 and more in 99
# of 100 pairs, two faces by 0.4 in the middle.
SAME_PLACE = 0.5  # how alike a face must be that is where one was: below, the scene has changed
SAME_FACE = 0.8  # and one that comes back elsewhere, or after a while
NEAR = 1.0  # sides of the box that a face may be off from where it was expected
MAX_GROWTH = 2.0  # factor by which its size may change
RECENT = 1.0  # seconds for which a place is remembered


@dataclass
class Seen:
    """A face when it was seen last.

    Attributes:
      box: in source pixels.
      colours: (256,) histogram, from `appearance.histogram`.
      time: seconds.
      speed: x and y of the box's centre, in pixels a second.
    """

    box: Box
    colours: np.ndarray
    time: float
    speed: tuple[float, float] = (0.0, 0.0)

    def expected(self, time: float) -> Box:
        """Where the box is at a time if it moves on as it did."""
        x, y = (speed * (time - self.time) for speed in self.speed)
        return Box(self.box.left + x, self.box.top + y, self.box.right + x, self.box.bottom + y)


def associate(before: list[Seen], now: list[Seen]) -> dict[int, int]:
    """Pairs faces so that the sum of their likeness is greatest; which may leave faces of both without a partner.

    Args:
      before: the faces known, wherever they were seen last.
      now: the faces of one frame.

    Returns:
      index in `before` by index in `now`.
    """
    scores = np.array([[_likeness(old, new) for new in now] for old in before]).reshape(len(before), len(now))
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if scores[old, new] > 0}


def _likeness(old: Seen, new: Seen) -> float:
    """From 0, not the same face, to 3."""
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
    # Half as much: where a face could have gone counts before what it looks like.
    return alike / 2 if alike >= SAME_FACE else 0.0


BINS = 16  # each, of hue and of saturation


INNER = 0.7  # the share of the box that is looked at: what surrounds a face changes as it moves


SIDE = 32  # pixels; the box is shrunk to it first, which averages the noise out


def histogram(image: np.ndarray, box: Box) -> np.ndarray:
    """Return (256,) float32 shares of the colours in a box; they sum to 1, or are all 0 outside the image.

    Hue and saturation, not the RGB channels of the thesis: light and shade move those within one video as far as
    another face does.

    Args:
      image: (height, width, 3) uint8 RGB.
      box: a face in the image's pixels.
    """
    inner, _, _ = crop_around(image, box, INNER)
    if not inner.size:
        return np.zeros(BINS * BINS, np.float32)
    small = cv2.resize(inner, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    return cv2.calcHist([colours], [0, 1], None, [BINS, BINS], [0, 180, 0, 256]).ravel() / SIDE**2


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Bhattacharyya coefficient of two histograms: 1 where they are the same, 0 where they share no colour."""
    return float(np.sqrt(one * other).sum())
