"""Where one unit of each axis of the expression moves the landmarks, and with them the pixels around them."""

import numpy as np

from tfrecords_tools.sample.canvas import AXES, EYE_DISTANCE, EYES, FACE_HEIGHT, FACE_LEFT, FACE_TOP, FACE_WIDTH

FIELD_STEP = 4  # pixels between the points of the grid that holds the displacements, which are smooth

MOUTH_CORNERS = {48: 1.0, 60: 1.0, 49: 0.5, 59: 0.5, 54: 1.0, 64: 1.0, 53: 0.5, 55: 0.5}
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)  # paired: one above the other
JAW_DROP = {4: 0.1, 5: 0.35, 6: 0.65, 7: 0.85, 8: 0.9, 9: 0.85, 10: 0.65, 11: 0.35, 12: 0.1}
LOWER_LIP = {48: 0.3, 60: 0.35, 59: 0.75, 58: 1.0, 57: 1.0, 56: 1.0, 55: 0.75, 54: 0.3, 64: 0.35}
DEPTHS = {27: 0.5, 28: 0.7, 29: 0.9, 30: 1.0, 31: 0.7, 32: 0.8, 33: 0.85, 34: 0.8, 35: 0.7}  # of the nose


def expression_offsets(landmarks: np.ndarray) -> np.ndarray:
    """Return what one unit of each expression axis adds to the landmarks.

    Args:
      landmarks: (68, 2) canvas pixels of the neutral face.

    Returns:
      (8, 68, 2) canvas pixels, in the order of AXES; y points down. `lids` at 1 closes the eyes.
    """
    smile, frown, lids, opened, brow, pucker, yaw, pitch = offsets = np.zeros((len(AXES), 68, 2))
    outwards = np.sign(landmarks[:, 0] - landmarks[33, 0])
    for point, weight in MOUTH_CORNERS.items():
        smile[point] = weight * 0.06 * outwards[point], weight * -0.1
        pucker[point] = weight * -0.06 * outwards[point], 0
    for point in (51, 57, 62, 66):
        smile[point] = 0, 0.02
    for point in LOWER_LIDS:
        smile[point] = 0, -0.02
    for point, inwards, down in ((21, 0.04, 0.06), (22, -0.04, 0.06), (20, 0.03, 0.04), (23, -0.03, 0.04)):
        frown[point] = inwards, down
    frown[[17, 26], 1] = -0.02
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        aperture = (landmarks[lower, 1] - landmarks[upper, 1]) / EYE_DISTANCE
        lids[upper, 1], lids[lower, 1] = 0.8 * aperture, -0.2 * aperture
    for point, weight in {**JAW_DROP, **LOWER_LIP, 65: 1.0, 66: 1.0, 67: 1.0}.items():
        opened[point, 1] = 0.17 * weight
    for point in (48, 60, 54, 64):
        opened[point, 0] = -0.02 * outwards[point]
    brow[17:27, 1] = -0.08, -0.09, -0.09, -0.09, -0.08, -0.08, -0.09, -0.09, -0.09, -0.08
    depth = np.zeros(68)
    depth[17:48], depth[48:] = 0.4, 0.6
    depth[list(DEPTHS)] = list(DEPTHS.values())
    yaw[:, 0] = pitch[:, 1] = 0.15 * depth
    return offsets * EYE_DISTANCE


def displacement_fields(landmarks: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return landmark offsets interpolated over the face's part of the canvas with thin-plate splines.

    A field is linear in the offsets, so that one per axis serves all frames. It fades to 0 towards the border.

    Args:
      landmarks: (68, 2) canvas pixels.
      offsets: (axes, 68, 2) canvas pixels.

    Returns:
      (axes, FACE_HEIGHT / FIELD_STEP, FACE_WIDTH / FIELD_STEP, 2) float32 canvas pixels.
    """
    centre = np.array([EYES[0], EYES[1] + 0.5 * EYE_DISTANCE])
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angles), 1.15 * np.sin(angles)], 1) * 1.45 * EYE_DISTANCE + centre
    points = np.concatenate([landmarks, ring]) / EYE_DISTANCE
    values = np.concatenate([offsets, np.zeros((len(offsets), len(ring), 2))], 1)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    # Landmarks of a closed mouth almost coincide: some smoothing keeps the spline from overshooting there.
    system[:count, :count] = _thin_plate(points, points) + 5e-4 * np.eye(count)
    system[:count, count:] = np.c_[points, np.ones(count)]
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, len(offsets) * 2))
    right[:count] = values.transpose(1, 0, 2).reshape(count, -1)
    weights = np.linalg.solve(system, right)

    x = FACE_LEFT + FIELD_STEP * (np.arange(FACE_WIDTH // FIELD_STEP) + 0.5) - 0.5
    y = FACE_TOP + FIELD_STEP * (np.arange(FACE_HEIGHT // FIELD_STEP) + 0.5) - 0.5
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    fields = np.c_[_thin_plate(grid / EYE_DISTANCE, points), grid / EYE_DISTANCE, np.ones(len(grid))] @ weights
    distance = np.linalg.norm((grid - centre) / (1.0, 1.15), axis=1) / EYE_DISTANCE
    fields *= np.clip((1.65 - distance) / 0.25, 0, 1)[:, None]
    return fields.reshape(len(y), len(x), len(offsets), 2).transpose(2, 0, 1, 3).astype(np.float32)


def _thin_plate(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squared = ((points[:, None] - centres[None]) ** 2).sum(-1)
    return squared * np.log(squared + 1e-12)
