"""Other faces from a portrait: other proportions, skin, hair and clothes."""

from dataclasses import replace

import cv2
import numpy as np

from tfrecords_tools.records import schema
from tfrecords_tools.sample.canvas import (
    AXES,
    CANVAS,
    EYE_DISTANCE,
    EYES,
    FACE_HEIGHT,
    FACE_LEFT,
    FACE_TOP,
    FACE_WIDTH,
)
from tfrecords_tools.sample.movement import displacement_fields, expression_offsets
from tfrecords_tools.sample.portraits import Portrait

# How much the two portraits lend each other, at most: of the proportions of the face, and of its skin.
SHAPE, SKIN = 0.6, 0.7


def vary_identity(portrait: Portrait, rng: np.random.Generator, other: Portrait | None = None) -> Portrait:
    """Return a portrait with another face: other proportions, skin, hair and clothes, perhaps mirrored.

    Args:
      portrait: whose hair, glasses, mouth and clothes are kept.
      rng: draws all that varies.
      other: lends a share of its proportions and of its skin.
    """
    if other is not None:
        portrait = _blended(portrait, other, rng.uniform(0, SHAPE), rng.uniform(0, SKIN))
    image, landmarks = portrait.image, portrait.landmarks
    x, y = np.meshgrid(np.arange(CANVAS[0], dtype=np.float64), np.arange(CANVAS[1], dtype=np.float64))
    across, down = rng.normal(0, (0.05, 0.04, 0.05, 0.01)), rng.normal(0, (0.04, 0.05, 0.03, 0.04))
    across, down = across.clip(-0.07, 0.07), down.clip(-0.07, 0.07)

    def shift(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, q = (x - EYES[0]) / EYE_DISTANCE, (y - EYES[1]) / EYE_DISTANCE - 0.5
        fade = EYE_DISTANCE * np.exp(-(((p**2 + 0.75 * q**2) / 2.2) ** 2))
        return (
            fade * (across[0] * p + across[1] * p * q + across[2] * p * (p**2 - 0.5) + across[3] * q),
            fade * (down[0] * q + down[1] * (q**2 - 0.4) + down[2] * p**2 + down[3] * q * (q**2 - 0.5)),
        )

    shift_x, shift_y = shift(x, y)
    image = cv2.remap(image, (x - shift_x).astype(np.float32), (y - shift_y).astype(np.float32), cv2.INTER_CUBIC)
    moved = landmarks
    for _ in range(20):
        moved = landmarks + np.stack(shift(moved[:, 0], moved[:, 1]), 1)
    image = _vary_colours(image, portrait.collar, rng)
    if rng.random() < 0.5:
        image, moved = _mirrored(image, moved)
    return Portrait(image, moved, portrait.rest, portrait.collar)


def _blended(portrait: Portrait, other: Portrait, shape: float, skin: float) -> Portrait:
    """Return a portrait with a share of another one's proportions and of the skin of its cheeks, nose and chin."""
    lent = displacement_field(portrait.landmarks, other.landmarks - portrait.landmarks)
    x, y = np.meshgrid(np.arange(CANVAS[0], dtype=np.float32), np.arange(CANVAS[1], dtype=np.float32))
    borrowed = cv2.remap(other.image[..., :3], x + lent[..., 0], y + lent[..., 1], cv2.INTER_LINEAR)
    opacity = _bare_skin(portrait.landmarks)
    colours = portrait.image[..., :3].astype(np.float32)
    borrowed = _matched(borrowed.astype(np.float32), colours, opacity)
    image = portrait.image.copy()
    image[..., :3] = np.round(colours + skin * opacity[..., None] * (borrowed - colours)).clip(0, 255)
    neutral = [_neutral_landmarks(each) for each in (portrait, other)]
    offsets = shape * (neutral[1] - neutral[0])
    moved = displacement_field(portrait.landmarks, offsets)
    image = cv2.remap(image, x - moved[..., 0], y - moved[..., 1], cv2.INTER_CUBIC)
    return replace(portrait, image=image, landmarks=portrait.landmarks + offsets)


def displacement_field(landmarks: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return (460, 560, 2) float32, offsets of the landmarks interpolated over the canvas; 0 away from the face."""
    (field,) = displacement_fields(landmarks, offsets[None])
    whole = np.zeros((CANVAS[1], CANVAS[0], 2), np.float32)
    face = cv2.resize(field, (FACE_WIDTH, FACE_HEIGHT), interpolation=cv2.INTER_LINEAR)
    whole[FACE_TOP : FACE_TOP + FACE_HEIGHT, FACE_LEFT : FACE_LEFT + FACE_WIDTH] = face
    return whole


def _neutral_landmarks(portrait: Portrait) -> np.ndarray:
    rest = np.array([portrait.rest.get(axis, 0.0) for axis in AXES])
    return portrait.landmarks + np.einsum("a,alc->lc", rest, expression_offsets(portrait.landmarks))


def _bare_skin(landmarks: np.ndarray) -> np.ndarray:
    """Return (460, 560) float32 in [0, 1]: 1 on cheeks, nose and chin; 0 on eyes, brows and mouth, and off the face."""
    mask = np.zeros(CANVAS[::-1], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(landmarks[:27]).astype(np.int32)), 1.0)
    mask = cv2.erode(mask, np.ones((9, 9)))
    for points, margin in ((landmarks[17:27], 0.09), (landmarks[36:48], 0.36), (landmarks[48:60], 0.1)):
        hull = cv2.convexHull(np.round(points).astype(np.int32))
        cv2.polylines(mask, [hull], True, 0.0, round(2 * margin * EYE_DISTANCE))
        cv2.fillConvexPoly(mask, hull, 0.0)
    return cv2.GaussianBlur(mask, (0, 0), 4)


def _matched(image: np.ndarray, to: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return an image with the mean colour of another one where `where` is large."""
    return image + np.average(to - image, axis=(0, 1), weights=np.repeat(where[..., None], 3, 2))


def _vary_colours(image: np.ndarray, collar: float, rng: np.random.Generator) -> np.ndarray:
    colours = image[..., :3].astype(np.float32) / 255
    clothes = np.clip((np.arange(CANVAS[1]) - EYES[1] - collar * EYE_DISTANCE) / 25, 0, 1)[:, None, None]
    hue = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2HSV)
    hue[..., 0] = (hue[..., 0].astype(int) + rng.integers(180)) % 180
    dyed = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB).astype(np.float32) / 255
    tone = rng.uniform(0.62, 1.08) * np.array([1.0, rng.uniform(0.92, 1.04), rng.uniform(0.88, 1.1)])
    toned = tone * colours ** rng.uniform(0.75, 1.2)
    mixed = toned * (1 - clothes) + dyed * clothes
    return np.dstack([np.round(mixed.clip(0, 1) * 255).astype(np.uint8), image[..., 3]])


def _mirrored(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flipped = landmarks[list(schema.MIRRORED)] * (-1, 1) + (CANVAS[0] - 1, 0)
    return np.ascontiguousarray(image[:, ::-1]), flipped
