"""The box of a face in a frame, what finds such boxes, and the choice of one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Box:
    """A face in source pixels, right and bottom exclusive; it may reach beyond the frame."""

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
        """Return the intersection over union with another box, in [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - shared
        return shared / union if union else 0.0


class Detector(Protocol):
    """Something that finds faces: `dlib_detector.FaceDetector`, `yunet.YuNetDetector`, or one of your own."""

    def detect(self, image: np.ndarray) -> list[Box]:
        """Return the faces of a frame, (height, width, 3) uint8 RGB, the surest first."""

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        """Return the faces in and around `box` that are about as large, the surest first."""


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
