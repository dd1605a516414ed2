"""The trunks: published counts, published twins, shapes by hand."""

import keras
import numpy as np
import pytest
from networks import numpy, outputs_of, randomised, trainable

from affwildnet.experiments.config import ModelConfig
from affwildnet.models import TRUNKS, build


def trunk_model(name, side=96, width=1.0):
    images = keras.Input((side, side, 3))
    return keras.Model(images, TRUNKS[name](images, width)["features"])


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (ModelConfig(landmarks=True, recurrent="gru"), 35_871_554),
        (ModelConfig(recurrent="gru"), 35_314_498),
        (ModelConfig(hidden=(4096, 4096)), 50_382_658),
        (ModelConfig(hidden=(4096, 2000)), 41_791_154),
        (ModelConfig(hidden=(), recurrent="gru"), 16_632_642),
    ],
)
def test_published_counts(config, count):
    assert trainable(build(config)) == count


TRUNK_COUNTS = {
    # 7*7*3*96+96, 5*5*96*256+256, 3*3*256*512+512, twice 3*3*512*512+512, and two a channel for the normalisation.
    "cnn_m": 14_208 + 614_656 + 1_180_160 + 2 * 2_359_808 + 2 * (96 + 256 + 3 * 512),
    "resnet50": 23_534_592,
    "vgg16": 14_714_688,
}


@pytest.mark.parametrize("name", TRUNKS)
def test_trunk_counts_and_taps(name):
    images = keras.Input((96, 96, 3))
    taps = TRUNKS[name](images, 1.0)
    assert list(taps)[-1] == "features"
    assert taps["features"].shape == (None, {"cnn_m": 4608, "resnet50": 2048, "vgg16": 4608}[name])
    assert all(len(tap.shape) == 4 for key, tap in taps.items() if key != "features")
    assert trainable(keras.Model(images, taps["features"])) == TRUNK_COUNTS[name]


def test_vgg16_is_the_published_network():
    keras.utils.set_random_seed(0)
    published = keras.applications.VGG16(weights=None, include_top=False, input_shape=(96, 96, 3))
    ours = trunk_model("vgg16")
    randomised(published)
    convolutions = [layer for layer in published.layers if layer.weights]
    assert [layer.name for layer in ours.layers if layer.weights] == [f"conv{i}" for i in range(1, 14)]
    for index, layer in enumerate(convolutions, start=1):
        ours.get_layer(f"conv{index}").set_weights(layer.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("float32")
    expected = numpy(published(images)).reshape(2, -1)
    np.testing.assert_allclose(ours(images), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_resnet50_is_the_published_network():
    keras.utils.set_random_seed(0)
    published = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))
    ours = trunk_model("resnet50")
    names = [layer.name for layer in published.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert [layer.name for layer in ours.layers[1:]] == names
    randomised(published)
    for name in names:
        theirs = published.get_layer(name)
        layer = ours.get_layer(name)
        assert [w.shape for w in layer.weights] == [w.shape for w in theirs.weights]
        assert layer.output.shape == theirs.output.shape
        layer.set_weights(theirs.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("float32")
    expected = numpy(published(images))
    assert expected.std() > 0
    np.testing.assert_allclose(ours(images), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_cnn_m_shapes():
    model = trunk_model("cnn_m")
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


def test_cnn_m_normalises_what_the_convolution_rectified():
    model = randomised(trunk_model("cnn_m", side=32, width=0.05))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    conv = outputs_of(model, "conv2", [images])
    assert conv.min() == 0
    gamma, beta, mean, variance = model.get_layer("conv2_bn").get_weights()
    expected = np.maximum((conv - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)
    np.testing.assert_allclose(outputs_of(model, "conv2_bn_relu", [images]), expected, atol=1e-5)
