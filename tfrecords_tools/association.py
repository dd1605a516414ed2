"""Which of the faces seen now is which of those seen before: by overlap, position and colour."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tfrecords_tools.appearance import similarity
from tfrecords_tools.faces import Box

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
