"""The networks: one signature, recurrence against a plain loop, saving, precision, errors."""

import ast
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import affwildnet
from affwildnet.models import BACKBONES, RECURRENT, FoldTime, UnfoldTime, build
from tests.helpers.networks import CNN, DEEP, SMALL, inputs, numpy, outputs_of, randomised


def of_backbone(backbone, *more):
    """Arguments of a test, which is slow for deep backbones."""
    return pytest.param(backbone, *more, marks=[pytest.mark.slow] * (backbone in DEEP))


# The signature.


@pytest.mark.parametrize(
    ("backbone", "landmarks", "recurrent"),
    [
        ("cnn_m", False, "none"),
        *(of_backbone(backbone, True, "gru") for backbone in BACKBONES),
        *(("vgg16", False, recurrent) for recurrent in RECURRENT),
        ("vgg16", True, "none"),
    ],
)
def test_signature(backbone, landmarks, recurrent):
    config = replace(SMALL, backbone=backbone, landmarks=landmarks, recurrent=recurrent)
    model = randomised(build(config))
    assert [i.name for i in model.inputs] == ["frames", "landmarks"][: 1 + landmarks]
    assert model.inputs[0].dtype == "uint8"
    assert model.inputs[0].shape == (None, None, 32, 32, 3)
    assert model.output_names == ["valence_arousal"]
    assert model.output.shape == (None, None, 2)
    data = inputs(config)
    result = model(data)
    assert result.shape == (2, 5, 2)
    assert result.dtype == "float32"
    assert np.ptp(result) > 0
    np.testing.assert_array_equal(result, model(list(data.values())))


def test_expressions_are_probabilities():
    config = replace(SMALL, head="expression")
    model = build(config)
    assert model.output_names == ["expression"]
    result = numpy(model(inputs(config)))
    assert result.shape == (2, 5, 7)
    assert (result > 0).all()
    np.testing.assert_allclose(result.sum(axis=-1), 1, atol=1e-6)


def test_frames_of_a_cnn_are_independent():
    frames = inputs(CNN, batch=2, steps=6)["frames"]
    model = build(CNN)
    expected = numpy(model({"frames": frames}))
    for batch, steps in [(1, 12), (12, 1), (3, 4)]:
        regrouped = numpy(model({"frames": frames.reshape(batch, steps, 32, 32, 3)}))
        np.testing.assert_allclose(regrouped.reshape(2, 6, 2), expected, rtol=1e-5, atol=1e-6)


def test_videos_do_not_mix():
    data = inputs(SMALL, batch=3, steps=4)
    model = build(SMALL)
    expected = numpy(model(data))
    order = [2, 0, 1]
    permuted = model({key: value[order] for key, value in data.items()})
    np.testing.assert_allclose(permuted, expected[order], rtol=1e-5, atol=1e-6)
    alone = model({key: value[1:2] for key, value in data.items()})
    np.testing.assert_allclose(alone, expected[1:2], rtol=1e-5, atol=1e-6)


def test_predictions_depend_on_the_past_only():
    data = inputs(SMALL, batch=2, steps=8)
    model = build(SMALL)
    expected = numpy(model(data))
    shorter = model({key: value[:, :5] for key, value in data.items()})
    np.testing.assert_allclose(shorter, expected[:, :5], rtol=1e-5, atol=1e-6)
    later = model({key: value[:, 3:] for key, value in data.items()})
    assert np.abs(numpy(later) - expected[:, 3:]).max() > 1e-4


def test_fold_and_unfold():
    x = np.arange(2 * 3 * 4 * 5, dtype="uint8").reshape(2, 3, 4, 5)
    folded = FoldTime()(x)
    assert folded.dtype == "uint8"
    np.testing.assert_array_equal(folded, x.reshape(6, 4, 5))
    np.testing.assert_array_equal(UnfoldTime()([folded, x]), x)
    assert FoldTime().compute_output_shape((2, 3, 4, 5)) == (6, 4, 5)
    assert FoldTime().compute_output_shape((None, 3, 4, 5)) == (None, 4, 5)
    assert UnfoldTime().compute_output_shape([(None, 4), (None, 3, 9, 9)]) == (None, 3, 4)


# The parts.


@pytest.mark.parametrize(
    ("mean", "scale"),
    [
        ((128.0, 128.0, 128.0), (1 / 128, 1 / 128, 1 / 128)),
        ((129.1863, 104.7624, 93.594), (1.0, 1.0, 1.0)),
        ((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)),
        ((0, 0, 0), (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_pixels_are_normalised_in_float32(mean, scale, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build(replace(CNN, pixel_mean=mean, pixel_scale=scale))
    finally:
        keras.config.set_dtype_policy("float32")
    frames = inputs(CNN)["frames"]
    expected = (frames.reshape(-1, 32, 32, 3).astype("float64") - np.array(mean)) * np.array(scale)
    np.testing.assert_allclose(outputs_of(model, "normalise", {"frames": frames}), expected, atol=2e-5)


def test_landmarks_enter_at_the_first_hidden_layer():
    model = build(SMALL)
    data = inputs(SMALL)
    features = outputs_of(model, "features", data)
    joined = outputs_of(model, "features_landmarks", data)
    np.testing.assert_array_equal(joined, np.concatenate([features, data["landmarks"].reshape(10, 136)], axis=1))
    assert model.get_layer("fc1").kernel.shape == (features.shape[1] + 136, 8)
    expected = numpy(model(data))
    data["landmarks"] += 0.5
    assert np.abs(numpy(model(data)) - expected).max() > 1e-4


@pytest.mark.parametrize("recurrent", ["none", "gru"])
def test_landmarks_without_hidden_layers(recurrent):
    config = replace(SMALL, hidden=(), recurrent=recurrent)
    model = build(config)
    first = model.get_layer("gru1" if recurrent == "gru" else "valence_arousal")
    assert first.input.shape == (None, None, model.get_layer("features").output.shape[1] + 136)
    data = inputs(config)
    expected = numpy(model(data))
    data["landmarks"] += 0.5
    assert np.abs(numpy(model(data)) - expected).max() > 1e-4


def test_dropout_is_after_the_first_hidden_layer_and_between_recurrent_ones():
    config = replace(SMALL, dropout=0.3, recurrent_dropout=0.6, recurrent_units=(20, 40, 60))
    model = build(config)
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {"fc1_dropout": 0.3, "gru1_dropout": 0.6, "gru2_dropout": 0.6}
    inputs_of = {layer.name: layer.input for layer in model.layers if layer.name in ("fc2", "gru2", "gru3")}
    assert inputs_of["fc2"] is model.get_layer("fc1_dropout").output
    assert inputs_of["gru2"] is model.get_layer("gru1_dropout").output
    assert inputs_of["gru3"] is model.get_layer("gru2_dropout").output


def gru_loop(x, layer):
    """GRU over (T, F), one step at a time; reset gate before or after the recurrent product."""
    kernel, recurrent, bias = (np.float64(numpy(w)) for w in layer.weights)
    units = recurrent.shape[0]
    outside, inside = bias if layer.reset_after else (bias, np.zeros_like(bias))
    update, reset, candidate = (slice(i * units, (i + 1) * units) for i in range(3))

    def sigmoid(value):
        return 1 / (1 + np.exp(-value))

    state = np.zeros(units)
    states = []
    for frame in x:
        a = frame @ kernel + outside
        u = sigmoid(a[update] + state @ recurrent[:, update] + inside[update])
        r = sigmoid(a[reset] + state @ recurrent[:, reset] + inside[reset])
        if layer.reset_after:
            c = np.tanh(a[candidate] + r * (state @ recurrent[:, candidate] + inside[candidate]))
        else:
            c = np.tanh(a[candidate] + (r * state) @ recurrent[:, candidate])
        state = u * state + (1 - u) * c
        states.append(state)
    return np.array(states)


@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_computes_its_equations(reset_after):
    config = replace(SMALL, reset_after=reset_after)
    model = randomised(build(config))
    data = inputs(config, batch=2, steps=6)
    sequence = np.float64(outputs_of(model, "unfold", data))
    result = numpy(model(data))
    output = model.get_layer("valence_arousal")
    for video in range(2):
        x = sequence[video]
        for name in ("gru1", "gru2"):
            x = gru_loop(x, model.get_layer(name))
        expected = x @ numpy(output.kernel) + numpy(output.bias)
        np.testing.assert_allclose(result[video], expected, rtol=1e-4, atol=1e-5)


def test_width_multiplies_every_layer():
    config = replace(SMALL, width=0.25, hidden=(100, 1), recurrent_units=(30, 10))
    model = build(config)
    units = {layer.name: layer.units for layer in model.layers if hasattr(layer, "units")}
    assert units == {"fc1": 25, "fc2": 1, "gru1": 8, "gru2": 2, "valence_arousal": 2}
    assert [model.get_layer(f"conv{i}").filters for i in (1, 3, 5, 8, 13)] == [16, 32, 64, 128, 128]
    assert build(replace(CNN, width=1e-6)).get_layer("conv13").filters == 1


# Saving, seeds, precision, gradients.


# Every network of the papers is saved and loaded by test_family.py.
@pytest.mark.parametrize(("backbone", "reset_after"), [("cnn_m", False), ("vgg16", False), ("vgg16", True)])
def test_save_and_load(backbone, reset_after, tmp_path):
    config = replace(SMALL, backbone=backbone, reset_after=reset_after)
    model = randomised(build(config))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    data = inputs(config)
    np.testing.assert_array_equal(numpy(loaded(data)), numpy(model(data)))
    assert [w.path for w in loaded.weights] == [w.path for w in model.weights]


def test_the_seed_decides_weights_and_dropout():
    def run(seed):
        keras.utils.set_random_seed(seed)
        model = build(SMALL)
        weights = [numpy(weight) for weight in model.trainable_weights]
        return weights, numpy(model(inputs(SMALL), training=True))

    weights, outputs = run(7)
    same_weights, same_outputs = run(7)
    other_weights, _ = run(8)
    assert all(map(np.array_equal, weights, same_weights))
    np.testing.assert_array_equal(outputs, same_outputs)
    assert not all(map(np.array_equal, weights, other_weights))
    kernels = [w for w in weights if w.ndim == 4 and w.shape == (3, 3, 26, 26)]
    assert len(kernels) > 1
    assert not np.array_equal(kernels[0], kernels[1])  # one initialiser object for all would make them equal


@pytest.mark.parametrize("backbone", ["cnn_m", "vgg16", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_the_output_is_float32_under_mixed_precision(backbone, tmp_path):
    config = replace(SMALL, backbone=backbone)
    plain = build(config)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build(config)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(plain.get_weights())
    assert mixed.get_layer("fc1").compute_dtype == "bfloat16"
    assert {mixed.get_layer(name).compute_dtype for name in ("gru1", "gru2", "normalise")} == {"float32"}
    data = inputs(config)
    expected, result = numpy(plain(data)), mixed(data)
    assert result.dtype == "float32"
    # How rounding propagates through the recurrent layers depends on their random weights; their input does not.
    features, rounded = (outputs_of(model, "fc1", data) for model in (plain, mixed))
    np.testing.assert_allclose(rounded.astype("float32"), features, atol=0.1 * np.abs(features).max())
    np.testing.assert_allclose(result, expected, atol=0.5 * np.abs(expected).max())
    mixed.save(tmp_path / "mixed.keras")
    loaded = keras.models.load_model(tmp_path / "mixed.keras")
    np.testing.assert_array_equal(numpy(loaded(data)), numpy(result))


def test_every_weight_learns():
    import tensorflow as tf

    from affwildnet import losses

    keras.utils.set_random_seed(0)
    model = build(replace(SMALL, backbone="cnn_m", width=0.1))
    data = inputs(SMALL, batch=2, steps=8)
    labels = np.random.default_rng(1).uniform(-1, 1, (2, 8, 2)).astype("float32")
    with tf.GradientTape() as tape:
        loss = losses.ccc(labels, model(data, training=True), np.ones((2, 8)))
    gradients = tape.gradient(loss, model.trainable_weights)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


# Imports.


def test_no_backend_is_named():
    package = Path(affwildnet.__file__).parent
    files = [*package.glob("models/**/*.py"), package / "losses.py", package / "metrics.py"]
    allowed_here = (
        "affwildnet.models",
        "affwildnet.experiments",
        "tfrecords_tools.errors",
        "tfrecords_tools.records.schema",
    )
    assert len(files) > 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                assert name.split(".")[0] not in ("tensorflow", "jax", "torch"), f"{file.name} imports {name}"
                if name.split(".")[0] in ("affwildnet", "tfrecords_tools"):
                    assert name.startswith(allowed_here), f"{file.name} imports {name}"
