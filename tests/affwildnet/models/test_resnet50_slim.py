"""Slim's ResNet-50 against the same network in raw TensorFlow, from the published description of Slim's layers."""

import keras
import pytest
import tensorflow as tf

from affwildnet.models import BACKBONES
from tests.helpers.raw_networks import assert_taps_are_those_of, convolved, normalised, scattered

EPSILON = 1e-5
UNITS = {1: 3, 2: 4, 3: 6, 4: 3}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    return scattered(keras.Model(images, BACKBONES["resnet50_slim"](images, 0.07)))


def unit(network, x, name, stride):
    def part(x, suffix, stride=1, pad=0):
        x = convolved(network, f"{name}_{suffix}", x, stride, pad)
        return normalised(network, f"{name}_{suffix}_bn", x, EPSILON)

    shortcut = part(x, "shortcut", stride) if name.endswith("unit1") else tf.nn.max_pool2d(x, 1, stride, "VALID")
    x = tf.nn.relu(part(x, "conv1"))
    x = tf.nn.relu(part(x, "conv2", stride, pad=1))
    return tf.nn.relu(shortcut + part(x, "conv3"))


def raw(network, x):
    """All taps by name."""
    taps = {}
    x = normalised(network, "conv1_bn", convolved(network, "conv1", x, 2, pad=3), EPSILON)
    x = taps["conv1"] = tf.nn.relu(x)
    x = taps["pool1"] = tf.nn.max_pool2d(x, 3, 2, "SAME")
    for block, units in UNITS.items():
        for index in range(1, units + 1):
            last = index == units and block < 4
            x = unit(network, x, f"block{block}_unit{index}", 2 if last else 1)
        taps[f"block{block}"] = x
    taps["features"] = tf.reduce_mean(x, (1, 2))
    return taps


@pytest.mark.parametrize("side", [96, 33])
def test_taps_are_those_of_the_raw_network(network, side):
    assert_taps_are_those_of(raw, network, side)


def test_layer_names(network):
    expected = {"conv1"}
    for block, units in UNITS.items():
        expected.add(f"block{block}_unit1_shortcut")
        expected.update(f"block{block}_unit{u}_conv{c}" for u in range(1, units + 1) for c in (1, 2, 3))
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert {layer.name for layer in convolutions} == expected
    assert len(expected) == 53
    assert not any(layer.use_bias for layer in convolutions)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.name for layer in norms} == {f"{name}_bn" for name in expected}
    assert {layer.epsilon for layer in norms} == {EPSILON}
    assert network.get_layer("pool5").output is network.output["features"]
