"""Training losses. Written in keras.ops, finite with finite gradients whatever the labels and the mask are."""

from collections.abc import Callable

from keras import ops

from tfrecords_tools.errors import check_choice

# Added to the denominator of CCC, in squared label units. Far below any variance that matters (labels are at least
# 1e-3 apart), far above the rounding noise of constant float32 inputs, whose gradient it keeps small.
EPSILON = 1e-15
# The least probability that a logarithm is taken of. So low that the gradient of a softmax is right down to there;
# float32 reaches to 1e-38.
LEAST_PROBABILITY = 1e-30


def ccc_loss(labels, predictions, mask=None):
    """1 - (CCC of valence + CCC of arousal) / 2, over the scored frames of the batch together (ijcv2019 eq. 1, 3).

    CCC = 2 s_xy / (s_x^2 + s_y^2 + (mean_x - mean_y)^2), variances and covariance biased (divided by n). It is 0, with
    a gradient of 0 up to rounding, where a dimension has no scored frame or constant labels.

    Args:
      labels: (B, T, D), D = 2 for (valence, arousal), in the corpus's range; anything, NaN too, where masked out.
      predictions: (B, T, D).
      mask: (B, T), (B, T, 1) or (B, T, D), bool or number; frames above 0 are scored. None scores all.

    Returns:
      A float32 scalar in [0, 2].
    """
    labels, predictions, weights, count = _prepare(labels, predictions, mask)
    label_deviation = _centred(labels, weights, count)
    prediction_deviation = _centred(predictions, weights, count)
    covariance = _mean(label_deviation * prediction_deviation, weights, count)
    variances = _mean(ops.square(label_deviation) + ops.square(prediction_deviation), weights, count)
    # The mean of the differences, not the difference of the means, which would cancel.
    bias = _mean(labels - predictions, weights, count)
    ccc = 2.0 * covariance / (variances + ops.square(bias) + EPSILON)
    return 1.0 - ops.mean(ccc)


def mse_loss(labels, predictions, mask=None):
    """Mean squared error over the scored frames of the batch, averaged over the dimensions.

    Args and mask as in `ccc_loss`. A dimension without a scored frame counts as 0.

    Returns:
      A float32 scalar, at least 0, in squared label units.
    """
    labels, predictions, weights, count = _prepare(labels, predictions, mask)
    return ops.mean(_mean(ops.square(labels - predictions), weights, count))


def cross_entropy_loss(labels, probabilities, mask=None):
    """Mean over the scored frames of the batch of -log(probability of the frame's class), in nats.

    Args:
      labels: (B, T, K), 1 for the class and 0 for the others; anything where masked out.
      probabilities: (B, T, K) in [0, 1], of which those of a frame sum to 1, such as a softmax gives.
      mask: (B, T) or (B, T, 1), bool or number; frames above 0 are scored. None scores all.

    Returns:
      A float32 scalar, at least 0, and 0 where no frame is scored. A probability of 0 counts as `LEAST_PROBABILITY`,
      69 nats, with a gradient of 0.
    """
    labels, probabilities, weights, count = _prepare(labels, probabilities, mask)
    logarithms = ops.log(ops.maximum(probabilities, LEAST_PROBABILITY))
    return ops.sum(_mean(-labels * logarithms, weights, count))


LOSSES: dict[str, Callable] = {"ccc": ccc_loss, "mse": mse_loss, "cross_entropy": cross_entropy_loss}


def get(name: str) -> Callable:
    """Return the loss of that name, a function (labels, predictions, mask) -> scalar.

    Raises:
      UserError: there is none; the message lists those there are.
    """
    check_choice("loss", name, sorted(LOSSES))
    return LOSSES[name]


def _prepare(labels, predictions, mask):
    """Return labels and predictions as (N, D) float32 with 0 where masked out, weights 0 or 1, and counts (D,)."""
    labels = ops.cast(ops.convert_to_tensor(labels), "float32")
    predictions = ops.cast(ops.convert_to_tensor(predictions), "float32")
    if mask is None:
        scored = ops.ones_like(labels, dtype="bool")
    else:
        scored = ops.cast(ops.convert_to_tensor(mask), "float32") > 0
        if len(scored.shape) < len(labels.shape):
            scored = ops.expand_dims(scored, -1)
        scored = ops.logical_and(scored, ops.ones_like(labels, dtype="bool"))
    # Before any arithmetic: 0 * NaN is NaN, forwards and backwards.
    labels = ops.where(scored, labels, 0.0)
    predictions = ops.where(scored, predictions, 0.0)
    dimensions = predictions.shape[-1]
    labels, predictions, scored = (ops.reshape(x, (-1, dimensions)) for x in (labels, predictions, scored))
    weights = ops.cast(scored, "float32")
    return labels, predictions, weights, ops.maximum(ops.sum(weights, axis=0), 1.0)


def _mean(x, weights, count):
    """Weighted mean over the frames. The second sum is of small numbers and takes back the first one's rounding."""
    rough = ops.sum(x * weights, axis=0) / count
    return rough + ops.sum((x - rough) * weights, axis=0) / count


def _centred(x, weights, count):
    """x minus its mean. Twice, as a float32 mean is itself rounded by more than a small deviation."""
    for _ in range(2):
        x = (x - _mean(x, weights, count)) * weights
    return x
