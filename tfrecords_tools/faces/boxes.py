"""Face detection: every face of an image as a box in source pixels, and the choice of one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Box:
    """A face in source pixels, right and bottom exclusive; it may reach over the image's border."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - shared
        return shared / union if union else 0.0


class Detector(Protocol):
    """What finds faces: dlib's `FaceDetector`, `yunet.YuNetDetector`, or another of this form."""

    def detect(self, image: np.ndarray) -> list[Box]:
        """Return the faces of a (height, width, 3) uint8 RGB image, the surest first."""

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        """Return the faces about as large as `box` that lie in and around it, the surest first."""


def crop_around(image: np.ndarray, box: Box, reach: float) -> tuple[np.ndarray, int, int]:
    """Return the part of the image within `reach` times the box about its centre, and its left and top in pixels."""
    x, y = box.centre
    width, height = reach * (box.right - box.left) / 2, reach * (box.bottom - box.top) / 2
    left, top = max(0, round(x - width)), max(0, round(y - height))
    return image[top : max(top, round(y + height)), left : max(left, round(x + width))], left, top


def choose(boxes: list[Box], previous: Box | None, min_overlap: float = 0.3) -> Box | None:
    """Return the face that continues `previous`, else the largest, else None."""
    if not boxes:
        return None
    if previous is not None:
        nearest = max(boxes, key=previous.overlap)
        if nearest.overlap(previous) >= min_overlap:
            return nearest
    return max(boxes, key=lambda box: box.area)
