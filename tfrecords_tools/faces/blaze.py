"""Find faces with BlazeFace: turned, small and half covered ones too, in a time that does not grow with the frame.

The network is that of MediaPipe for the back camera: Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face
Detection on Mobile GPUs, CVPR Workshop 2019. It takes some patterns for faces, which the face mesh then rejects.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from tfrecords_tools.faces.mediapipe_files import BLAZE, open_network

SIDE = 256  # pixels of the longer side of what the network sees
GRIDS = ((16, 2), (32, 6))  # pixels of a cell, and answers of each cell
COARSEST = 32
MIN_SCORE = 0.5
SAME = 0.3  # overlap from which two answers are of one face


@dataclass(frozen=True)
class Candidate:
    """What may be a face.

    Attributes:
      score: in [0, 1].
      points: (6, 2) float64 x, y in the frame's pixels: eyes, tip of the nose, mouth, ears; the left ones first.
      corners: (2, 2) float64, left and top, right and bottom of the face in the frame's pixels.
    """

    score: float
    corners: np.ndarray
    points: np.ndarray


class BlazeFace:
    """The network, as OpenCV runs it."""

    def __init__(self, min_score: float = MIN_SCORE):
        """Load the network; raise a `UserError` if it is not installed."""
        self._network = open_network(BLAZE)
        self._min_score = min_score

    def __call__(self, image: np.ndarray) -> list[Candidate]:
        """Return what may be faces in a frame, (height, width, 3) uint8 RGB, the surest first."""
        height, width = image.shape[:2]
        scale = SIDE / max(height, width)
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrinks = scale < 1
        inside = cv2.resize(image, small, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        # In the middle of black, as the network was trained; not in the whole square, which computes the same for more.
        across, down = (-(-length // COARSEST) * COARSEST for length in small)
        left, top = (across - small[0]) // 2, (down - small[1]) // 2
        shown = np.zeros((down, across, 3), np.uint8)
        shown[top : top + small[1], left : left + small[0]] = inside
        self._network.setInput(cv2.dnn.blobFromImage(shown, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
        scores, places = self._network.forward(("classificators", "regressors"))
        likely = scores[0, :, 0] >= np.log(self._min_score / (1 - self._min_score))
        if not likely.any():
            return []
        values = 1 / (1 + np.exp(-scores[0, likely, 0].astype(np.float64)))
        found = places[0, likely].reshape(-1, 8, 2).astype(np.float64)
        anchors, half = _anchors(across, down)[likely][:, None], found[:, 1:2] / 2
        points = anchors + np.concatenate([found[:, :1] - half, found[:, :1] + half, found[:, 2:]], 1)
        return [
            Candidate(score, own[:2], own[2:])
            for score, own in _merged(values, (points - (left, top)) / (small[0] / width, small[1] / height))
        ]


@cache
def _anchors(width: int, height: int) -> np.ndarray:
    """Return (answers, 2) x, y of the cell of each answer in an input of this size, in pixels."""
    found = []
    for cell, answers in GRIDS:
        lines = [np.arange(cell / 2, length, cell) for length in (width, height)]
        found.append(np.repeat(np.stack(np.meshgrid(*lines), -1).reshape(-1, 2), answers, 0))
    return np.concatenate(found)


def _merged(scores: np.ndarray, points: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Return one answer for each face: the mean of those that overlap the surest, weighted by their scores.

    Args:
      scores: (n,) in [0, 1].
      points: (n, 8, 2) x, y; the first two are left and top, right and bottom.
    """
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        same = _overlap(points[left[0], :2], points[left, :2]) > SAME
        same[0] = True
        own = left[same]
        faces.append((float(scores[own[0]]), np.average(points[own], axis=0, weights=scores[own])))
        left = left[~same]
    return faces


def _overlap(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (n,) intersections over union of corners (2, 2) with corners (n, 2, 2)."""
    sides = np.minimum(one[1], others[:, 1]) - np.maximum(one[0], others[:, 0])
    shared = sides.clip(0).prod(1)
    union = (one[1] - one[0]).prod() + (others[:, 1] - others[:, 0]).clip(0).prod(1) - shared
    return shared / np.maximum(union, 1e-9)
