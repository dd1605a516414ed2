"""Weights and multiplications per frame, against published numbers and numbers computed by hand."""

import math
import random
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet.experiments import EXPERIMENTS, costs
from affwildnet.experiments.networks import NETWORKS
from affwildnet.models import build, cost
from affwildnet.models.backbones import BACKBONES
from affwildnet.models.cloning import weightless
from affwildnet.models.cost import multiply_adds, parameters
from tests.helpers.networks import SMALL, trainable

# Multiplications, by hand.


def vgg_convolutions(side):
    """A plain loop over the table: a 3x3 kernel at every pixel, the side halved, rounded up, after each block."""
    total, channels = 0, 3
    for block in ([64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3):
        for filters in block:
            total += side * side * 9 * channels * filters
            channels = filters
        side = math.ceil(side / 2)
    return total


def resnet_convolutions(side, strides, strided_unit, strided_kernel):
    """Units of 1x1, 3x3, 1x1, a projection in the first of each block; the versions place the stride differently."""
    side = math.ceil(side / 2)
    total, channels = side * side * 49 * 3 * 64, 64
    side = math.ceil(side / 2)
    for narrow, units, stride in zip((64, 128, 256, 512), (3, 4, 6, 3), strides, strict=True):
        for unit in range(units):
            strided = unit == (0 if strided_unit == "first" else units - 1)
            after = math.ceil(side / stride) if strided else side
            between = after if strided_kernel == 1 else side
            total += between**2 * channels * narrow + after**2 * 9 * narrow**2 + after**2 * narrow * 4 * narrow
            if unit == 0:
                total += after**2 * channels * 4 * narrow
            side, channels = after, 4 * narrow
    return total


def densenet_convolutions(side, blocks):
    side = math.ceil(side / 2)
    total, channels = side * side * 49 * 3 * 64, 64
    side = math.ceil(side / 2)
    for index, size in enumerate(blocks):
        for _ in range(size):
            total += side * side * (channels * 128 + 9 * 128 * 32)
            channels += 32
        if index < 3:
            total += side * side * channels * (channels // 2)
            side, channels = side // 2, channels // 2
    return total


def backbone(name, side):
    def built():
        images = keras.Input((side, side, 3))
        return keras.Model(images, BACKBONES[name](images, 1.0)["features"])

    return multiply_adds(weightless(built))


def test_the_loops_give_the_published_numbers():
    # Of the classifiers for 1,000 classes at 224 x 224; in 10^9, as their authors or reimplementers state them.
    fully_connected = 25_088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert round((vgg_convolutions(224) + fully_connected) / 1e9, 2) == 15.47
    assert round((resnet_convolutions(224, (1, 2, 2, 2), "first", 3) + 2048 * 1000) / 1e9, 2) == 4.09
    assert round((resnet_convolutions(224, (1, 2, 2, 2), "first", 1) + 2048 * 1000) / 1e9, 2) == 3.86
    assert round((densenet_convolutions(224, (6, 12, 24, 16)) + 1024 * 1000) / 1e9, 2) == 2.83
    assert round((densenet_convolutions(224, (6, 12, 32, 32)) + 1664 * 1000) / 1e9, 2) == 3.36


@pytest.mark.parametrize("side", [224, 96])
def test_vgg16(side):
    assert backbone("vgg16", side) == vgg_convolutions(side)
    if side == 224:
        assert vgg_convolutions(side) == 15_346_630_656


def test_residual_networks():
    assert backbone("resnet50", 224) == resnet_convolutions(224, (1, 2, 2, 2), "first", 1)
    assert backbone("resnet50_slim", 96) == resnet_convolutions(96, (2, 2, 2, 1), "last", 3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "blocks"), [("densenet121", (6, 12, 24, 16)), ("densenet169", (6, 12, 32, 32))])
def test_dense_networks(name, blocks):
    assert backbone(name, 224) == densenet_convolutions(224, blocks)


def test_affwildnet():
    # Landmarks at the first hidden layer, two GRUs (three gates on input and state), two outputs.
    dense = (4608 + 136) * 4096 + 3 * 128 * (4096 + 128) + 3 * 128 * (128 + 128) + 128 * 2
    expected = 2 * (vgg_convolutions(96) + dense) / 1e9
    assert cost.of(NETWORKS["affwildnet_vggface"]).gflops == pytest.approx(expected, rel=1e-12)


def test_recurrence_on_taps():
    # Three stacks, on pool2 (24 x 24 x 128), pool5 and fc; a second GRU in each; two outputs on all three.
    recurrent = sum(3 * 128 * (size + 128 + 128 + 128) for size in (24 * 24 * 128, 4608, 4096))
    expected = 2 * (vgg_convolutions(96) + (4608 + 136) * 4096 + recurrent + 3 * 128 * 2) / 1e9
    assert cost.of(NETWORKS["cnn_3rnn"]).gflops == pytest.approx(expected, rel=1e-12)


# The recurrent layers read the backbone's features directly. Peepholes and the recurrent weights of an IndRNN are a
# number per unit, not a matrix.
@pytest.mark.parametrize(
    ("name", "recurrent"),
    [
        ("thesis_vgg_face_gru", 3 * 128 * (4608 + 128) + 3 * 128 * (128 + 128)),
        ("thesis_vgg_face_lstm", 4 * 128 * (4608 + 128) + 4 * 128 * (128 + 128)),
        ("thesis_vgg_face_indrnn", 128 * 4608 + 128 * 128),
        (
            "thesis_vgg_face_attention",
            (4608 + 128) * 4608  # from features and attention to features
            + 3 * 128 * (4608 + 128) + 3 * 128 * (128 + 128)
            + (128 + 128) * 128  # the query, from the states of both layers
            + 128 * 128 + 30 * 128  # the new output's key, and the scores of all 30
            + 30 * 128  # their sum
            + (128 + 128) * 128,  # from output and attention to the new output
        ),
    ],
)  # fmt: skip
def test_recurrent_layers_of_the_thesis(name, recurrent):
    expected = 2 * (vgg_convolutions(96) + recurrent + 128 * 2) / 1e9
    assert cost.of(NETWORKS[name]).gflops == pytest.approx(expected, rel=1e-12)


def test_decision_fusion():
    # CNN-1RNN and CNN-3RNN side by side, each with its own outputs; their weighted mean is not a matrix product.
    cnns = 2 * (vgg_convolutions(96) + (4608 + 136) * 4096)
    taps = (24 * 24 * 128, 4608, 4096)
    one = 3 * 128 * (sum(taps) + 128 + 128 + 128) + 128 * 2
    three = sum(3 * 128 * (size + 128 + 128 + 128) for size in taps) + 3 * 128 * 2
    assert cost.of(NETWORKS["decision_fusion"]).gflops == pytest.approx(2 * (cnns + one + three) / 1e9, rel=1e-12)


def test_two_networks_cost_twice_as_much_as_one():
    one = replace(SMALL, width=0.1)
    # Each has one of the two units of the output layer.
    assert cost.of(replace(one, separate=True)).gflops == pytest.approx(2 * cost.of(one).gflops - 2e-9 * 13 * 2)


def test_layers_on_several_positions():
    inputs = keras.Input((None, 4, 5, 6))
    model = keras.Model(inputs, keras.layers.Dense(7)(inputs))
    assert multiply_adds(model) == 4 * 5 * 6 * 7
    inputs = keras.Input((9, 11, 6))
    # (9 - 3) // 2 + 1 = 4 by (11 - 5) // 2 + 1 = 4 positions, two groups of three channels each.
    model = keras.Model(inputs, keras.layers.Conv2D(8, (3, 5), strides=2, groups=2)(inputs))
    assert multiply_adds(model) == 4 * 4 * 3 * 5 * 3 * 8


def test_a_layer_of_unknown_kind_is_an_error():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, name="by_channel")(inputs))
    with pytest.raises(TypeError, match=r"DepthwiseConv2D is not known\. Received: `by_channel`"):
        multiply_adds(model)
    assert multiply_adds(keras.Model(inputs, keras.layers.BatchNormalization()(inputs))) == 0


def test_an_image_of_unknown_size_has_no_cost():
    inputs = keras.Input((None, None, 3))
    with pytest.raises(TypeError):
        multiply_adds(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)))


# Weights, and nothing allocated.


@pytest.mark.parametrize(
    "config", [SMALL, replace(SMALL, backbone="cnn_m", recurrent="none"), replace(SMALL, separate=True)]
)
def test_parameters_are_those_of_the_built_network(config):
    assert parameters(config) == trainable(build(config))


def test_statistics_of_the_landmarks_are_not_trainable_weights():
    model = build(replace(SMALL, standardise_landmarks=True))
    # Mean and variance of 136 numbers, and a count.
    assert model.count_params() == cost.trainable_weights(model) + 2 * 136 + 1


# The file with the costs of all experiments.

REGENERATE = 'Run python -c "from affwildnet.models import cost; cost.write_experiment_costs()".'


def test_the_file_names_every_experiment():
    assert list(costs.load()) == list(EXPERIMENTS), REGENERATE


def test_the_file_is_right_for_the_three_smallest_networks():
    found = costs.load()
    smallest = sorted(found, key=lambda name: found[name].weights)[:3]
    assert smallest[0] == "sample/affwildnet"
    for name in smallest:
        assert found[name] == cost.of(EXPERIMENTS[name].model), f"{name}: {REGENERATE}"


@pytest.mark.slow
def test_the_file_is_right_for_every_network():
    assert costs.load() == cost.of_experiments(), REGENERATE


def test_the_file_is_read_as_it_was_written(tmp_path):
    written = {"sample/affwildnet": costs.Cost(7, 0.5), "sample/other": costs.Cost(8, 1e-3)}
    costs.save(written, tmp_path / "costs.json")
    assert costs.load(tmp_path / "costs.json") == written


@pytest.mark.slow
def test_every_network_has_a_cost():
    """All networks of the papers, small and with the backbone that is built fastest: no layer is unknown."""
    seen = set()
    for name, config in NETWORKS.items():
        small = replace(config, image_size=32, width=0.02, backbone="vgg16")
        if small not in seen:
            seen.add(small)
            assert cost.of(small).gflops > 0, name


def test_nothing_is_allocated():
    def terabytes():
        inputs = keras.Input((None, 1_000_000))
        x = keras.layers.Dense(1_000_000, kernel_initializer="zeros")(inputs)
        x = keras.layers.Dropout(0.5)(x)
        return keras.Model(inputs, keras.layers.GRU(1_000_000, recurrent_initializer="zeros")(x))

    model = weightless(terabytes)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == 7 * 10**12 + 7 * 10**6
    # The next layer to be built must not initialise what was left without values.
    with keras.StatelessScope():
        pass
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    assert layer.kernel.numpy().std() > 0


def test_the_seed_still_decides_the_weights():
    def kernel(between):
        keras.utils.set_random_seed(3)
        between()
        layer = keras.layers.Dense(4)
        layer.build((None, 4))
        return layer.get_weights()[0], random.random()

    def build_another():
        weightless(lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dropout(0.5)]))

    (weights, number), (expected, expected_number) = kernel(build_another), kernel(lambda: None)
    np.testing.assert_array_equal(weights, expected)
    assert number == expected_number


def test_the_dtype_policy_is_the_callers():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = weightless(lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[-1].compute_dtype == "bfloat16"


def test_errors_come_through():
    def fails():
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        weightless(fails)
