"""Training losses in `keras.ops`: finite, with finite gradients, whatever the labels and the mask are."""

from collections.abc import Callable
from typing import Any

from keras import ops

from tfrecords_tools.errors import UserError, check_choice

# A tensor of Keras's backend, or what it makes one of: a NumPy array, nested lists.
Tensor = Any
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

# Added to the denominator of CCC, in squared label units. Far below any variance that matters (labels are at least
# 1e-3 apart), far above the rounding noise of constant float32 inputs, whose gradient it keeps small.
EPSILON = 1e-15
# The least probability whose logarithm is taken: so low that the gradient of a softmax is right down to it. The least
# float32 is 1e-38.
LEAST_PROBABILITY = 1e-30


def ccc(labels: Tensor, predictions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return 1 - (CCC of valence + CCC of arousal) / 2, pooled over the scored frames of the batch.

    CCC = 2 s_xy / (s_x^2 + s_y^2 + (mean_x - mean_y)^2), with biased variances and covariance, divided by n (ijcv2019
    eq. 1, 3). It is 0, with a gradient of 0 up to rounding, for a dimension without a scored frame or with constant
    labels.

    ```python
    labels = [[[0.1, 0.2], [0.3, 0.1], [0.5, 0.6]]]  # a window of three frames
    float(ccc(labels, labels))  # 0.0
    ```

    Args:
      labels: (B, T, D), D = 2 for (valence, arousal), in the corpus's range; anything, NaN too, where masked out.
      predictions: (B, T, D).
      mask: (B, T), (B, T, 1) or (B, T, D), bool or number. Frames above 0 are scored, each with the same weight. None
        scores all.

    Returns:
      A float32 scalar in [0, 2].

    Raises:
      UserError: if the shapes do not fit.
    """
    labels, predictions, weights, count = _prepare(labels, predictions, mask)
    label_deviation = _centred(labels, weights, count)
    prediction_deviation = _centred(predictions, weights, count)
    covariance = _mean(label_deviation * prediction_deviation, weights, count)
    variances = _mean(ops.square(label_deviation) + ops.square(prediction_deviation), weights, count)
    # The mean of the differences, not the difference of the means, which would cancel.
    bias = _mean(labels - predictions, weights, count)
    return 1.0 - ops.mean(2.0 * covariance / (variances + ops.square(bias) + EPSILON))


def mse(labels: Tensor, predictions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean squared error over the scored frames of the batch, averaged over the dimensions.

    Takes and raises what `ccc` does. A dimension without a scored frame counts as 0.

    Returns:
      A float32 scalar, at least 0, in squared label units.
    """
    labels, predictions, weights, count = _prepare(labels, predictions, mask)
    return ops.mean(_mean(ops.square(labels - predictions), weights, count))


def cross_entropy(labels: Tensor, probabilities: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean of -log(probability of the frame's class) over the scored frames of the batch, in nats.

    Args:
      labels: (B, T, K), 1 for the class and 0 for the others; anything where masked out.
      probabilities: (B, T, K) in [0, 1]; those of a frame sum to 1, as a softmax gives them.
      mask: (B, T) or (B, T, 1), bool or number. Frames above 0 are scored, each with the same weight. None scores all.

    Returns:
      A float32 scalar, at least 0, and 0 where no frame is scored. A probability of 0 counts as `LEAST_PROBABILITY`,
      69 nats, with a gradient of 0.

    Raises:
      UserError: if the shapes do not fit.
    """
    labels, probabilities, weights, count = _prepare(labels, probabilities, mask)
    logarithms = ops.log(ops.maximum(probabilities, LEAST_PROBABILITY))
    return ops.sum(_mean(-labels * logarithms, weights, count))


LOSSES: dict[str, Loss] = {"ccc": ccc, "mse": mse, "cross_entropy": cross_entropy}


def get(name: str) -> Loss:
    """Return the loss of that name, a function of labels, predictions and mask.

    Raises:
      UserError: if there is none; the message lists those there are.
    """
    check_choice("loss", name, sorted(LOSSES))
    return LOSSES[name]


def _prepare(labels: Tensor, predictions: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return labels and predictions as (N, D) float32 with 0 where masked out, weights 0 or 1, and counts (D,)."""
    labels = ops.cast(ops.convert_to_tensor(labels), "float32")
    predictions = ops.cast(ops.convert_to_tensor(predictions), "float32")
    if not _fit(labels.shape, predictions.shape):
        raise UserError(
            "`labels` and `predictions` must be of one shape, (B, T, D). "
            f"Received: {tuple(labels.shape)}, {tuple(predictions.shape)}"
        )
    if mask is None:
        scored = ops.ones_like(labels, dtype="bool")
    else:
        scored = ops.cast(ops.convert_to_tensor(mask), "float32") > 0
        if len(scored.shape) < len(labels.shape):
            scored = ops.expand_dims(scored, -1)
        if not (_fit(scored.shape, labels.shape) or _fit(scored.shape, (*labels.shape[:-1], 1))):
            raise UserError(
                f"`mask` must be (B, T), (B, T, 1) or (B, T, D). Received: {tuple(ops.shape(mask))} with labels of "
                f"{tuple(labels.shape)}"
            )
        scored = ops.logical_and(scored, ops.ones_like(labels, dtype="bool"))
    # Before any arithmetic: 0 * NaN is NaN, forwards and backwards.
    labels = ops.where(scored, labels, 0.0)
    predictions = ops.where(scored, predictions, 0.0)
    dimensions = predictions.shape[-1]
    labels, predictions, scored = (ops.reshape(x, (-1, dimensions)) for x in (labels, predictions, scored))
    weights = ops.cast(scored, "float32")
    return labels, predictions, weights, ops.maximum(ops.sum(weights, axis=0), 1.0)


def _fit(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Return whether two shapes are the same where both are known."""
    return len(one) == len(other) and all(None in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))


def _mean(x: Tensor, weights: Tensor, count: Tensor) -> Tensor:
    """Return the weighted mean over the frames; the second sum, of small numbers, undoes the rounding of the first."""
    rough = ops.sum(x * weights, axis=0) / count
    return rough + ops.sum((x - rough) * weights, axis=0) / count


def _centred(x: Tensor, weights: Tensor, count: Tensor) -> Tensor:
    """Return x minus its mean, subtracted twice: a float32 mean is rounded by more than a small deviation."""
    for _ in range(2):
        x = (x - _mean(x, weights, count)) * weights
    return x
