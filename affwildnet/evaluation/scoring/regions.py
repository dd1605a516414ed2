"""Errors by where the label lies in the plane of valence and arousal (omg2019 table 7)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affwildnet.metrics import WITH_MEAN

# Why a region has no error.
EMPTY = "no label lies there"
# Valence and arousal, each from (inclusive) to (exclusive). Infinity makes an end inclusive: no label lies beyond it.
_TABLE_7 = {
    "V in [0, 1], A in [0, 0.5)": ((0, np.inf), (0, 0.5)),
    "V in [0, 1], A in [0.5, 1]": ((0, np.inf), (0.5, np.inf)),
    "V in [-1, 0), A in [0, 0.5)": ((-np.inf, 0), (0, 0.5)),
    "V in [-1, 0), A in [0.5, 1]": ((-np.inf, 0), (0.5, np.inf)),
    "V in [-1, 1], A in [0, 1]": ((-np.inf, np.inf), (0, np.inf)),
}
# 0 counts as positive, as where training windows are balanced.
_QUADRANTS = {
    "V in [0, 1], A in [0, 1]": ((0, np.inf), (0, np.inf)),
    "V in [-1, 0), A in [0, 1]": ((-np.inf, 0), (0, np.inf)),
    "V in [0, 1], A in [-1, 0)": ((0, np.inf), (-np.inf, 0)),
    "V in [-1, 0), A in [-1, 0)": ((-np.inf, 0), (-np.inf, 0)),
}


@dataclass(frozen=True)
class RegionError:
    """The mean squared error over the labels in one part of the plane.

    Attributes:
      region: such as "V in [0, 1], A in [0, 0.5)".
      units: how many frames or utterances have their label there.
      mse: `valence`, `arousal` and `mean`; None where no label lies there.
    """

    region: str
    units: int
    mse: dict[str, float | None]

    def to_json(self) -> dict:
        return dict(vars(self))


def regions(labels: Sequence[ArrayLike], predictions: Sequence[ArrayLike]) -> tuple[RegionError, ...]:
    """Return the mean squared error in each region.

    The regions are those of omg2019 table 7; where an arousal is negative, the four quadrants too.

    Args:
      labels: arrays (N, 2) of valence and arousal, all finite.
      predictions: the same shapes.
    """
    labels = np.concatenate([np.asarray(part, np.float64) for part in labels])
    squares = (labels - np.concatenate([np.asarray(part, np.float64) for part in predictions])) ** 2
    found = []
    for name, bounds in {**_TABLE_7, **(_QUADRANTS if (labels[:, 1] < 0).any() else {})}.items():
        low, high = np.transpose(bounds)
        inside = ((labels >= low) & (labels < high)).all(axis=1)
        mse = dict.fromkeys(WITH_MEAN)
        if inside.any():
            each = squares[inside].mean(axis=0)
            mse = dict(zip(WITH_MEAN, (*each.tolist(), float(each.mean())), strict=True))
        found.append(RegionError(name, int(inside.sum()), mse))
    return tuple(found)
