"""The lines that an expression draws on the skin, as maps of darkness over the face's part of the canvas.

A smile deepens the folds between nose and mouth and those beside the eyes; corners of the mouth that go down draw lines
below them; raised brows fold the forehead, drawn brows the skin between them. They follow the same coefficients as the
landmarks, so that they say nothing about the labels that the movement does not say.
"""

import cv2
import numpy as np

from tfrecords_tools.sample.canvas import AXES, EYE_DISTANCE, FACE_HEIGHT, FACE_LEFT, FACE_TOP, FACE_WIDTH

STEP = 2  # canvas pixels between the points of a map
# What deepens each map: the axis of the expression, and in which direction from the neutral face.
CAUSES = (("smile", 1), ("smile", -1), ("brow", 1), ("frown", 1))
DEEPEST = 1.3  # coefficient from which on a line is not darker
DARKNESS = 0.34  # share of the light that the deepest part of a line loses at coefficient 1, of a clip with most lines
WIDTH = 0.035  # of a line, in eye distances


def wrinkle_maps(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return (4, FACE_HEIGHT / STEP, FACE_WIDTH / STEP) float32, the light lost at coefficient 1, by `CAUSES`.

    Args:
      image: (460, 560, 4) uint8, RGB and opacity; lines are drawn on its skin and not on hair or glasses.
      landmarks: (68, 2) canvas pixels.
    """
    skin = _skin(image, landmarks)
    maps = [_drawn(lines) * skin for lines in (_laughing(landmarks), _sagging(landmarks), *_brows(landmarks))]
    return DARKNESS * np.stack(maps).astype(np.float32)


def light_left(maps: np.ndarray, coefficients: np.ndarray, rest: dict[str, float]) -> np.ndarray:
    """Return (FACE_HEIGHT, FACE_WIDTH) float32, the share of the light that the lines of an expression leave.

    Args:
      maps: from `wrinkle_maps`, times how much the clip's skin folds.
      coefficients: (8,) of the expression, in the order of AXES.
      rest: those of the neutral face by axis, where nothing is folded.
    """
    depths = [
        np.clip(sign * (coefficients[AXES.index(axis)] - rest.get(axis, 0.0)), 0, DEEPEST) for axis, sign in CAUSES
    ]
    lost = np.einsum("m,mhw->hw", np.array(depths, np.float32), maps)
    return cv2.resize(1 - np.minimum(lost, 0.6), (FACE_WIDTH, FACE_HEIGHT), interpolation=cv2.INTER_LINEAR)


def _laughing(landmarks: np.ndarray) -> list[np.ndarray]:
    lines = []
    for wing, corner, eye, outwards in ((31, 48, 36, -1), (35, 54, 45, 1)):
        begin, end = landmarks[wing] + _at(0.05 * outwards, -0.03), landmarks[corner] + _at(0.11 * outwards, 0.03)
        lines.append(_arc(begin, end, _at(0.05 * outwards, -0.02)))
        for down in (-0.09, 0.0, 0.09):
            start = landmarks[eye] + _at(0.09 * outwards, 0.35 * down)
            lines.append(_arc(start, start + _at(0.15 * outwards, down), _at(0, 0.01)))
    return lines


def _sagging(landmarks: np.ndarray) -> list[np.ndarray]:
    lines = []
    for corner, outwards in ((48, -1), (54, 1)):
        start = landmarks[corner] + _at(0.03 * outwards, 0.03)
        lines.append(_arc(start, start + _at(0.06 * outwards, 0.2), _at(0.03 * outwards, 0)))
    return lines


def _brows(landmarks: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    left, right = landmarks[18], landmarks[25]
    above = [_arc(left - _at(0, up), right - _at(0, up), _at(0, -0.05)) for up in (0.12, 0.2, 0.28)]
    middle = (landmarks[21] + landmarks[22]) / 2
    between = [_arc(middle + _at(x, 0.06), middle + _at(0.8 * x, -0.14), _at(0.3 * x, 0)) for x in (-0.06, 0.06)]
    return above, between


def _at(x: float, y: float) -> np.ndarray:
    return np.array([x, y]) * EYE_DISTANCE


def _arc(begin: np.ndarray, end: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Return (12, 2) points from `begin` to `end`, the middle of which is off the straight line by `bend`."""
    along = np.linspace(0, 1, 12)[:, None]
    return begin + along * (end - begin) + 4 * along * (1 - along) * bend


def _drawn(lines: list[np.ndarray]) -> np.ndarray:
    """Return (FACE_HEIGHT / STEP, FACE_WIDTH / STEP), dark lines with a lighter rim, about 1 where they are deepest."""
    canvas = np.zeros((FACE_HEIGHT // STEP, FACE_WIDTH // STEP))
    width = WIDTH * EYE_DISTANCE / STEP
    for line in lines:
        points = np.round((line - (FACE_LEFT, FACE_TOP)) / STEP * 16).astype(np.int32)
        cv2.polylines(canvas, [points], False, 1.0, max(1, round(width)), cv2.LINE_8, shift=4)
    fold, rim = (cv2.GaussianBlur(canvas, (0, 0), blur * width) for blur in (0.6, 2.0))
    return 1.3 * fold - 0.7 * rim


def _skin(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return (FACE_HEIGHT / STEP, FACE_WIDTH / STEP) in [0, 1], how much a place has the colour of the cheeks."""
    face = image[FACE_TOP : FACE_TOP + FACE_HEIGHT, FACE_LEFT : FACE_LEFT + FACE_WIDTH, :3]
    lab = cv2.cvtColor(cv2.GaussianBlur(face, (0, 0), 2), cv2.COLOR_RGB2LAB)[::STEP, ::STEP].astype(np.float32)
    cheeks = (landmarks[[1, 15]] + 2 * landmarks[[31, 35]]) / 3 - (FACE_LEFT, FACE_TOP)
    colours = [lab[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3) for x, y in np.round(cheeks / STEP).astype(int)]
    difference = (lab - np.median(np.concatenate(colours), axis=0)) * (0.5, 1, 1)
    return cv2.GaussianBlur(np.exp(-((np.linalg.norm(difference, axis=2) / 30) ** 2)), (0, 0), 1.5)
