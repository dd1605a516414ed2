"""The scores against their definitions in NumPy; merging moments."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affwildnet.metrics import METRICS, Moments, ccc, scores
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS


def frames(seed=0, count=500):
    rng = np.random.default_rng(seed)
    labels = rng.uniform(-1, 1, (count, 2)).astype("float32")
    return labels, (0.5 * labels + rng.normal(0, 0.3, labels.shape) + 0.1).astype("float32")


def direct(labels, predictions):
    """Return CCC, Pearson, MSE, RMSE and SAGR of two vectors by definition, in extended precision."""
    x, y = np.longdouble(labels), np.longdouble(predictions)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    ccc = 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    mse = np.mean((x - y) ** 2)
    agreeing = np.mean(((x > 0) == (y > 0)) & ((x < 0) == (y < 0)))
    return [float(v) for v in (ccc, covariance / np.sqrt(x.var() * y.var()), mse, np.sqrt(mse), agreeing)]


def assert_direct(moments, labels, predictions, scored, rel=1e-12):
    for d in range(2):
        keep = scored[..., d]
        expected = direct(labels[..., d][keep], predictions[..., d][keep])
        got = [getattr(moments, name)()[d] for name in METRICS]
        assert got == pytest.approx(expected, rel=rel)
        assert moments.count[d] == keep.sum()


def test_scores_are_those_of_the_definitions():
    labels, predictions = frames()
    moments = Moments.from_arrays(labels, predictions)
    assert_direct(moments, labels, predictions, np.ones(labels.shape, bool))
    for values in (getattr(moments, name)() for name in METRICS):
        assert values.shape == (2,)
        assert values.dtype == np.float64


@pytest.mark.parametrize("form", ["frames", "one", "two", "float", "fraction"])
def test_only_scored_frames_count(form):
    labels, predictions = (x.reshape(5, 100, 2) for x in frames())
    rng = np.random.default_rng(1)
    scored = rng.random((5, 100, 2)) > 0.5
    if form != "two":
        scored[..., 1] = scored[..., 0]
    mask = {
        "frames": scored[..., 0],
        "one": scored[..., :1],
        "two": scored,
        "float": scored[..., 0].astype("float32"),
        # Above 0 is scored, whatever the number, and it is no weight.
        "fraction": np.where(scored[..., 0], rng.uniform(0.01, 0.99, (5, 100)), -0.5),
    }
    expected = labels.copy(), predictions.copy()
    labels[~scored] = np.nan
    predictions[~scored] = np.inf
    assert_direct(Moments.from_arrays(labels, predictions, mask[form]), *expected, scored)
    by_definition = [direct(*(x[..., d][scored[..., d]] for x in expected))[0] for d in range(2)]
    assert ccc(labels, predictions, mask[form]).tolist() == pytest.approx(by_definition, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 60), max_size=8),
    offset=st.sampled_from([0.0, 0.5, -100.0]),
    keep=st.floats(0.1, 1.0),
    seed=st.integers(0, 1000),
)
def test_merging_any_split_equals_the_whole(cuts, offset, keep, seed):
    labels, predictions = frames(seed, 60)
    labels, predictions = labels + np.float64(offset), predictions + np.float64(offset)
    scored = np.random.default_rng(seed).random(labels.shape) < keep
    scored[:3] = True
    merged = Moments.empty()
    edges = [0, *sorted(cuts), 60]
    for start, stop in pairwise(edges):
        part = slice(start, stop)
        merged = merged.merge(Moments.from_arrays(labels[part], predictions[part], scored[part]))
    assert_direct(merged, labels, predictions, scored, rel=1e-9)


def test_merging_is_symmetric_and_leaves_its_parts():
    labels, predictions = frames()
    one = Moments.from_arrays(labels[:100], predictions[:100])
    two = Moments.from_arrays(labels[100:], predictions[100:])
    before = one.ccc().copy()
    np.testing.assert_allclose(one.merge(two).ccc(), two.merge(one).ccc(), rtol=1e-13)
    np.testing.assert_array_equal(one.merge(Moments.empty()).label_mean, one.label_mean)
    np.testing.assert_array_equal(Moments.empty().merge(one).label_mean, one.label_mean)
    np.testing.assert_array_equal(one.ccc(), before)


def test_the_pool_is_not_the_mean_of_its_parts():
    labels = np.array([[0.0, 0.0], [0.1, 0.1], [0.9, 0.9], [1.0, 1.0]])
    predictions = labels[[1, 0, 3, 2]]
    halves = [Moments.from_arrays(labels[part], predictions[part]) for part in (slice(0, 2), slice(2, 4))]
    assert [half.ccc()[0] for half in halves] == pytest.approx([-1, -1])
    assert halves[0].merge(halves[1]).ccc()[0] > 0.9


def test_near_constant_values_keep_their_digits():
    """600,000 float32 values of 0.5 with noise of 1e-6, in batches, as a network predicts that has learnt little."""
    rng = np.random.default_rng(3)
    labels = (0.5 + 1e-6 * rng.normal(size=(600_000, 2))).astype("float32")
    predictions = (labels + 1e-6 * rng.normal(size=labels.shape)).astype("float32")
    merged = Moments.empty()
    for start in range(0, len(labels), 320):
        merged = merged.merge(Moments.from_arrays(labels[start : start + 320], predictions[start : start + 320]))
    every = np.ones(labels.shape, bool)
    assert_direct(merged, labels, predictions, every, rel=1e-9)
    assert_direct(Moments.from_arrays(labels, predictions), labels, predictions, every, rel=1e-9)


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize(("label", "prediction"), [(0.1, None), (None, 0.1), (0.1, 0.7), (0.1, 0.1)])
def test_constants(label, prediction, parts):
    labels, predictions = frames(count=70)
    labels = labels if label is None else np.full_like(labels, label)
    predictions = predictions if prediction is None else np.full_like(predictions, prediction)
    moments = Moments.empty()
    for part in zip(np.split(labels, parts), np.split(predictions, parts), strict=True):
        moments = moments.merge(Moments.from_arrays(*part))
    np.testing.assert_array_equal(moments.ccc(), [0.0, 0.0])
    assert np.isnan(moments.pearson()).all()
    np.testing.assert_allclose(moments.mse(), np.mean((np.float64(labels) - predictions) ** 2, axis=0), atol=1e-15)
    result = scores(moments)
    assert result["pearson"] == {"valence": None, "arousal": None, "mean": None}
    assert result["ccc"]["mean"] == 0.0


def test_one_constant_dimension_leaves_the_mean_undefined():
    labels, predictions = frames()
    labels[:, 1] = 0.25
    result = scores(Moments.from_arrays(labels, predictions))["pearson"]
    assert result["valence"] is not None
    assert result["arousal"] is None
    assert result["mean"] is None


def test_scores_are_plain_floats():
    labels, predictions = frames()
    moments = Moments.from_arrays(labels, predictions)
    result = scores(moments)
    assert list(result) == ["ccc", "pearson", "mse", "rmse", "sagr"]
    for name, row in result.items():
        assert list(row) == [*DIMENSIONS, "mean"]
        assert all(type(value) is float for value in row.values())
        values = getattr(moments, name)()
        assert [row["valence"], row["arousal"], row["mean"]] == pytest.approx([*values, values.mean()])


def test_zero_agrees_with_zero_alone():
    labels = np.array([0.0, 0.0, -0.0, 0.2, -0.2, 0.2, 1e-12])
    predictions = np.array([0.0, 1e-9, 0.0, 0.0, -0.9, -0.2, 0.5])
    moments = Moments.from_arrays(np.stack([labels, labels], 1), np.stack([predictions, -predictions], 1))
    assert moments.sagr().tolist() == [4 / 7, 3 / 7]
    assert scores(moments)["sagr"] == {"valence": 4 / 7, "arousal": 3 / 7, "mean": 0.5}


def test_weights_count_frames_so_many_times():
    labels, predictions = frames(count=90)
    parts = [slice(0, 20), slice(20, 30), slice(30, 90)]
    weights = np.array([[1, 1, 1], [0, 3, 1], [2, 0, 0], [0, 0, 1]])
    merged = Moments.empty()
    for part, column in zip(parts, weights.T, strict=True):
        merged = merged.merge(Moments.from_arrays(labels[part], predictions[part]).weighted(column))
    for index, row in enumerate(weights):
        taken = np.concatenate(
            [np.arange(90)[part] for part, times in zip(parts, row, strict=True) for _ in range(times)]
        )
        for d, name in enumerate(DIMENSIONS):
            expected = direct(labels[taken, d], predictions[taken, d])
            assert [merged.values()[metric][name][index] for metric in METRICS] == pytest.approx(expected, rel=1e-10)


def test_a_video_drawn_many_times_stays_constant():
    # Rounding would make a tiny variance of it, and a Pearson correlation of noise.
    moments = Moments.from_arrays(np.full((7, 2), 0.1), np.full((7, 2), 0.3)).weighted(np.array([3, 7]))
    merged = moments.merge(moments).merge(Moments.from_arrays([[5.0, 5.0]], [[1.0, 1.0]]).weighted(np.array([0, 1])))
    assert np.isnan(merged.values()["pearson"]["valence"]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("labels", "predictions", "reason"),
    [
        ([0.1, 0.1], [0.2, 0.3], "the labels are constant"),
        ([0.1, 0.2], [0.3, 0.3], "the predictions are constant"),
        ([0.1, 0.1], [0.3, 0.3], "the labels and predictions are constant"),
        ([0.1], [0.3], "there is only one value"),
    ],
)
def test_an_undefined_score_has_a_reason(labels, predictions, reason):
    other = np.linspace(0, 1, len(labels))
    moments = Moments.from_arrays(np.stack([labels, other], 1), np.stack([predictions, other], 1))
    found = moments.undefined()
    assert found["pearson", "valence"] == reason
    lacking = {("pearson", name) for name, value in scores(moments)["pearson"].items() if value is None}
    assert found.keys() == lacking


def test_the_example_of_the_docstring():
    labels, predictions = [[0.1, 0.2], [0.3, 0.1], [0.5, 0.6]], [[0.1, 0.2], [0.4, 0.2], [0.5, 0.5]]
    assert ccc(labels, predictions).round(3).tolist() == [0.941, 0.9]


def test_no_frames_is_an_error():
    moments = Moments.from_arrays(np.full((4, 2), np.nan), np.zeros((4, 2)), np.zeros(4))
    for score in (*(getattr(moments, name) for name in METRICS), moments.values, lambda: scores(moments)):
        with pytest.raises(UserError, match=r"at least one labelled frame .* frames=\[0, 0\]"):
            score()


@pytest.mark.parametrize(
    ("labels", "predictions", "mask", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), None, "of one shape"),
        (np.zeros((3, 2)), np.zeros((3, 2)), np.ones((2, 3)), "`mask` must be"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), None, "`labels` must be finite on scored frames. Received: 3 of 3"),
        (np.zeros((3, 2)), np.full((3, 2), np.inf), None, "`predictions` must be finite"),
    ],
)
def test_bad_arrays(labels, predictions, mask, message):
    for score in (Moments.from_arrays, ccc):
        with pytest.raises(ValueError, match=message):
            score(labels, predictions, mask)
