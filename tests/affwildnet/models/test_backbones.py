"""The backbones: published counts, published twins, shapes by hand."""

from functools import cache

import keras
import numpy as np
import pytest

from affwildnet.experiments.config import ModelConfig
from affwildnet.models import BACKBONES
from affwildnet.models.cloning import weightless
from affwildnet.models.cost import parameters
from tests.helpers.networks import numpy, outputs_of, randomised, trainable
from tests.helpers.raw_networks import scattered


def backbone_model(name, side=96, width=1.0):
    images = keras.Input((side, side, 3))
    return keras.Model(images, BACKBONES[name](images, width)["features"])


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (ModelConfig(landmarks=True, recurrent="gru"), 35_871_554),
        (ModelConfig(recurrent="gru"), 35_314_498),
        (ModelConfig(hidden=(4096, 4096)), 50_382_658),
        (ModelConfig(hidden=(4096, 2000)), 41_791_154),
        (ModelConfig(hidden=(), recurrent="gru"), 16_632_642),
        (ModelConfig(hidden=(), recurrent="lstm"), 17_272_642),
        (ModelConfig(hidden=(), recurrent="indrnn"), 15_321_666),
    ],
)
def test_published_counts(config, count):
    assert parameters(config) == count


# For the residual and dense networks: the published numbers, less those of the classifier for 1,000 classes.
BACKBONE_COUNTS = {
    # 7*7*3*96+96, 5*5*96*256+256, 3*3*256*512+512, twice 3*3*512*512+512, and two a channel for the normalisation.
    "cnn_m": 14_208 + 614_656 + 1_180_160 + 2 * 2_359_808 + 2 * (96 + 256 + 3 * 512),
    "densenet121": 7_978_856 - 1_025_000,
    "densenet169": 14_149_480 - 1_665_000,
    # With a bias to each of 64 + 3 * (64 + 64 + 256) + 256 + ... = 26,560 channels.
    "resnet50": 25_557_032 - 2_049_000 + 26_560,
    "resnet50_slim": 25_557_032 - 2_049_000,
    "vgg16": 14_714_688,
}
FEATURES = {
    "cnn_m": 4608,
    "densenet121": 1024,
    "densenet169": 1664,
    "resnet50": 2048,
    "resnet50_slim": 2048,
    "vgg16": 4608,
}


# Side and channels at 96 x 96, the first two (96 + 6 - 7) // 2 + 1 = 48 and (48 + 2 - 3) // 2 + 1 = 24.
TAPS = {
    "densenet121": {
        "conv1": (48, 64),
        "pool1": (24, 64),
        "conv2": (24, 64 + 6 * 32),
        "conv3": (12, 128 + 12 * 32),
        "conv4": (6, 256 + 24 * 32),
        "conv5": (3, 512 + 16 * 32),
    },
    "resnet50": {
        "conv1": (48, 64),
        "pool1": (24, 64),
        "conv2": (24, 256),
        "conv3": (12, 512),
        "conv4": (6, 1024),
        "conv5": (3, 2048),
    },
    # The stride is at the end of a block, and the last block has none.
    "resnet50_slim": {
        "conv1": (48, 64),
        "pool1": (24, 64),
        "block1": (12, 256),
        "block2": (6, 512),
        "block3": (3, 1024),
        "block4": (3, 2048),
    },
}


@cache
def weightless_backbone(name):
    """A backbone at 96 x 96 whose weights have no values, and its taps."""
    taps = {}

    def built():
        images = keras.Input((96, 96, 3))
        taps.update(BACKBONES[name](images, 1.0))
        return keras.Model(images, taps["features"])

    return weightless(built), taps


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_counts_and_taps(name):
    model, taps = weightless_backbone(name)
    assert trainable(model) == BACKBONE_COUNTS[name]
    assert list(taps)[-1] == "features"
    assert taps["features"].shape == (None, FEATURES[name])
    maps = {key: tap.shape for key, tap in taps.items() if key != "features"}
    assert all(len(shape) == 4 for shape in maps.values())
    if name in TAPS:
        assert maps == {tap: (None, side, side, channels) for tap, (side, channels) in TAPS[name].items()}


def test_vgg16_is_the_published_network():
    keras.utils.set_random_seed(0)
    published = keras.applications.VGG16(weights=None, include_top=False, input_shape=(96, 96, 3))
    ours = backbone_model("vgg16")
    randomised(published)
    convolutions = [layer for layer in published.layers if layer.weights]
    assert [layer.name for layer in ours.layers if layer.weights] == [f"conv{i}" for i in range(1, 14)]
    for index, layer in enumerate(convolutions, start=1):
        ours.get_layer(f"conv{index}").set_weights(layer.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("float32")
    expected = numpy(published(images)).reshape(2, -1)
    np.testing.assert_allclose(ours(images), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


PUBLISHED = {
    "densenet121": keras.applications.DenseNet121,
    "densenet169": keras.applications.DenseNet169,
    "resnet50": keras.applications.ResNet50,
}


def published(name):
    return PUBLISHED[name](weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))


def pairs(ours, theirs):
    """(our layer, their layer) in the network's order, without the inputs."""
    return list(zip(ours.layers[1:], theirs.layers[1:], strict=True))


@pytest.mark.parametrize("name", ["densenet121", "resnet50"])
def test_layers_are_those_of_the_published_network(name):
    for layer, other in pairs(weightless_backbone(name)[0], weightless(lambda: published(name))):
        # Keras does not name DenseNet's two padding layers.
        assert layer.name == other.name or other.name.startswith("zero_padding2d")
        assert type(layer) is type(other)
        assert layer.output.shape == other.output.shape
        assert [(w.name, w.shape) for w in layer.weights] == [(w.name, w.shape) for w in other.weights]
        assert getattr(layer, "epsilon", None) == getattr(other, "epsilon", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_give_the_published_features(name):
    keras.utils.set_random_seed(0)
    theirs = scattered(published(name))
    ours = backbone_model(name)
    for layer, other in pairs(ours, theirs):
        if other.weights:
            assert layer.name == other.name
            layer.set_weights(other.get_weights())
    assert ours.count_params() == theirs.count_params()
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("float32")
    expected = numpy(theirs(images))
    assert expected.std() > 0.01
    np.testing.assert_allclose(ours(images), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_cnn_m_shapes():
    model = backbone_model("cnn_m")
    shapes = {
        "conv1": (45, 96),  # (96 - 7) // 2 + 1
        "pool1": (22, 96),  # (45 - 3) // 2 + 1
        "conv2": (11, 256),  # ceil(22 / 2)
        "pool2": (6, 256),
        "conv3": (6, 512),
        "conv4": (6, 512),
        "conv5": (6, 512),
        "pool3": (3, 512),
    }
    for name, (side, channels) in shapes.items():
        assert model.get_layer(name).output.shape == (None, side, side, channels)


def test_cnn_m_applies_relu_before_the_normalisation():
    model = randomised(backbone_model("cnn_m", side=32, width=0.05))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    conv = outputs_of(model, "conv2", [images])
    assert conv.min() == 0
    gamma, beta, mean, variance = model.get_layer("conv2_bn").get_weights()
    expected = np.maximum((conv - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)
    np.testing.assert_allclose(outputs_of(model, "conv2_bn_relu", [images]), expected, atol=1e-5)
