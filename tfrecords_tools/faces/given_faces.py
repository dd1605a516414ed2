"""Faces that come with a dataset: which of them are faces of their frame, and where they lie in square pixels."""

import numpy as np

from tfrecords_tools.faces.boxes import Box

# Share of a box that must lie in its frame: of less, nothing that could be read is seen.
LEAST_SEEN = 0.1
# Largest side of a box, in sides of the frame: a face that close is not seen, and the crop would fill the memory.
MAX_SIDES = 4


def is_face(box: Box, landmarks: np.ndarray | None, size: tuple[int, int]) -> bool:
    """Return whether a box and its landmarks can be those of a face in a frame.

    Datasets mark frames without a face by boxes outside of the frame, or by landmarks that are all 0 or -1.

    Args:
      box: in pixels.
      landmarks: (68, 2) in pixels; None where they do not come with the dataset.
      size: width and height of the frame in pixels.
    """
    sides = (box.right - box.left, box.bottom - box.top)
    if not (np.isfinite(sides).all() and min(sides) >= 1 and max(sides) <= MAX_SIDES * max(size)):
        return False
    if not _is_seen(box, size):
        return False
    if landmarks is None:
        return True
    if not np.isfinite(landmarks).all():
        return False
    (left, top), (right, bottom) = landmarks.min(0), landmarks.max(0)
    return min(right - left, bottom - top) >= 1 and _is_seen(Box(left, top, right, bottom), size)


def _is_seen(box: Box, size: tuple[int, int]) -> bool:
    width = min(box.right, size[0]) - max(box.left, 0)
    height = min(box.bottom, size[1]) - max(box.top, 0)
    return max(0.0, width) * max(0.0, height) >= LEAST_SEEN * box.area


def in_square_pixels(
    box: Box, landmarks: np.ndarray | None, scale: tuple[float, float]
) -> tuple[Box, np.ndarray | None]:
    """Return a box and landmarks of a frame as it is coded, in the frame whose pixels were made square.

    Args:
      box, landmarks: in coded pixels.
      scale: factors of width and height, see `video.reading.Frame`.
    """
    if scale == (1.0, 1.0):
        return box, landmarks
    across, down = scale
    scaled = Box(box.left * across, box.top * down, box.right * across, box.bottom * down)
    # Whole numbers are the centres of pixels.
    return scaled, None if landmarks is None else ((landmarks + 0.5) * scale - 0.5).astype(np.float32)
