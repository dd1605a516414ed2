"""Scores: CCC, Pearson, MSE, RMSE and SAGR from moments that merge, so that a split is pooled and never averaged."""

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

METRICS = ("ccc", "pearson", "mse", "rmse", "sagr")
# The values of each metric: one for each dimension, and their mean.
WITH_MEAN = (*DIMENSIONS, "mean")

# Scores by metric and name: `{"ccc": {"valence": 0.5, "arousal": 0.3, "mean": 0.4}, ...}`. None is not defined.
Scores = dict[str, dict[str, float | None]]
# Scores of several sets of frames at once: the same form, each value an array.
ScoreArrays = dict[str, dict[str, np.ndarray]]


class ScoreKey(NamedTuple):
    """The place of one score in `Scores`.

    Attributes:
      metric: such as "ccc".
      name: a dimension, a class of expression, "mean" or "total".
    """

    metric: str
    name: str

    def __str__(self) -> str:
        return f"{self.metric}.{self.name}"


# Why scores are not defined, by their place.
Reasons = dict[ScoreKey, str]


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums over frames (or utterances) that all scores follow from; each float64 (D,), one value per dimension.

    After `weighted` they have the shape (R, D): R sets of frames at once.

    Variances are biased (divided by n), as in the papers. Sums are centred and merged by Chan, Golub and LeVeque's
    update (1979), so scores of near-constant values keep their digits.

    ```python
    total = Moments.empty()
    for labels, predictions, mask in batches:
        total = total.merge(Moments.from_arrays(labels, predictions, mask))
    total.ccc()  # array([valence, arousal])
    ```

    Attributes:
      count: number of scored frames.
      label_mean: mean of the labels.
      prediction_mean: mean of the predictions.
      label_square: sum of the squared deviations of the labels from their mean.
      prediction_square: the same for the predictions.
      product: sum of the products of both deviations.
      error: sum of the squared differences between labels and predictions.
      agreement: number of frames whose label and prediction have the same sign: both above 0, both below, or both 0.
    """

    count: np.ndarray
    label_mean: np.ndarray
    prediction_mean: np.ndarray
    label_square: np.ndarray
    prediction_square: np.ndarray
    product: np.ndarray
    error: np.ndarray
    agreement: np.ndarray

    @classmethod
    def empty(cls, dimensions: int = len(DIMENSIONS)) -> "Moments":
        """Return the moments of no frames, to merge others into."""
        return cls(*(np.zeros(dimensions) for _ in fields(cls)))

    @classmethod
    def from_arrays(cls, labels: ArrayLike, predictions: ArrayLike, mask: ArrayLike | None = None) -> "Moments":
        """Return the moments of one batch.

        Args:
          labels: (..., D), D = 2 for (valence, arousal); anything, NaN too, where masked out.
          predictions: the same shape.
          mask: shape of `labels`, with 1 for D, or without its last axis. Frames above 0 are scored, each with the
            same weight. None scores all.

        Raises:
          UserError: if the shapes do not fit, or a scored label or prediction is not finite.
        """
        labels = np.asarray(labels, np.float64)
        predictions = np.asarray(predictions, np.float64)
        if labels.ndim == 0 or labels.shape != predictions.shape:
            raise UserError(
                "`labels` and `predictions` must be (..., D), of one shape. "
                f"Received: {labels.shape}, {predictions.shape}"
            )
        scored = _scored(mask, labels.shape)
        dimensions = labels.shape[-1]
        columns = zip(*(x.reshape(-1, dimensions).T for x in (labels, predictions, scored)), strict=True)
        return cls(*map(np.array, zip(*(_column(y[keep], x[keep]) for y, x, keep in columns), strict=True)))

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of the frames of both."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        between = self.count * share
        label_shift = other.label_mean - self.label_mean
        prediction_shift = other.prediction_mean - self.prediction_mean
        # Without frames the mean is 0, and shifting it would round: take the other's mean as it is.
        first = self.count == 0
        return Moments(
            count=count,
            label_mean=np.where(first, other.label_mean, self.label_mean + label_shift * share),
            prediction_mean=np.where(first, other.prediction_mean, self.prediction_mean + prediction_shift * share),
            label_square=self.label_square + other.label_square + label_shift**2 * between,
            prediction_square=self.prediction_square + other.prediction_square + prediction_shift**2 * between,
            product=self.product + other.product + label_shift * prediction_shift * between,
            error=self.error + other.error,
            agreement=self.agreement + other.agreement,
        )

    def weighted(self, weights: ArrayLike) -> "Moments":
        """Return the moments of R sets, in which these frames occur `weights` (R,) times: (R, D), the means (D,)."""
        times = np.asarray(weights, np.float64)[:, None]
        means = {"label_mean": self.label_mean, "prediction_mean": self.prediction_mean}
        return Moments(**{name: means.get(name, value * times) for name, value in vars(self).items()})

    def ccc(self) -> np.ndarray:
        """Return the concordance correlation coefficient (D,), in [-1, 1] (Lin 1989; ijcv2019 eq. 1).

        0 where the labels or the predictions are constant, even if both are the same constant.

        Raises:
          UserError: if a dimension has no scored frame.
        """
        self._require_frames()
        bias = self.label_mean - self.prediction_mean
        spread = self.label_square + self.prediction_square + self.count * bias**2
        return np.divide(2 * self.product, spread, out=np.zeros_like(spread), where=spread > 0)

    def pearson(self) -> np.ndarray:
        """Return Pearson's correlation (D,), in [-1, 1]; NaN where the labels or the predictions are constant.

        Raises:
          UserError: if a dimension has no scored frame.
        """
        self._require_frames()
        # Two roots: the product of two small squares would underflow.
        spread = np.sqrt(self.label_square) * np.sqrt(self.prediction_square)
        correlation = np.divide(self.product, spread, out=np.full_like(spread, np.nan), where=spread > 0)
        return np.clip(correlation, -1.0, 1.0)

    def mse(self) -> np.ndarray:
        """Return the mean squared error (D,), in squared label units.

        Raises:
          UserError: if a dimension has no scored frame.
        """
        self._require_frames()
        return self.error / self.count

    def rmse(self) -> np.ndarray:
        """Return the root of the mean squared error (D,), in label units.

        Raises:
          UserError: if a dimension has no scored frame.
        """
        return np.sqrt(self.mse())

    def sagr(self) -> np.ndarray:
        """Return the sign agreement (D,), in [0, 1]: the share of frames whose label and prediction have the same sign.

        Nicolaou, Gunes and Pantic, 2011. Zero has a sign of its own: it agrees with exactly 0 only.

        Raises:
          UserError: if a dimension has no scored frame.
        """
        self._require_frames()
        return self.agreement / self.count

    def values(self) -> ScoreArrays:
        """Return each of `METRICS` by dimension, and their mean; NaN where it is not defined.

        Returns:
          `{"ccc": {"valence": ..., "arousal": ..., "mean": ...}, ...}`, scalars, or (R,) after `weighted`.

        Raises:
          UserError: if a dimension has no scored frame.
          UserError: if there are not two dimensions.
        """
        if self.count.shape[-1] != len(DIMENSIONS):
            raise UserError(f"`moments` must be of {len(DIMENSIONS)} dimensions. Received: {self.count.shape[-1]}")
        found = {}
        for name in METRICS:
            columns = getattr(self, name)()
            found[name] = {key: columns[..., index] for index, key in enumerate(DIMENSIONS)}
            found[name]["mean"] = columns.mean(axis=-1)
        return found

    def undefined(self) -> Reasons:
        """Return why a score of `scores` is None; empty where none is."""
        reasons = {}
        for index, name in enumerate(DIMENSIONS):
            if math.isnan(self.pearson()[index]):
                squares = {"labels": self.label_square[index], "predictions": self.prediction_square[index]}
                constant = " and ".join(what for what, square in squares.items() if square == 0)
                which = f"the {constant} are constant" if constant else "the values hardly differ"
                reason = "there is only one value" if self.count[index] == 1 else which
                reasons[ScoreKey("pearson", name)] = reason
        if reasons:
            lacking = " and ".join(key.name for key in reasons)
            reasons[ScoreKey("pearson", "mean")] = f"not defined for {lacking}"
        return reasons

    def _require_frames(self) -> None:
        if np.any(self.count == 0):
            raise UserError(
                "scores need at least one labelled frame in every dimension. "
                f"Received: frames={self.count.astype(int).tolist()}"
            )


def ccc(labels: ArrayLike, predictions: ArrayLike, mask: ArrayLike | None = None) -> np.ndarray:
    """Return the CCC of each dimension over all scored frames, in [-1, 1] (ijcv2019 eq. 1).

    ```python
    labels = [[0.1, 0.2], [0.3, 0.1], [0.5, 0.6]]
    predictions = [[0.1, 0.2], [0.4, 0.2], [0.5, 0.5]]
    ccc(labels, predictions).round(3)  # array([0.941, 0.9])
    ```

    Args:
      labels: (..., D), D = 2 for (valence, arousal); anything, NaN too, where masked out.
      predictions: the same shape.
      mask: see `Moments.from_arrays`.

    Returns:
      (D,) float64; 0 where the labels or the predictions are constant.

    Raises:
      UserError: if the shapes do not fit, a scored value is not finite, or a dimension has no scored frame.
    """
    return Moments.from_arrays(labels, predictions, mask).ccc()


def scores(moments: Moments) -> Scores:
    """Return each of `METRICS` by dimension, and their mean, as Python floats.

    A value that is not defined (Pearson of a constant, and the mean over it) is None, which JSON can hold.

    ```python
    scores(Moments.from_arrays(labels, predictions))["ccc"]["mean"]
    ```

    Raises:
      UserError: if a dimension has no scored frame.
      UserError: if there are not two dimensions.
    """
    return plain(moments.values())


def plain(values: ScoreArrays) -> Scores:
    """Return scalars as Python floats, and NaN as None."""
    return {
        metric: {name: None if math.isnan(value) else float(value) for name, value in row.items()}
        for metric, row in values.items()
    }


def _scored(mask: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask as booleans of `shape`."""
    if mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(mask) > 0
    if mask.ndim == len(shape) - 1:
        mask = mask[..., None]
    if mask.shape not in (shape, (*shape[:-1], 1)):
        raise UserError(f"`mask` must be {shape}, (..., 1) or {shape[:-1]}. Received: {mask.shape}")
    return np.broadcast_to(mask, shape)


def _column(labels: np.ndarray, predictions: np.ndarray) -> tuple[float, ...]:
    """Return the fields of `Moments` for one dimension, from (N,) scored values."""
    for name, values in (("labels", labels), ("predictions", predictions)):
        bad = np.count_nonzero(~np.isfinite(values))
        if bad:
            raise UserError(f"`{name}` must be finite on scored frames. Received: {bad} of {len(values)} not finite")
    if len(labels) == 0:
        return (0.0,) * len(fields(Moments))
    label_mean, label_deviation = _centred(labels)
    prediction_mean, prediction_deviation = _centred(predictions)
    return (
        float(len(labels)),
        label_mean,
        prediction_mean,
        np.sum(label_deviation**2),
        np.sum(prediction_deviation**2),
        np.sum(label_deviation * prediction_deviation),
        np.sum((labels - predictions) ** 2),
        float(np.count_nonzero(np.sign(labels) == np.sign(predictions))),
    )


def _centred(values: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean and the deviations from it, which are exactly 0 when the values are constant."""
    # Relative to the first value, so that the sum that is rounded is of small numbers.
    shifted = values - values[0]
    mean = np.mean(shifted)
    return values[0] + mean, shifted - mean
