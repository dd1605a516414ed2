"""The two operations of which a residual or dense network is written out in raw TensorFlow, and weights to try it."""

import keras
import numpy as np
import tensorflow as tf


def scattered(model, seed=0):
    """Give a network's normalisations and biases values far from those that they start with; variances below 1 too."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            values = (rng.uniform(0.5, 1.5, size), rng.normal(0, 0.3, size))
            layer.set_weights([*values, rng.normal(0, 0.3, size), rng.uniform(0.3, 2, size)])
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    return model


def convolved(model, name, x, stride=1, pad=0):
    """`tf.nn.conv2d` with the kernel of a layer of `model`, VALID behind `pad` zeros on every side."""
    (kernel,) = model.get_layer(name).get_weights()
    edges = [[0, 0], [pad, pad], [pad, pad], [0, 0]]
    return tf.nn.conv2d(tf.pad(x, edges), kernel, stride, "VALID")


def normalised(model, name, x, epsilon):
    """Batch normalisation by the moving statistics of a layer of `model`."""
    gamma, beta, mean, variance = model.get_layer(name).get_weights()
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def assert_taps_are_those_of(raw, network, side):
    """Compare all taps of a network with those of `raw(network, images)` on random images of this side."""
    images = np.random.default_rng(side).uniform(-1, 1, (2, side, side, 3)).astype("float32")
    expected = raw(network, images)
    result = network(images)
    assert list(result) == list(expected)
    for name, value in expected.items():
        value = value.numpy()
        assert value.std() > 0.01
        np.testing.assert_allclose(result[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)
