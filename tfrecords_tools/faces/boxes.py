"""The box of a face in a frame, what finds such boxes, and the choice of one."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Box:
    """A face in source pixels, right and bottom exclusive; it may reach beyond the frame.

    Attributes:
      left, top, right, bottom: the sides, which are upright however the head is.
      roll: angle in radians by which the head is turned clockwise, as it is seen; 0 where the detector does not say.
    """

    left: float
    top: float
    right: float
    bottom: float
    roll: float = 0.0

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, x: float, y: float) -> "Box":
        """Return the box moved to the right by `x` and down by `y` pixels."""
        return replace(self, left=self.left + x, top=self.top + y, right=self.right + x, bottom=self.bottom + y)

    def overlap(self, other: "Box") -> float:
        """Return the intersection over union with another box, in [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - shared
        return shared / union if union else 0.0


# dlib's box is a square about the mean of five points (the eyes, the tip of the nose, the corners of the mouth); its
# side is this many times their root mean square distance from that mean. Measured with dlib's box and landmarks on
# real faces of three people: 3.81, 3.87, 3.99; with points of the face mesh on twelve: 3.82 in the median.
SIDE = 3.85


def box_of_points(points: np.ndarray) -> Box:
    """Return the box that dlib would find, and the roll of the eyes.

    Args:
      points: (5, 2) x, y of the eyes, the tip of the nose, the corners of the mouth; the left ones, as they are seen
        on an upright face, first.
    """
    x, y = points.mean(0, dtype=np.float64)
    half = SIDE / 2 * float(np.sqrt(np.square(points - (x, y)).sum(1).mean()))
    across, down = points[1] - points[0]
    return Box(float(x) - half, float(y) - half, float(x) + half, float(y) + half, float(np.arctan2(down, across)))


class Detector(Protocol):
    """Something that finds faces: one of `face_settings.DETECTORS`, or one of your own."""

    def detect(self, image: np.ndarray) -> list[Box]:
        """Return the faces of a frame, (height, width, 3) uint8 RGB, the surest first."""

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        """Return the faces in and around `box` that are about as large, the surest first."""


class Landmarks(Protocol):
    """Something that finds landmarks: one of `face_settings.LANDMARKS`, or one of your own."""

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        """Return (68, 2) float32 x, y in source pixels, for a (height, width, 3) uint8 RGB image."""


def crop_around(image: np.ndarray, box: Box, reach: float) -> tuple[np.ndarray, int, int]:
    """Return the part of a frame within the box made `reach` times as large, and the part's left and top in pixels."""
    x, y = box.centre
    width, height = reach * (box.right - box.left) / 2, reach * (box.bottom - box.top) / 2
    left, top = max(0, round(x - width)), max(0, round(y - height))
    return image[top : max(top, round(y + height)), left : max(left, round(x + width))], left, top


def choose(boxes: list[Box], previous: Box | None, min_overlap: float = 0.3) -> Box | None:
    """Return the face that overlaps `previous` by `min_overlap` or more, else the largest, else None."""
    if not boxes:
        return None
    if previous is not None:
        nearest = max(boxes, key=previous.overlap)
        if nearest.overlap(previous) >= min_overlap:
            return nearest
    return max(boxes, key=lambda box: box.area)
