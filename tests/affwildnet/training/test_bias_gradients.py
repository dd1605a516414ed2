"""Gradients of the biases of convolutions as products, beside NumPy's sums and the step without them."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.config import TrainingConfig
from affwildnet.training import bias_gradients
from affwildnet.training.step import TrainStep
from tests.helpers.networks import numpy

SHAPE = (2, 9, 7, 3)


@pytest.fixture
def layer():
    """A convolution with a stride, a bias that matters and a ReLU."""
    made = keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", bias_initializer="random_normal")
    made.build(SHAPE)
    return made


def network(layer):
    entrance = keras.Input(SHAPE[1:])
    return keras.Model(entrance, layer(entrance))


def gradients(model, images, factors):
    """Return output, and gradients of kernel and bias, of the sum of the outputs times `factors`, from a graph."""

    @tf.function
    def run():
        with bias_gradients.as_products(model), tf.GradientTape() as tape:
            outputs = model(images)
            total = tf.reduce_sum(outputs * factors)
        return outputs, *tape.gradient(total, [weight.value for weight in model.trainable_variables])

    kinds = [op.type for op in run.get_concrete_function().graph.get_operations()]
    return [value.numpy() for value in run()], kinds


def test_they_are_sums_over_images_and_pixels(layer):
    rng = np.random.default_rng(0)
    images = rng.normal(size=SHAPE).astype("float32")
    factors = rng.normal(size=(2, 5, 4, 5)).astype("float32")
    (outputs, kernel, bias), kinds = gradients(network(layer), images, factors)
    assert "BiasAddGrad" not in kinds
    upstream = factors * (outputs > 0)
    expected = np.zeros(5)
    for image in upstream:
        for row in image:
            for pixel in row:
                expected += pixel
    np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-6)
    # One weight of the kernel by hand: input channel 2 at the centre of the window, output channel 4.
    rows, columns = np.arange(5) * 2, np.arange(4) * 2
    met = images[:, rows][:, :, columns, 2]
    np.testing.assert_allclose(kernel[1, 1, 2, 4], (met * upstream[..., 4]).sum(), rtol=1e-4)
    np.testing.assert_array_equal(outputs, numpy(layer(images)))


def test_layers_are_afterwards_as_before(layer):
    model = network(layer)
    config = model.get_config()
    with pytest.raises(ValueError, match="incompatible"), bias_gradients.as_products(model):
        model(np.zeros((1, 2), "float32"))
    assert layer.use_bias
    assert "convolution_op" not in vars(layer)
    assert model.get_config() == config
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize(
    "options",
    [{"dtype": "mixed_bfloat16"}, {"dtype": "mixed_float16"}, {"use_bias": False}, {"data_format": "channels_first"}],
)
def test_other_layers_are_left_as_they_are(options):
    layer = keras.layers.Conv2D(4, 3, **options)
    model = network(layer)
    operation = layer.convolution_op
    with bias_gradients.as_products(model):
        assert layer.convolution_op == operation
        assert layer.use_bias is options.get("use_bias", True)


def test_gpus_keep_both_together(layer, monkeypatch):
    monkeypatch.setattr(bias_gradients, "has_gpu", lambda: True)
    model = network(layer)
    with bias_gradients.as_products(model):
        assert layer.use_bias


class Plain:
    """The step as TensorFlow computes it by itself."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("jit_compile", ["auto", "true"])
def test_a_training_step_is_the_same_but_for_rounding(monkeypatch, jit_compile):
    config = replace(TrainingConfig(), batch_size=2, window=4, jit_compile=jit_compile, precision="float32")
    found = {}
    for name in ("products", "plain"):
        if name == "plain":
            monkeypatch.setattr(bias_gradients, "as_products", lambda model: Plain())
        model = small()
        step = TrainStep(model, config, tf.distribute.get_strategy())
        batch = {key: tf.constant(value) for key, value in given().items()}
        outcomes = [step(batch)() for _ in range(3)]
        kinds = [op.type for op in graph_operations(step, batch)]
        found[name] = outcomes, kinds.count("BiasAddGrad"), [weight.copy() for weight in model.get_weights()]
    (products, own, ours), (plain, all_of_them, theirs) = found["products"], found["plain"]
    assert all_of_them - own == 2  # those of the two convolutions
    for one, other in zip(products, plain, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        np.testing.assert_allclose(one.gradients, other.gradients, rtol=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def graph_operations(step, batch):
    return step._compiled.get_concrete_function(*step._fed(batch)).graph.get_operations()


def given():
    rng = np.random.default_rng(3)
    return {
        "frames": rng.normal(size=(2, 4, 8, 8, 3)).astype("float32"),
        "labels": rng.uniform(-1, 1, (2, 4, 2)).astype("float32"),
        "mask": np.ones((2, 4), "float32"),
    }


def small():
    """A network of two convolutions, one of them within a network in it."""
    keras.utils.set_random_seed(4)
    image = keras.Input((8, 8, 3))
    inner = keras.Model(image, keras.layers.Conv2D(4, 3, activation="relu")(image))
    frames = keras.Input((4, 8, 8, 3), name="frames")
    values = keras.layers.Conv2D(4, 3, padding="same")(keras.ops.reshape(frames, (-1, 8, 8, 3)))
    values = inner(keras.layers.Conv2D(3, 1, use_bias=False)(values))
    values = keras.layers.Dense(2, activation="tanh")(keras.ops.reshape(values, (-1, 4, 6 * 6 * 4)))
    model = keras.Model({"frames": frames}, values)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model
