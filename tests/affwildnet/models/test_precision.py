"""bfloat16 on a processor without instructions for it, against rounding by another library."""

from dataclasses import replace

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import devices, models
from affwildnet.models.fusion import fuse_decisions
from affwildnet.models.precision import Rounded, with_precision
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY


def rounded(values):
    return np.float32(np.float32(values).astype(ml_dtypes.bfloat16))


def test_values_are_rounded_to_the_nearest_in_a_graph_too():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    for compute in (Rounded(), tf.function(Rounded())):
        np.testing.assert_array_equal(compute(values), rounded(values))
    assert (rounded(values) != values).mean() > 0.9


def test_products_of_rounded_values_are_summed_in_float32():
    rng = np.random.default_rng(1)
    entrance = keras.Input((None, 40), name="x")
    hidden = keras.layers.Dense(30, "relu", name="fc1")(entrance)
    model = keras.Model(entrance, keras.layers.Dense(2, name="valence_arousal")(hidden))
    x = rng.normal(size=(3, 5, 40)).astype(np.float32)
    kernel, bias, output, offset = (weight.astype(np.float64) for weight in model.get_weights())
    # The output layer is exact, and its input is not rounded.
    expected = np.maximum(np.float64(rounded(x)) @ rounded(kernel) + rounded(bias), 0) @ output + offset
    found = with_precision(model, "bfloat16", native=False)
    np.testing.assert_allclose(numpy(found(x)), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(numpy(model(x)) - expected).max() > 1e-4


@pytest.mark.parametrize("changes", [{}, {"separate": True}])
def test_the_emulation_is_as_close_to_float32_as_the_instructions(changes):
    keras.utils.set_random_seed(0)
    model = models.build(replace(TINY.model, width=0.1, **changes))
    rng = np.random.default_rng(2)
    inputs = {"frames": rng.integers(0, 256, (4, 8, 32, 32, 3), np.uint8), "landmarks": rng.random((4, 8, 68, 2))}
    inputs = {tensor.name: inputs[tensor.name] for tensor in model.inputs}
    exact = numpy(model(inputs))
    native, emulated = (numpy(with_precision(model, "bfloat16", native)(inputs)) for native in (True, False))
    # Over many frames: the largest error is that of one, which chance decides.
    errors = [np.sqrt(np.mean((computed - exact) ** 2)) for computed in (emulated, native)]
    assert 0 < errors[0] <= 1.5 * errors[1]


def test_the_instructions_of_the_processor_are_read(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(devices, "Path", lambda path: cpuinfo if path == "/proc/cpuinfo" else None)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    for text, has in (("flags : avx512f avx512_bf16 fma", True), ("flags : avx512f avx512_vnni", False)):
        cpuinfo.write_text(text)
        assert devices.has_bfloat16() == has
    cpuinfo.unlink()
    assert not devices.has_bfloat16()
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0"])
    assert devices.has_bfloat16()


@pytest.mark.parametrize(("precision", "native"), [("float32", True), ("bfloat16", False)])
def test_the_landmarks_statistics_are_those_of_the_network(precision, native):
    keras.utils.set_random_seed(3)
    model = models.build(replace(TINY.model, width=0.1, standardise_landmarks=True))
    rng = np.random.default_rng(4)
    points = np.float32(0.5 + 0.1 * rng.normal(size=(1, 6, 68, 2)))
    models.fit_landmarks(model, points[0])
    inputs = {"frames": rng.integers(0, 256, (1, 6, 32, 32, 3), np.uint8), "landmarks": points}
    expected = numpy(model(inputs))
    np.testing.assert_allclose(numpy(with_precision(model, precision, native)(inputs)), expected, atol=0.05)
    fused = fuse_decisions([model, model], np.ones((2, 2)))
    np.testing.assert_allclose(numpy(fused(inputs)), expected, atol=1e-5)
