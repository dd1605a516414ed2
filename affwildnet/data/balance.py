"""Balance by repetition: how often each window is used, so that the quadrants get the wanted shares.

The networks of ijcv2019 (section 4.2.1, D) and cvprw2017 (section 2.1) were trained on a set that repeats consecutive
frames of two quadrants of the valence-arousal plane, V-A- and V+A-. Here nothing is copied: a window is read several
times, and one of any quadrant may be, where the shares ask for it.
"""

from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.study.quadrants import QUADRANTS

PAPER_SHARES = (0.43, 0.24, 0.19, 0.14)
# The most often that a window is used: the papers ask not to change "severely" what the videos show.
MOST_REPEATS = 10

# Weight of a missed share against repetition: high enough that a share within reach is met to 1e-4.
_STIFFNESS = 1e5
# Weights are kept in whole multiples of 1 / _PARTS, so that their sums do not depend on the order of summation.
_PARTS = 1024


def check_targets(targets: Sequence[float], frames: np.ndarray) -> None:
    """Raise a `UserError` unless `targets` are shares that repetition can aim at.

    Args:
      targets: wanted shares in the order of `QUADRANTS`.
      frames: (4,) number of labelled frames of each quadrant.
    """
    names, given = ", ".join(QUADRANTS), ",".join(f"{target:g}" for target in targets)
    if len(targets) != len(QUADRANTS):
        raise UserError(f"`training.balance` must be four shares, of {names}. Received: {given}")
    if not all(0 < target < 1 for target in targets) or abs(sum(targets) - 1) > 0.01:
        raise UserError(f"`training.balance` must be shares above 0 that sum to 1, of {names}. Received: {given}")
    for name, number in zip(QUADRANTS, frames, strict=True):
        if not number:
            raise UserError(
                f"`training.balance` repeats frames of each quadrant. Received: a split without a labelled frame of "
                f"{name}. Train without it (--set training.balance=)."
            )


def repeats(
    counts: np.ndarray, targets: Sequence[float], rng: np.random.Generator, most: int = MOST_REPEATS
) -> np.ndarray:
    """Return (n,) int64, from 1 to `most`: how often each window is used to bring the shares near `targets`.

    Where the targets can be met, these are the numbers nearest to 1 (least squares) that meet them. Where they cannot,
    because quadrants share windows or `most` is too low, they are the numbers that come nearest. A fraction is rounded
    up in the matching share of equal windows; `rng` chooses which.

    Args:
      counts: (n, 4) int64, labelled frames of each quadrant in each window.
      targets: wanted shares in the order of `QUADRANTS`.
      rng: decides the rounding, and nothing else.
      most: upper limit of a window's number.
    """
    if not len(counts):
        return np.zeros(0, np.int64)
    kinds, kind, number = _grouped(np.asarray(counts, np.int64))
    parts = np.rint(_weights(kinds, number, np.array(targets) / np.sum(targets), most) * _PARTS).astype(np.int64)
    # Equal windows stand together, in random order: rounding keeps the sum of each group, and so of each quadrant.
    order = np.lexsort((rng.random(len(counts)), kind, kinds.argmax(axis=1)[kind]))
    ends = np.cumsum(parts[kind[order]]) + rng.integers(_PARTS)
    result = np.empty(len(counts), np.int64)
    result[order] = np.diff(ends // _PARTS, prepend=(ends[0] - parts[kind[order[0]]]) // _PARTS)
    return result


def summary(before: np.ndarray, after: np.ndarray) -> str:
    """Return a line such as "V+A+ 65.0 -> 43.0 %, ..." for (4,) shares before and after."""
    pairs = zip(QUADRANTS, before, after, strict=True)
    return ", ".join(f"{name} {100 * old:.1f} -> {100 * new:.1f} %" for name, old, new in pairs)


def _grouped(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (k, 4) distinct rows, (n,) index of each row among them, and (k,) how many rows there are of each."""
    # One number for each row: np.unique with an axis takes seconds for a million frames.
    base = counts.max() + 1
    if base < 50_000:
        code = ((counts[:, 0] * base + counts[:, 1]) * base + counts[:, 2]) * base + counts[:, 3]
        _, first, kind, number = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
        return counts[first], kind, number
    kinds, kind, number = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    return kinds, kind.reshape(-1), number


def _weights(kinds: np.ndarray, number: np.ndarray, targets: np.ndarray, most: int) -> np.ndarray:
    """Return (k,) float64 in [1, most] for (k, 4) kinds of windows, of which there are (k,) `number`.

    Minimise the mean of (w - 1)^2 / 2 plus the squared distance of the used frames from the targets, weighted by
    `_STIFFNESS`, through the dual, which has four variables for any number of windows.
    """
    from scipy.optimize import minimize

    share = number / number.sum()
    excess = kinds - targets * kinds.sum(axis=1, keepdims=True)  # frames of a window beyond the wanted ones
    excess = excess / max(share @ kinds.sum(axis=1), 1)

    def weights(prices):
        return np.clip(1 - excess @ prices, 1, most)

    def dual(prices):
        w = weights(prices)
        value = share @ ((w - 1) ** 2 / 2 + w * (excess @ prices)) - prices @ prices / (2 * _STIFFNESS)
        return -value, prices / _STIFFNESS - (share * w) @ excess

    limits = {"maxiter": 5000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-10}
    return weights(minimize(dual, np.zeros(4), jac=True, method="L-BFGS-B", options=limits).x)
