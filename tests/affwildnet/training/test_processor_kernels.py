"""Kernels of a training step on a processor, beside NumPy and beside the step by Keras's own."""

import contextlib
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.config import TrainingConfig
from affwildnet.training import processor_kernels
from affwildnet.training.step import TrainStep
from tests.helpers.networks import numpy

SHAPE = (2, 9, 7, 3)


@pytest.fixture
def convolution():
    """A convolution with a stride, a bias that matters and a ReLU."""
    made = keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", bias_initializer="random_normal")
    made.build(SHAPE)
    return made


def normalisation(**options):
    """Batch normalisation whose weights and moving averages matter."""
    made = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, **options)
    made.build(SHAPE)
    rng = np.random.default_rng(5)
    made.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in made.get_weights()])
    return made


def network(layer):
    entrance = keras.Input(SHAPE[1:])
    return keras.Model(entrance, layer(entrance))


def gradients(model, images, factors):
    """Return output and gradients of the sum of the outputs times `factors`, and the operations of the graph."""

    @tf.function
    def run(images):
        with processor_kernels.chosen(model), tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            total = tf.reduce_sum(outputs * factors)
        return outputs, *tape.gradient(total, [*(weight.value for weight in model.trainable_variables), images])

    kinds = [op.type for op in run.get_concrete_function(tf.constant(images)).graph.get_operations()]
    return [value.numpy() for value in run(tf.constant(images))], kinds


def test_gradients_of_biases_are_sums_over_images_and_pixels(convolution):
    rng = np.random.default_rng(0)
    images = rng.normal(size=SHAPE).astype("float32")
    factors = rng.normal(size=(2, 5, 4, 5)).astype("float32")
    (outputs, kernel, bias, _), kinds = gradients(network(convolution), images, factors)
    assert "BiasAddGrad" not in kinds
    upstream = factors * (outputs > 0)
    expected = np.zeros(5)
    for image in upstream:
        for row in image:
            for pixel in row:
                expected += pixel
    np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-6)
    # One weight of the kernel by hand: input channel 2 at the centre of the window, output channel 4.
    met = images[:, ::2, ::2, 2]
    np.testing.assert_allclose(kernel[1, 1, 2, 4], (met * upstream[..., 4]).sum(), rtol=1e-4)
    np.testing.assert_array_equal(outputs, numpy(convolution(images)))


def test_batch_normalisation_is_that_of_the_equations():
    """Ioffe and Szegedy 2015, algorithm 1 and section 3, in float64."""
    rng = np.random.default_rng(1)
    images = rng.normal(2, 3, SHAPE).astype("float32")
    factors = rng.normal(size=SHAPE).astype("float32")
    layer = normalisation()
    gamma, beta, moving_mean, moving_variance = (weight.copy() for weight in layer.get_weights())
    (outputs, own_gamma, own_beta, own_images), kinds = gradients(network(layer), images, factors)
    assert kinds.count("FusedBatchNormV3") == kinds.count("FusedBatchNormGradV3") == 1

    x, upstream = images.reshape(-1, 3).astype("float64"), factors.reshape(-1, 3).astype("float64")
    mean, variance = x.mean(0), ((x - x.mean(0)) ** 2).mean(0)
    normalised = (x - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(outputs.reshape(-1, 3), gamma * normalised + beta, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(own_beta, upstream.sum(0), rtol=1e-4)
    np.testing.assert_allclose(own_gamma, (upstream * normalised).sum(0), rtol=1e-4)
    back = upstream - upstream.mean(0) - normalised * (upstream * normalised).mean(0)
    expected = gamma / np.sqrt(variance + 1e-3) * back
    np.testing.assert_allclose(own_images.reshape(-1, 3), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.moving_mean), 0.9 * moving_mean + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(numpy(layer.moving_variance), 0.9 * moving_variance + 0.1 * variance, rtol=1e-5)


@pytest.mark.parametrize("channels", [0, 1])
def test_a_channel_without_variance_is_normalised_to_its_offset(channels):
    images = np.zeros(SHAPE, "float32") + channels * 1e3
    (outputs, *found), _ = gradients(network(normalisation()), images, np.ones(SHAPE, "float32"))
    layer = normalisation()
    np.testing.assert_allclose(outputs, np.broadcast_to(numpy(layer.beta), SHAPE), atol=2e-2)
    assert all(np.isfinite(value).all() for value in found)


def test_layers_are_afterwards_as_before(convolution):
    model = keras.Sequential([keras.Input(SHAPE[1:]), normalisation(), convolution])
    config = model.get_config()
    with pytest.raises(ValueError, match="incompatible"), processor_kernels.chosen(model):
        model(np.zeros((1, 2), "float32"))
    assert all("call" not in vars(layer) for layer in model.layers)
    assert model.get_config() == config
    assert len(model.trainable_variables) == 4


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, dtype="mixed_bfloat16"),
        keras.layers.Conv2D(4, 3, dtype="mixed_float16"),
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.Conv2D(4, 3, data_format="channels_first"),
        keras.layers.BatchNormalization(dtype="mixed_float16"),
        keras.layers.BatchNormalization(scale=False),
        keras.layers.BatchNormalization(axis=1),
        keras.layers.BatchNormalization(renorm=True),
        keras.layers.LayerNormalization(),
    ],
)
def test_other_layers_are_left_as_they_are(layer):
    model = network(layer)
    with processor_kernels.chosen(model):
        assert "call" not in vars(layer)


@pytest.mark.parametrize("training", [True, False])
def test_frozen_normalisation_and_evaluation_are_as_before_bit_for_bit(training):
    layer = normalisation()
    layer.trainable = not training
    model = network(layer)
    images = np.random.default_rng(2).normal(size=SHAPE).astype("float32")
    before = numpy(model(images, training=training))
    state = [weight.copy() for weight in layer.get_weights()]
    with processor_kernels.chosen(model):
        np.testing.assert_array_equal(numpy(model(images, training=training)), before)
    for one, other in zip(state, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_moments_of_all_devices_stay_with_keras():
    layer = normalisation(synchronized=True)
    _, kinds = gradients(network(layer), np.ones(SHAPE, "float32"), np.ones(SHAPE, "float32"))
    assert "FusedBatchNormV3" not in kinds


def test_gpus_keep_the_layers_as_they_are(convolution, monkeypatch):
    monkeypatch.setattr(processor_kernels, "has_gpu", lambda: True)
    with processor_kernels.chosen(network(convolution)):
        assert "call" not in vars(convolution)


@pytest.mark.parametrize(
    ("precision", "jit_compile", "bound"),
    [("float32", "auto", 1e-4), ("float32", "true", 1e-4), ("mixed_bfloat16", "auto", 2e-2)],
)
def test_a_training_step_is_the_same_but_for_rounding(monkeypatch, precision, jit_compile, bound):
    config = replace(TrainingConfig(), batch_size=2, window=4, jit_compile=jit_compile, precision=precision)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        chosen = trained(config)
        monkeypatch.setattr(processor_kernels, "chosen", lambda model: contextlib.nullcontext())
        plain = trained(config)
    finally:
        keras.config.set_dtype_policy(policy)
    (outcomes, kinds, weights), (others, their_kinds, their_weights) = chosen, plain
    assert their_kinds.count("BiasAddGrad") - kinds.count("BiasAddGrad") == (2 if precision == "float32" else 0)
    assert (kinds.count("FusedBatchNormV3"), their_kinds.count("FusedBatchNormV3")) == (2, 0)
    for one, other in zip(outcomes, others, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=bound)
        assert one.norm == pytest.approx(other.norm, rel=10 * bound)
    for one, other in zip(weights, their_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=bound, atol=3 * 1e-3)  # a rounding turns an update of Adam around
        assert np.median(np.abs(one - other)) <= 1e-4


def trained(config):
    """Return the outcomes of three steps, the operations of their graph, and the weights after them."""
    model = small()
    step = TrainStep(model, config, tf.distribute.get_strategy())
    batch = {key: tf.constant(value) for key, value in given().items()}
    outcomes = [step(batch)() for _ in range(3)]
    graph = step._compiled.get_concrete_function(*step._fed(batch)).graph
    weights = [weight.astype("float32") for weight in model.get_weights()]
    return outcomes, [op.type for op in graph.get_operations()], weights


def given():
    rng = np.random.default_rng(3)
    return {
        "frames": rng.normal(size=(2, 4, 8, 8, 3)).astype("float32"),
        "labels": rng.uniform(-1, 1, (2, 4, 2)).astype("float32"),
        "mask": np.ones((2, 4), "float32"),
    }


def small():
    """A network of three convolutions, two with a bias, and two batch normalisations, partly in a network within."""
    keras.utils.set_random_seed(4)
    image = keras.Input((8, 8, 3))
    inner = keras.layers.Conv2D(4, 3, activation="relu")(image)
    inner = keras.Model(image, keras.layers.BatchNormalization()(inner))
    frames = keras.Input((4, 8, 8, 3), name="frames")
    values = keras.layers.Conv2D(4, 3, padding="same")(keras.ops.reshape(frames, (-1, 8, 8, 3)))
    values = keras.layers.ReLU()(keras.layers.BatchNormalization()(values))
    values = inner(keras.layers.Conv2D(3, 1, use_bias=False)(values))
    values = keras.layers.Dense(2, activation="tanh", dtype="float32")(keras.ops.reshape(values, (-1, 4, 6 * 6 * 4)))
    model = keras.Model({"frames": frames}, values)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model
