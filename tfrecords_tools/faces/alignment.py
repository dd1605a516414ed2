"""The crop: the face cut out of a frame as a square, with its landmarks in the crop's coordinates."""

from dataclasses import dataclass

import cv2
import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.face_settings import ALIGNMENTS, FaceSettings
from tfrecords_tools.faces.given_faces import MAX_SIDES

# Places of the five points of the procrustes alignment (omg2019 chapter 4) in the crop, as shares of its side: centres
# of the eyes, tip of the nose, corners of the mouth. The paper gives the points, not the places.
_TEMPLATE = np.array([(0.31, 0.36), (0.69, 0.36), (0.50, 0.57), (0.35, 0.77), (0.65, 0.77)])


@dataclass(frozen=True)
class Aligner:
    """Cut a face out of a frame.

    Example:
        >>> face, points = Aligner(size=96)(frame.image, box, landmarks)
        >>> face.shape, points.shape
        ((96, 96, 3), (68, 2))

    Attributes:
      size: side of the crop in pixels.
      alignment: "crop" cuts out the detected box, widened by `margin`; "procrustes" turns, scales and moves the face so
        that five points lie as near as possible to fixed places (omg2019 chapter 4).
      margin: for "crop": the share of its side by which the box is widened on each side.
    """

    size: int = FaceSettings.size
    alignment: str = FaceSettings.alignment
    margin: float = FaceSettings.margin

    def __post_init__(self):
        check_choice("alignment", self.alignment, ALIGNMENTS)
        if not 16 <= self.size <= 1024:
            raise UserError(f"`size` must be from 16 to 1024 pixels. Received: {self.size}")
        if not 0 <= self.margin <= 1:
            raise UserError(f"`margin` must be from 0 to 1. Received: {self.margin}")

    def __call__(self, image: np.ndarray, box: Box, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the crop, (size, size, 3) uint8, and its landmarks, (68, 2) float32 divided by the crop's side.

        Args:
          image: of the frame, (height, width, 3) uint8.
          box: the face in source pixels.
          landmarks: (68, 2) x, y in source pixels; whole numbers are the centres of pixels.

        Raises:
          UserError: if the box lies outside of the frame or is far larger, or all landmarks are in one place.
        """
        if self.alignment == "procrustes":
            return self._procrustes(image, landmarks)
        return self._crop(image, box, landmarks)

    def _crop(self, image: np.ndarray, box: Box, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        shown = Box(0, 0, width, height)
        longest = max(box.right - box.left, box.bottom - box.top)
        wrong = UserError(
            f"The box of a face must overlap its frame of {width}x{height} pixels, and be at most {MAX_SIDES} "
            f"times as large. Received: {box.left:g}, {box.top:g}, {box.right:g}, {box.bottom:g}."
        )
        if not (longest <= MAX_SIDES * max(height, width) and _touch(box, shown)):
            raise wrong
        side = max(2, round(longest * (1 + 2 * self.margin)))
        left = round((box.left + box.right - side) / 2)
        top = round((box.top + box.bottom - side) / 2)
        inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
        if not inside.size:  # less than half a pixel of the box
            raise wrong
        beyond = (max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width))
        if any(beyond):
            inside = cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE)
        shrinks = side > self.size
        face = cv2.resize(inside, (self.size, self.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return face, ((landmarks + 0.5 - (left, top)) / side).astype(np.float32)

    def _procrustes(self, image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        anchors = np.stack([
            landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[30], landmarks[48], landmarks[54],
        ])  # fmt: skip
        target = _TEMPLATE * self.size - 0.5
        from_centre, to_centre = anchors.mean(0), target.mean(0)
        if not np.ptp(anchors, axis=0).any():
            raise UserError("The eyes, nose and mouth of a face must lie in different places. Received: one place.")
        linear = similarity(anchors - from_centre, target - to_centre)
        offset = to_centre - from_centre @ linear
        matrix = np.column_stack([linear.T, offset])
        face = cv2.warpAffine(
            image, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return face, ((landmarks @ linear + offset + 0.5) / self.size).astype(np.float32)


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (2, 2), the rotation and scaling M for which points @ M is nearest to `target` by least squares.

    It never mirrors: as a complex number, a point is turned and scaled by the factor that fits best. The orthogonal
    Procrustes problem admits reflections too, and takes one for a few faces that are seen from the side.

    Args:
      points, target: (n, 2) x, y, each with mean 0.
    """
    given, wanted = points @ (1, 1j), target @ (1, 1j)
    factor = np.vdot(given, wanted) / np.vdot(given, given)
    return np.array([[factor.real, factor.imag], [-factor.imag, factor.real]])


def _touch(box: Box, frame: Box) -> bool:
    return box.left < frame.right and box.top < frame.bottom and box.right > frame.left and box.bottom > frame.top
