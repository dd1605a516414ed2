"""A square of a frame that is turned with the head in it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """A square of a frame, turned in the frame's plane.

    Attributes:
      centre: x and y in the frame's pixels.
      side: in pixels.
      roll: angle in radians by which its upper side is turned clockwise, as it is seen.
    """

    centre: tuple[float, float]
    side: float
    roll: float = 0.0

    def matrix(self, size: int) -> np.ndarray:
        """Return (2, 3) what takes the frame's pixels to those of the square upright, `size` pixels large."""
        scale = size / self.side
        cosine, sine = scale * np.cos(self.roll), scale * np.sin(self.roll)
        turned = np.array([[cosine, sine], [-sine, cosine]])
        # Whole numbers are the centres of pixels.
        return np.column_stack([turned, (size - 1) / 2 - turned @ np.asarray(self.centre)])
