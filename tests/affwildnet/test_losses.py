"""The losses against NumPy in float64; they stay finite."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import losses
from tfrecords_tools.errors import UserError

FRAMES = (3, 7)


def batch(seed=0, shape=FRAMES):
    rng = np.random.default_rng(seed)
    labels = rng.uniform(-1, 1, (*shape, 2)).astype("float32")
    predictions = (0.5 * labels + rng.normal(0, 0.3, labels.shape) + 0.1).astype("float32")
    return labels, predictions


def ccc(labels, predictions):
    """Return the CCC of two vectors by definition."""
    x, y = np.float64(labels), np.float64(predictions)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def expected_ccc_loss(labels, predictions, scored):
    return 1 - np.mean([ccc(labels[..., d][scored[..., d]], predictions[..., d][scored[..., d]]) for d in range(2)])


def value_and_gradient(loss, labels, predictions, mask=None, jit=False):
    @tf.function(jit_compile=jit)
    def run(labels, predictions):
        with tf.GradientTape() as tape:
            tape.watch(predictions)
            value = loss(labels, predictions, mask)
        return value, tape.gradient(value, predictions)

    value, gradient = run(tf.constant(labels), tf.constant(predictions))
    assert value.dtype == "float32"
    assert value.shape == ()
    return float(value), gradient.numpy()


def masks():
    """Return masks of every allowed form, each with the frames that it scores."""
    rng = np.random.default_rng(1)
    frames = rng.random(FRAMES) > 0.4
    both = rng.random((*FRAMES, 2)) > 0.4
    twice = np.repeat(frames[..., None], 2, axis=-1)
    return {
        "none": (None, np.ones((*FRAMES, 2), bool)),
        "bool": (frames, twice),
        "float": (frames.astype("float32"), twice),
        "int": (frames.astype("int64"), twice),
        # Above 0 is scored, whatever the number, and it is no weight.
        "fraction": (np.where(frames, rng.uniform(0.01, 0.99, FRAMES), -0.5), twice),
        "one": (frames[..., None], twice),
        "two": (both, both),
    }


@pytest.mark.parametrize("form", masks())
def test_ccc_is_that_of_the_scored_frames(form):
    labels, predictions = batch()
    mask, scored = masks()[form]
    expected = expected_ccc_loss(labels, predictions, scored)
    labels[~scored] = np.nan
    predictions[~scored] = np.inf
    value, gradient = value_and_gradient(losses.ccc, labels, predictions, mask)
    assert value == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(gradient).all()
    assert (gradient[~scored] == 0).all()
    assert (gradient[scored] != 0).all()


@pytest.mark.parametrize("form", masks())
def test_mse_is_that_of_the_scored_frames(form):
    labels, predictions = batch()
    mask, scored = masks()[form]
    squares = np.square(np.float64(labels) - predictions)
    expected = np.mean([squares[..., d][scored[..., d]].mean() for d in range(2)])
    labels[~scored] = np.nan
    value, gradient = value_and_gradient(losses.mse, labels, predictions, mask)
    assert value == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(gradient).all()
    assert (gradient[~scored] == 0).all()


def test_gradient_is_that_of_the_definition():
    labels, predictions = batch()
    _, scored = masks()["bool"]
    mask = scored[..., 0]
    _, gradient = value_and_gradient(losses.ccc, labels, predictions, mask)
    step = 1e-6
    for index in [(0, 1, 0), (1, 2, 1), (2, 6, 0)]:
        moved = np.float64(predictions), np.float64(predictions)
        moved[0][index] += step
        moved[1][index] -= step
        after, before = (expected_ccc_loss(labels, p, scored) for p in moved)
        assert gradient[index] == pytest.approx((after - before) / (2 * step), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("label", [None, 0.0, 0.1, 0.3333])
@pytest.mark.parametrize("prediction", [None, 0.0, 0.1, -0.7])
@pytest.mark.parametrize("name", ["ccc", "mse"])
def test_finite_on_constants(label, prediction, name):
    labels, predictions = batch(shape=(4, 80))
    if label is not None:
        labels[:] = label
    if prediction is not None:
        predictions[:] = prediction
    jit = label == prediction  # the hardest ones; compiling takes its time
    value, gradient = value_and_gradient(losses.get(name), labels, predictions, jit=jit)
    assert np.isfinite(value)
    assert np.abs(gradient).max() < 10
    if name == "ccc" and (label, prediction) != (None, None):
        assert value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("ccc", 1.0), ("mse", 0.0)])
def test_empty_mask(name, expected):
    labels, predictions = batch()
    labels[:] = np.nan
    value, gradient = value_and_gradient(losses.get(name), labels, predictions, np.zeros(FRAMES))
    assert value == expected
    assert (gradient == 0).all()


def test_one_dimension_without_labels_leaves_the_other():
    labels, predictions = batch()
    mask = np.ones((*FRAMES, 2), bool)
    mask[..., 1] = False
    labels[..., 1] = np.nan
    value, gradient = value_and_gradient(losses.ccc, labels, predictions, mask)
    assert value == pytest.approx(1 - ccc(labels[..., 0], predictions[..., 0]) / 2, rel=1e-5)
    assert (gradient[..., 0] != 0).all()


@pytest.mark.parametrize("scored_frames", [1, 2])
def test_few_frames(scored_frames):
    labels, predictions = batch()
    mask = np.zeros(FRAMES)
    mask[0, :scored_frames] = 1
    value, gradient = value_and_gradient(losses.ccc, labels, predictions, mask)
    assert 0 <= value <= 2
    assert np.isfinite(gradient).all()


def test_perfect_and_opposite():
    labels, _ = batch()
    labels -= labels.mean((0, 1))
    assert float(losses.ccc(labels, labels)) == pytest.approx(0, abs=1e-6)
    assert float(losses.ccc(labels, -labels)) == pytest.approx(2, abs=1e-6)
    assert float(losses.mse(labels, labels)) == 0


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("noise", [1e-3, 1e-5])
def test_many_near_constant_values(noise, jit):
    """Sums of 600,000 float32 values near 0.5 lose more than their deviations, unless centred with care."""
    rng = np.random.default_rng(2)
    labels = (0.5 + noise * rng.normal(size=(75, 4000, 2))).astype("float32")
    predictions = (labels + 0.5 * noise * rng.normal(size=labels.shape) + noise).astype("float32")
    value, gradient = value_and_gradient(losses.ccc, labels, predictions, jit=jit)
    expected = expected_ccc_loss(labels, predictions, np.ones(labels.shape, bool))
    assert value == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_computes_in_float32_whatever_comes_in(dtype):
    labels, predictions = batch()
    labels, predictions = tf.cast(labels, dtype), tf.cast(predictions, dtype)
    value = losses.ccc(labels, predictions)
    assert value.dtype == "float32"
    scored = np.ones(labels.shape, bool)
    expected = expected_ccc_loss(labels.numpy().astype("float64"), predictions.numpy().astype("float64"), scored)
    assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["ccc", "mse", "cross_entropy"])
@pytest.mark.parametrize(
    ("predictions", "mask", "message"),
    [
        ((3, 7, 1), None, r"must be of one shape, \(B, T, D\)\. Received: \(3, 7, 2\), \(3, 7, 1\)"),
        ((7, 2), None, "must be of one shape"),
        ((3, 7, 2), (7, 3), r"`mask` must be .* Received: \(7, 3\) with labels of \(3, 7, 2\)"),
        ((3, 7, 2), (3, 7, 3), "`mask` must be"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, predictions, mask, message):
    labels = np.zeros((3, 7, 2), "float32")
    with pytest.raises(ValueError, match=message):
        losses.get(name)(labels, np.zeros(predictions, "float32"), None if mask is None else np.ones(mask))


def test_unknown_loss_lists_the_names():
    assert losses.get("ccc") is losses.ccc
    with pytest.raises(
        UserError, match=r"must be one of ccc, cross_entropy, mse\. Received: cccc\. Did you mean ccc\?"
    ):
        losses.get("cccc")


# Expressions.


def classes(seed=0, shape=FRAMES, spread=2.0):
    """Return one-hot labels, logits and their softmax in float64."""
    rng = np.random.default_rng(seed)
    labels = np.eye(7)[rng.integers(0, 7, shape)]
    logits = rng.normal(0, spread, (*shape, 7))
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return labels.astype("float32"), logits, powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("form", ["none", "numbers", "fractions", "column"])
def test_cross_entropy_is_of_the_scored_frames_own_classes(form):
    labels, _, probabilities = classes()
    scored = np.ones(FRAMES, bool) if form == "none" else np.random.default_rng(1).random(FRAMES) < 0.6
    total = 0.0
    for index in np.argwhere(scored):
        label, given = labels[tuple(index)], probabilities[tuple(index)]
        total -= np.log(given[list(label).index(1)])
    labels[~scored] = np.nan
    probabilities[~scored] = np.nan
    fractions = np.where(scored, np.linspace(0.01, 0.99, scored.size).reshape(FRAMES), -0.5)
    mask = {"none": None, "numbers": 3.0 * scored, "fractions": fractions, "column": scored[..., None]}[form]
    value, gradient = value_and_gradient(losses.cross_entropy, labels, np.float32(probabilities), mask)
    assert value == pytest.approx(total / scored.sum(), rel=1e-5)
    expected = np.where(scored[..., None], -labels / probabilities / scored.sum(), 0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)


@pytest.mark.parametrize("spread", [1.0, 25.0])
@pytest.mark.parametrize("jit", [False, True])
def test_the_gradient_through_a_softmax_is_the_difference_from_the_label(spread, jit):
    # However sure the network is of another class: with a spread of 25, many probabilities are below 1e-7.
    labels, logits, probabilities = classes(3, spread=spread)
    reachable = (probabilities * labels).sum(-1) > 1e-28
    assert reachable.all() or spread == 25
    _, gradient = value_and_gradient(
        lambda y, x, mask: losses.cross_entropy(y, tf.nn.softmax(x), mask),
        labels, np.float32(logits), np.float32(reachable), jit,
    )  # fmt: skip
    expected = np.where(reachable[..., None], (probabilities - labels) / reachable.sum(), 0)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert np.abs(gradient).max() > 0.01


@pytest.mark.parametrize("jit", [False, True])
def test_cross_entropy_is_finite_at_0_and_1(jit):
    labels = np.float32(np.eye(7)[None, [0, 1, 2]])
    probabilities = np.float32(np.eye(7)[None, [0, 5, 6]])  # sure and right, sure and wrong twice
    value, gradient = value_and_gradient(losses.cross_entropy, labels, probabilities, jit=jit)
    assert value == pytest.approx(2 / 3 * -np.log(1e-30), rel=1e-5)
    assert np.isfinite(gradient).all()
    right, _ = value_and_gradient(losses.cross_entropy, labels, labels, jit=jit)
    assert right == 0


def test_cross_entropy_of_nothing_is_0():
    labels, _, probabilities = classes()
    value, gradient = value_and_gradient(
        losses.cross_entropy, np.nan * labels, np.float32(probabilities), np.zeros(FRAMES)
    )
    assert value == 0
    assert (gradient == 0).all()
