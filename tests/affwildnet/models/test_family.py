"""Every network of the papers: its results, when saved and loaded, on another backend, compiled, in low precision."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import losses
from affwildnet.experiments.networks import NETWORKS
from affwildnet.models import build
from tests.helpers import family, on_jax
from tests.helpers.networks import DEEP


def takes_long(config):
    """Deep backbones have hundreds of layers, and fused networks several backbones."""
    return config.backbone in DEEP or bool(config.members)


MIXED = ("mixed_bfloat16", "mixed_float16")


@pytest.fixture(scope="module")
def goldens():
    return family.read_goldens()


# Compiling hundreds of layers takes long: only the first network of each deep backbone.
KINDS = {
    (config.backbone, config.recurrent) if config.backbone in DEEP else name: name
    for name, config in reversed(NETWORKS.items())
}
ONE_OF_A_KIND = [name for name in NETWORKS if name in KINDS.values()]


@pytest.fixture(scope="module")
def one(request):
    """A network's name, the network and the arguments of its call: built once for the tests that share it."""
    return request.param, *family.network(request.param)


def assert_same(computed, golden, name):
    """Within 1e-4, or where outputs are large (random residual networks grow) within 1e-5 of the largest."""
    np.testing.assert_allclose(computed, golden, rtol=0, atol=max(1e-4, 1e-5 * np.abs(golden).max()), err_msg=name)


def test_every_network_has_a_golden(goldens):
    assert list(goldens) == list(NETWORKS)
    for values in goldens.values():
        assert np.ptp(values[..., 0]) > 0.01  # a constant must not pass the tolerance below


@pytest.mark.parametrize(
    "one",
    [pytest.param(name, marks=[pytest.mark.slow] * takes_long(NETWORKS[name])) for name in NETWORKS],
    indirect=True,
    scope="module",
)
def test_golden_and_round_trip(one, goldens, tmp_path):
    name, model, data = one
    config = NETWORKS[name]
    landmarks = any(member.landmarks for member in config.members) if config.members else config.landmarks
    assert [tensor.name for tensor in model.inputs] == ["frames", "landmarks"][: 1 + landmarks]
    computed = np.asarray(model(data))
    assert_same(computed, goldens[name], name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(data)), computed)


@pytest.mark.slow
def test_jax_computes_the_same(goldens, tmp_path):
    path = tmp_path / "jax.npz"
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.family", path, *ONE_OF_A_KIND],
        env=on_jax.environment(),
        check=True,
        timeout=1200,
    )
    with np.load(path) as outputs:
        assert set(outputs) == set(ONE_OF_A_KIND)
        for name in ONE_OF_A_KIND:
            assert_same(outputs[name], goldens[name], name)


@pytest.mark.slow
@pytest.mark.parametrize("one", ONE_OF_A_KIND, indirect=True, scope="module")
def test_xla_computes_the_same(one, goldens):
    name, model, data = one
    compiled = tf.function(lambda batch: model(batch, training=False), jit_compile=True)
    assert_same(compiled(data), goldens[name], name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_mixed_precision_is_near_and_trains(name, goldens):
    for policy in MIXED:
        keras.config.set_dtype_policy(policy)
        try:
            model, data = family.network(name)
        finally:
            keras.config.set_dtype_policy("float32")
        assert model.get_layer(index=-1).compute_dtype == "float32"
        computed = np.asarray(model(data))
        # bfloat16 keeps 8 significant bits, float16 11: errors of a few percent of the outputs' range.
        spread = np.ptp(goldens[name])
        np.testing.assert_allclose(computed, goldens[name], atol=0.3 * spread, err_msg=policy)
        _assert_gradients_are_finite(model, data, policy)


def _assert_gradients_are_finite(model, data, what):
    labels = np.random.default_rng(1).uniform(-1, 1, (family.BATCH, family.STEPS, model.output.shape[-1]))
    with tf.GradientTape() as tape:
        predictions = model(data, training=True)
        if model.output.shape[-1] == 2:
            loss = losses.ccc(labels.astype("float32"), predictions, np.ones(labels.shape[:2], "float32"))
        else:
            loss = tf.reduce_mean((predictions - labels) ** 2)
    gradients = tape.gradient(loss, model.trainable_weights)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, f"{what}: {weight.path}"
        assert np.isfinite(gradient).all(), f"{what}: {weight.path}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn_m", "thesis_vgg_face_lstm", "thesis_vgg_face_attention"])
def test_a_training_step_compiles_with_xla(name):
    keras.utils.set_random_seed(0)
    model = build(family.config_of(name))
    data = family.inputs(family.config_of(name))
    data = {tensor.name: data[tensor.name] for tensor in model.inputs}
    labels = np.random.default_rng(1).uniform(-1, 1, (family.BATCH, family.STEPS, 2)).astype("float32")

    def gradients(batch):
        with tf.GradientTape() as tape:
            loss = losses.ccc(labels, model(batch, training=False), np.ones(labels.shape[:2], "float32"))
        return tape.gradient(loss, [weight.value for weight in model.trainable_weights])

    plain = tf.function(gradients)(data)
    compiled = tf.function(gradients, jit_compile=True)(data)
    for weight, one, other in zip(model.trainable_weights, plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * max(1.0, np.abs(one).max()), err_msg=weight.path)
