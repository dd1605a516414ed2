"""How reliable ratings are: intraclass correlations, Krippendorff's alpha, and the CCC of each pair of raters.

Ratings are (n, A): a row for each frame, a column for each rater, NaN where a rater has none. What is not defined (no
variance, fewer than two raters or three frames) is None.
"""

from dataclasses import dataclass

import numpy as np

_FEWEST_FRAMES = 3


@dataclass(frozen=True)
class Reliability:
    """Measures of one set of ratings.

    Attributes:
      icc_2_1: ICC(2,1), two-way random effects, absolute agreement of a single rater (Shrout and Fleiss 1979).
      icc_2_k: ICC(2,k), the same of the mean of the raters.
      icc_3_k: ICC(3,k), two-way mixed effects, consistency of the mean of the raters.
      alpha: Krippendorff's alpha with the interval metric, on frames with two raters or more.
    """

    icc_2_1: float | None
    icc_2_k: float | None
    icc_3_k: float | None
    alpha: float | None


def reliability(ratings: np.ndarray) -> Reliability:
    """Return the measures of (n, A) ratings; the ICCs are of the frames that all raters have rated.

    Example:
        >>> ratings = np.array([[1.0, 2], [2, 3], [3, 4], [4, 5]])
        >>> round(reliability(ratings).icc_3_k, 3)
        1.0
    """
    return Reliability(*_intraclass(ratings), _alpha(ratings))


def pairwise_ccc(ratings: np.ndarray) -> np.ndarray:
    """Return (A, A) concordance correlation coefficients of (n, A) ratings, NaN where not defined."""
    raters = ratings.shape[1]
    found = np.full((raters, raters), np.nan)
    for a in range(raters):
        for b in range(a, raters):
            both = ~np.isnan(ratings[:, [a, b]]).any(axis=1)
            if both.sum() < _FEWEST_FRAMES:
                continue
            x, y = ratings[both][:, [a, b]].astype(np.float64).T
            spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
            if spread > 0:
                found[a, b] = found[b, a] = 2 * np.mean((x - x.mean()) * (y - y.mean())) / spread
    return found


def outliers(matrix: np.ndarray, names: list[str], below: float = 0.3) -> list[str]:
    """Return the raters whose mean correlation with the others lies `below` the median rater's by so much.

    Args:
      matrix: (A, A) correlations, NaN where not defined.
      names: of the raters.
    """
    off = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    means = np.array([np.nan if np.isnan(row).all() else np.nanmean(row) for row in off])
    if np.isfinite(means).sum() < 3:
        return []
    return [name for name, mean in zip(names, means, strict=True) if mean < np.nanmedian(means) - below]


def _intraclass(ratings: np.ndarray) -> tuple[float | None, float | None, float | None]:
    x = ratings[~np.isnan(ratings).any(axis=1)].astype(np.float64)
    n, k = x.shape
    if n < _FEWEST_FRAMES or k < 2 or not np.ptp(x):
        return None, None, None
    total = x.mean()
    rows, columns = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True)
    between = k * ((rows - total) ** 2).sum() / (n - 1)
    raters = n * ((columns - total) ** 2).sum() / (k - 1)
    error = ((x - rows - columns + total) ** 2).sum() / ((n - 1) * (k - 1))
    return (
        _ratio(between - error, between + (k - 1) * error + k * (raters - error) / n),
        _ratio(between - error, between + (raters - error) / n),
        _ratio(between - error, between),
    )


def _alpha(ratings: np.ndarray) -> float | None:
    there = ~np.isnan(ratings)
    pairable = there.sum(axis=1) > 1
    x, m = np.where(there, ratings, 0)[pairable].astype(np.float64), there[pairable].sum(axis=1)
    values = ratings[pairable][there[pairable]].astype(np.float64)
    count = len(values)
    if len(m) < _FEWEST_FRAMES or not np.ptp(values):
        return None
    # The sum of (a - b)^2 over ordered pairs is 2 m sum(x^2) - 2 sum(x)^2.
    observed = ((2 * m * (x**2).sum(axis=1) - 2 * x.sum(axis=1) ** 2) / (m - 1)).sum() / count
    centred = values - values.mean()
    expected = 2 * (centred**2).sum() / (count - 1)
    return 1 - observed / expected if expected > 0 else None


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
