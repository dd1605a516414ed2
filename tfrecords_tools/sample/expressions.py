"""A portrait with an expression: its face warped, its skin folded, its mouth opened."""

from dataclasses import dataclass

import cv2
import numpy as np

from tfrecords_tools.sample.canvas import AXES, EYE_DISTANCE, FACE_HEIGHT, FACE_LEFT, FACE_TOP, FACE_WIDTH
from tfrecords_tools.sample.movement import displacement_fields, expression_offsets
from tfrecords_tools.sample.portraits import Portrait
from tfrecords_tools.sample.wrinkles import light_left, wrinkle_maps


@dataclass(frozen=True)
class Rig:
    """A portrait with the fields that move its face.

    Attributes:
      portrait: the neutral head.
      offsets: (8, 68, 2) canvas pixels, from `expression_offsets`.
      fields: (8, rows, columns, 2) float32 canvas pixels, from `displacement_fields`.
      wrinkles: from `wrinkle_maps`, times how much this skin folds.
    """

    portrait: Portrait
    offsets: np.ndarray
    fields: np.ndarray
    wrinkles: np.ndarray


def rig(portrait: Portrait, folding: float = 1.0) -> Rig:
    """Return a portrait with its displacement fields and wrinkles, which serve all frames.

    Args:
      folding: how much its skin folds, from 0 to 1.
    """
    landmarks = portrait.landmarks
    offsets = expression_offsets(landmarks)
    fields = displacement_fields(_parted_lips(landmarks), offsets)
    return Rig(portrait, offsets, fields, folding * wrinkle_maps(portrait.image, landmarks))


def _parted_lips(landmarks: np.ndarray) -> np.ndarray:
    # The lips of a closed mouth coincide, but only one of them is to move.
    parted = landmarks.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        missing = max(0.0, 0.04 * EYE_DISTANCE - (parted[lower, 1] - parted[upper, 1]))
        parted[upper, 1] -= missing / 2
        parted[lower, 1] += missing / 2
    return parted


def express(rig: Rig, coefficients: np.ndarray) -> np.ndarray:
    """Return the portrait with an expression: (460, 560, 4) uint8, RGB and opacity.

    Args:
      rig: the portrait and its fields.
      coefficients: (8,) float, in the order of AXES; about -1 to 1.
    """
    # Not a matrix product, whose threads would compete with those of the other processes.
    shift = np.einsum("a,ahwc->hwc", coefficients.astype(np.float32), rig.fields)
    shift = cv2.resize(shift, (FACE_WIDTH, FACE_HEIGHT), interpolation=cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(FACE_WIDTH, dtype=np.float32), np.arange(FACE_HEIGHT, dtype=np.float32))
    rows, columns = slice(FACE_TOP, FACE_TOP + FACE_HEIGHT), slice(FACE_LEFT, FACE_LEFT + FACE_WIDTH)
    image = rig.portrait.image.copy()
    left = light_left(rig.wrinkles, coefficients, rig.portrait.rest)
    neutral = cv2.multiply(image[rows, columns], cv2.merge([left, left, left, np.ones_like(left)]), dtype=cv2.CV_8U)
    image[rows, columns] = cv2.remap(
        neutral, x - shift[..., 0], y - shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if coefficients[AXES.index("open")] > 0:
        _paint_mouth(image, rig, coefficients)
    return image


def _paint_mouth(image: np.ndarray, rig: Rig, coefficients: np.ndarray) -> None:
    """Darken, in `image`, the gap that the lower lip leaves and that stretched lips would fill."""
    landmarks = rig.portrait.landmarks
    moved = landmarks + np.einsum("a,alc->lc", coefficients, rig.offsets)
    upper, lower = [60, 61, 62, 63, 64], [60, 67, 66, 65, 64]
    # Teeth that the portrait shows belong to the upper jaw: the gap starts below them.
    outline = np.concatenate([moved[upper] + landmarks[lower] - landmarks[upper], moved[lower[::-1]]])
    left, top, width, height = cv2.boundingRect(np.round(outline).astype(np.int32))
    left, top, width, height = left - 8, top - 8, width + 16, height + 16  # room for the feather
    gap = np.zeros((height, width), np.uint8)
    cv2.fillPoly(gap, [np.round((outline - (left, top)) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    opacity = cv2.GaussianBlur(gap, (0, 0), 1.2)[..., None] / 255 * min(1.0, 5 * coefficients[AXES.index("open")])
    mouth = image[top : top + height, left : left + width, :3]
    x, y = np.round(moved[30]).astype(int)
    inside = image[y, x, :3] * (0.26, 0.12, 0.12)  # in proportion to the light on the nose
    mouth[...] = np.round(mouth * (1 - opacity) + inside * opacity).astype(np.uint8)
