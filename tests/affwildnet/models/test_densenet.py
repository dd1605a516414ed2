"""A small dense network against the same in raw TensorFlow; test_backbones.py has those of full size."""

import keras
import pytest
import tensorflow as tf

from affwildnet.models.backbones.densenet import densenet
from tests.helpers.raw_networks import assert_taps_are_those_of, convolved, normalised, scattered

EPSILON = 1.001e-5
BLOCKS = (2, 3, 1, 2)
GROWTH = 5  # 32 * 0.15 = 4.8
STEM = 10  # 64 * 0.15 = 9.6


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    return scattered(keras.Model(images, densenet(images, 0.15, BLOCKS)))


def raw(network, x):
    """All taps by name."""

    def rectified(x, name):
        return tf.nn.relu(normalised(network, name, x, EPSILON))

    taps = {}
    x = taps["conv1"] = rectified(convolved(network, "conv1_conv", x, 2, pad=3), "conv1_bn")
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = taps["pool1"] = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for block, size in enumerate(BLOCKS, start=2):
        for index in range(1, size + 1):
            name = f"conv{block}_block{index}"
            new = convolved(network, f"{name}_1_conv", rectified(x, f"{name}_0_bn"))
            new = convolved(network, f"{name}_2_conv", rectified(new, f"{name}_1_bn"), pad=1)
            x = tf.concat([x, new], axis=-1)
        taps[f"conv{block}"] = x
        if block < 5:
            x = convolved(network, f"pool{block}_conv", rectified(x, f"pool{block}_bn"))
            x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    taps["features"] = tf.reduce_mean(rectified(x, "bn"), (1, 2))
    return taps


@pytest.mark.parametrize("side", [64, 49])
def test_taps_are_those_of_the_raw_network(network, side):
    assert_taps_are_those_of(raw, network, side)


def test_width_scales_the_stem_and_the_growth(network):
    filters = {
        layer.name: (layer.filters, layer.kernel_size[0])
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    expected = {"conv1_conv": (STEM, 7)}
    channels = STEM
    for block, size in enumerate(BLOCKS, start=2):
        for index in range(1, size + 1):
            expected[f"conv{block}_block{index}_1_conv"] = (4 * GROWTH, 1)
            expected[f"conv{block}_block{index}_2_conv"] = (GROWTH, 3)
            channels += GROWTH
        if block < 5:
            channels //= 2
            expected[f"pool{block}_conv"] = (channels, 1)
    assert filters == expected
    assert network.output["features"].shape == (None, channels)
    assert not any(layer.use_bias for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
