"""How alike two faces look: the colour histograms by which the thesis (section 3.2.2) tells a face from the others."""

import cv2
import numpy as np

from tfrecords_tools.faces import Box, crop_around

BINS = 16  # each, of hue and of saturation
INNER = 0.7  # the share of the box that is looked at: what surrounds a face changes as it moves
SIDE = 32  # pixels; the box is shrunk to it first, which averages the noise out


def histogram(image: np.ndarray, box: Box) -> np.ndarray:
    """Returns (256,) float32 shares of the colours in a box; they sum to 1, or are all 0 outside the image.

    Hue and saturation, not the RGB channels of the thesis: light and shade move those within one video as far as
    another face does.

    Args:
      image: (height, width, 3) uint8 RGB.
      box: a face in the image's pixels.
    """
    inner, _, _ = crop_around(image, box, INNER)
    if not inner.size:
        return np.zeros(BINS * BINS, np.float32)
    small = cv2.resize(inner, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    return cv2.calcHist([colours], [0, 1], None, [BINS, BINS], [0, 180, 0, 256]).ravel() / SIDE**2


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Bhattacharyya coefficient of two histograms: 1 where they are the same, 0 where they share no colour."""
    return float(np.sqrt(one * other).sum())
