"""Errors by where the label lies in the plane of valence and arousal (omg2019 table 7)."""

from collections.abc import Sequence

import numpy as np

from tfrecords_tools.records.schema import DIMENSIONS

# Valence and arousal, each from (inclusive) to (exclusive). Infinity stands for an end that is inclusive: no label is
# beyond it.
_TABLE_7 = {
    "V in [0, 1], A in [0, 0.5)": ((0, np.inf), (0, 0.5)),
    "V in [0, 1], A in [0.5, 1]": ((0, np.inf), (0.5, np.inf)),
    "V in [-1, 0), A in [0, 0.5)": ((-np.inf, 0), (0, 0.5)),
    "V in [-1, 0), A in [0.5, 1]": ((-np.inf, 0), (0.5, np.inf)),
    "V in [-1, 1], A in [0, 1]": ((-np.inf, np.inf), (0, np.inf)),
}
# 0 counts as positive, as in `training.balance`.
_QUADRANTS = {
    "V in [0, 1], A in [0, 1]": ((0, np.inf), (0, np.inf)),
    "V in [-1, 0), A in [0, 1]": ((-np.inf, 0), (0, np.inf)),
    "V in [0, 1], A in [-1, 0)": ((0, np.inf), (-np.inf, 0)),
    "V in [-1, 0), A in [-1, 0)": ((-np.inf, 0), (-np.inf, 0)),
}


def regions(labels: Sequence[np.ndarray], predictions: Sequence[np.ndarray]) -> tuple[list[dict], dict[str, str]]:
    """Return the mean squared error in each region, and why one has none.

    The regions are those of omg2019 table 7; where an arousal is negative, the four quadrants too.

    Args:
      labels: arrays (N, 2) of valence and arousal, all finite.
      predictions: the same shapes.

    Returns:
      Rows `{"region", "units", "mse": {"valence", "arousal", "mean"}}`, and reasons by "regions.<region>".
    """
    labels = np.concatenate([np.asarray(part, np.float64) for part in labels])
    squares = (labels - np.concatenate([np.asarray(part, np.float64) for part in predictions])) ** 2
    rows, undefined = [], {}
    for name, bounds in {**_TABLE_7, **(_QUADRANTS if (labels[:, 1] < 0).any() else {})}.items():
        low, high = np.transpose(bounds)
        inside = ((labels >= low) & (labels < high)).all(axis=1)
        mse = dict.fromkeys((*DIMENSIONS, "mean"))
        if inside.any():
            each = squares[inside].mean(axis=0)
            mse = dict(zip(mse, (*each.tolist(), float(each.mean())), strict=True))
        else:
            undefined[f"regions.{name}"] = "no label lies there"
        rows.append({"region": name, "units": int(inside.sum()), "mse": mse})
    return rows, undefined
