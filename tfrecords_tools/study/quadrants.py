"""The quadrants of the valence-arousal plane: the quadrant of a label, and the shares of the four."""

import numpy as np

from tfrecords_tools.records.schema import is_labelled

# Signs of valence and arousal, in the order in which the papers give their shares.
QUADRANTS = ("V+A+", "V-A+", "V+A-", "V-A-")


def quadrant_of(labels: np.ndarray) -> np.ndarray:
    """Return (n,) int64, the index in `QUADRANTS` of each of (n, 2) labels, -1 where there is none.

    0 counts as positive; the papers do not say.
    """
    labels = np.asarray(labels)
    found = (labels[:, 0] < 0) + 2 * (labels[:, 1] < 0).astype(np.int64)
    return np.where(is_labelled(labels), found, -1)


def count_quadrants(quadrants: np.ndarray) -> np.ndarray:
    """Return (4,) int64, how often each quadrant occurs in (n,) indices, without -1."""
    return np.bincount(quadrants[quadrants >= 0], minlength=len(QUADRANTS))


def shares(counts: np.ndarray, repeats: np.ndarray | None = None) -> np.ndarray:
    """Return (4,) the quadrants' shares of all frames in (n, 4) counts; row i counts `repeats[i]` times (None: once).

    Without frames, all are 0.
    """
    total = (counts if repeats is None else counts * repeats[:, None]).sum(axis=0)
    return total / max(total.sum(), 1)
