"""The quadrants of the valence-arousal plane: which one a label lies in, and their shares."""

import numpy as np

from tfrecords_tools.records.schema import is_labelled

# Signs of valence and arousal, in the order in which the papers give their shares.
QUADRANTS = ("V+A+", "V-A+", "V+A-", "V-A-")


def quadrant_of(labels: np.ndarray) -> np.ndarray:
    """Return (n,) int64, the index in `QUADRANTS` of (n, 2) valence and arousal, -1 where one of them is NaN.

    0 counts as positive; the papers do not say what it is.
    """
    labels = np.asarray(labels)
    found = (labels[:, 0] < 0) + 2 * (labels[:, 1] < 0).astype(np.int64)
    return np.where(is_labelled(labels), found, -1)


def count_quadrants(quadrants: np.ndarray) -> np.ndarray:
    """Return (4,) int64, the number of each quadrant in (n,) indices; -1 is not counted."""
    return np.bincount(quadrants[quadrants >= 0], minlength=len(QUADRANTS))


def shares(counts: np.ndarray, repeats: np.ndarray | None = None) -> np.ndarray:
    """Return (4,) the quadrants' shares of all frames in (n, 4) counts, row i used `repeats[i]` times (once, if None).

    All are 0 where there is no frame.
    """
    total = (counts if repeats is None else counts * repeats[:, None]).sum(axis=0)
    return total / max(total.sum(), 1)
