"""ResNet-50 of VGGFace2, CNN-M of MatConvNet, Keras's ImageNet networks: the backbone computes what theirs does."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.io import savemat

from affwildnet.experiments.config import ModelConfig
from affwildnet.models import BACKBONES
from affwildnet.weights import imagenet, import_weights
from tests.helpers.networks import inputs, numpy, outputs_of, randomised
from tfrecords_tools.errors import UserError

SMALL = ModelConfig(image_size=48, width=0.05, hidden=())
SIZES = {2: 3, 3: 4, 4: 6, 5: 3}  # blocks of ResNet-50's stages


def convolved(x, kernel, stride=1, pad=0):
    return tf.nn.conv2d(x, kernel, stride, [[0, 0], [pad, pad], [pad, pad], [0, 0]])


def close(result, expected):
    assert expected.std() > 0.01
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())


class KerasVggFace2:
    """The ResNet-50 of keras-vggface with its names, BGR, epsilon 1e-3 and no biases; padding is that of `resnet50`."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.groups = {}

    def conv_bn(self, x, channels, side, name, stride=1):
        shape = (side, side, int(x.shape[-1]), channels)
        scale = np.sqrt(2 / np.prod(shape[:-1])) / (60 if shape[2] == 3 else 1)
        # Variances about as small as the difference of the epsilons.
        bn = {"gamma": (0.5, 1), "beta": (-0.3, 0.3), "moving_mean": (-0.2, 0.2), "moving_variance": (1e-4, 2e-2)}
        values = {key: self.rng.uniform(*limits, channels).astype("float32") for key, limits in bn.items()}
        values["gamma"] /= 10
        kernel = self.rng.normal(0, scale, shape).astype("float32")
        self.groups[name] = {f"{name}/kernel:0": kernel}
        self.groups[f"{name}/bn"] = {f"{name}/bn/{key}:0": value for key, value in values.items()}
        x = convolved(x, kernel, stride, (side - 1) // 2)
        deviation = tf.sqrt(values["moving_variance"] + 1e-3)
        return (x - values["moving_mean"]) / deviation * values["gamma"] + values["beta"]

    def features(self, bgr, narrow=(3, 6, 13, 26)):
        x = tf.nn.relu(self.conv_bn(tf.constant(bgr, "float32"), narrow[0], 7, "conv1/7x7_s2", 2))
        x = tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")
        for (stage, blocks), channels in zip(SIZES.items(), narrow, strict=True):
            for block in range(1, blocks + 1):
                name = f"conv{stage}_{block}"
                stride = 2 if block == 1 and stage > 2 else 1
                y = tf.nn.relu(self.conv_bn(x, channels, 1, f"{name}_1x1_reduce", stride))
                y = tf.nn.relu(self.conv_bn(y, channels, 3, f"{name}_3x3"))
                y = self.conv_bn(y, 4 * channels, 1, f"{name}_1x1_increase")
                x = self.conv_bn(x, 4 * channels, 1, f"{name}_1x1_proj", stride) if block == 1 else x
                x = tf.nn.relu(x + y)
        return tf.reduce_mean(x, (1, 2)).numpy()


def write_h5(path, groups):
    with h5py.File(path, "w") as file:
        names = [name.encode() for name in groups]
        # Keras split long lists of names so.
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:40], names[40:]
        for name, weights in groups.items():
            group = file.require_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, value in weights.items():
                group[weight] = value
    return path


def test_resnet50_of_vggface2(tmp_path):
    config = replace(SMALL, backbone="resnet50")
    data = inputs(config, batch=1, steps=2)
    source = KerasVggFace2()
    expected = source.features(data["frames"][0][..., ::-1] - np.array([91.4953, 103.8827, 131.0912]))
    path = write_h5(tmp_path / "r.h5", source.groups)
    model, report = import_weights("resnet50_vggface2_h5", path, config)
    close(outputs_of(model, "avg_pool", data), expected)
    assert report.left_out == {}
    assert report.as_built == ("valence_arousal",)
    hows = {(row.layer, row.weight): row.how for row in report.weights}
    assert hows["conv3_block1_0_conv", "bias"] == "zero: the file's network has none"
    assert hows["conv3_block1_0_bn", "moving_variance"] == "epsilon 0.001 restated for 1.001e-05"


@pytest.mark.slow
def test_resnet50_of_vggface2_with_a_weight_missing(tmp_path):
    config = replace(SMALL, backbone="resnet50")
    source = KerasVggFace2()
    source.features(np.zeros((1, 48, 48, 3)))
    del source.groups["conv4_6_3x3/bn"]["conv4_6_3x3/bn/moving_variance:0"]
    message = failure("resnet50_vggface2_h5", write_h5(tmp_path / "r.h5", source.groups), config)
    assert "must hold conv4_6_3x3/bn/moving_variance of shape (13,)" in message
    assert "conv4_block6_2_bn/moving_variance of the network" in message


def cells(items):
    array = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        array[0, index] = item
    return array


def cnn_m_layers(rng, channels=(5, 13, 26, 26, 26)):
    """MatConvNet's layers; the normalisations have names of no meaning, as in the published file."""
    layers, into = [], 3
    for index, out in enumerate(channels, start=1):
        side = (7, 5, 3, 3, 3)[index - 1]
        kernel = rng.normal(0, np.sqrt(2 / (side * side * into)) / (60 if into == 3 else 1), (side, side, into, out))
        layers.append(
            {"name": f"conv{index}", "type": "conv", "weights": cells([kernel, rng.normal(0, 0.1, (1, out))])}
        )
        # One channel whose deviation is below the square root of the layer's epsilon, 0.0316.
        deviation = np.r_[0.01, rng.uniform(0.2, 1, out - 1)]
        moments = np.stack([rng.normal(0, 0.1, out), deviation], axis=1)
        bn = [rng.uniform(0.1, 0.3, (out, 1)), rng.normal(0, 0.2, (out, 1)), moments]
        layers.append({"name": f"bn{48 + index}", "type": "bnorm", "weights": cells(bn)})
        layers.append({"name": f"relu{index}", "type": "relu"})
        into = out
    layers.append(
        {"name": "fc6", "type": "conv", "weights": cells([rng.normal(0, 1, (6, 6, into, 9)), np.ones((1, 9))])}
    )
    return layers


def write_cnn_m(path, layers):
    image = np.broadcast_to(np.array([131.4538, 103.9875, 91.4623]), (4, 4, 3))
    savemat(path, {"layers": cells(layers), "meta": {"normalization": {"averageImage": image}}})
    return path


def table_15(layers, pixels):
    """ijcv2019 table 15 with the file's numbers, which divide by a deviation."""
    x = tf.constant(pixels, "float32")
    for index, (stride, padding, pool) in enumerate(
        [
            (2, "VALID", (3, "VALID")),
            (2, "SAME", (3, "SAME")),
            (1, "SAME", None),
            (1, "SAME", None),
            (1, "SAME", (2, "SAME")),
        ]
    ):
        (kernel, bias), (gamma, beta, moments) = (layers[3 * index + part]["weights"][0] for part in (0, 1))
        x = tf.nn.relu(tf.nn.conv2d(x, kernel.astype("float32"), stride, padding) + bias[0].astype("float32"))
        x = (x - moments[:, 0]) / moments[:, 1] * gamma[:, 0] + beta[:, 0]
        x = tf.nn.relu(tf.cast(x, "float32"))
        if pool:
            x = tf.nn.max_pool2d(x, pool[0], 2, pool[1])
    return tf.reshape(x, (len(pixels), -1)).numpy()


def test_cnn_m(tmp_path):
    config = replace(SMALL, backbone="cnn_m")
    layers = cnn_m_layers(np.random.default_rng(0))
    data = inputs(config, batch=1, steps=2)
    expected = table_15(layers, data["frames"][0] - np.array([131.4538, 103.9875, 91.4623]))
    model, report = import_weights("cnn_m_mat", write_cnn_m(tmp_path / "m.mat", layers), config)
    close(outputs_of(model, "features", data), expected)
    assert set(report.left_out) == {"fc6.weights{1}", "fc6.weights{2}"}
    assert any("the function differs" in remark for remark in report.remarks)


def test_cnn_m_without_normalisation_or_with_a_deviation_of_zero(tmp_path):
    config = replace(SMALL, backbone="cnn_m")
    layers = cnn_m_layers(np.random.default_rng(0))
    message = failure("cnn_m_mat", write_cnn_m(tmp_path / "m.mat", layers[:4] + layers[5:]), config)
    assert "a layer conv2, directly followed by one of type bnorm" in message
    layers[4]["weights"][0, 2][3, 1] = 0
    message = failure("cnn_m_mat", write_cnn_m(tmp_path / "m.mat", layers), config)
    assert "bn50.weights{3} must be above 0" in message


def backbone(name, side=48, width=0.05):
    images = keras.Input((side, side, 3))
    return keras.Model(images, BACKBONES[name](images, width)["features"])


def as_keras_2(model, rename=str):
    return {
        rename(layer.name): {f"{rename(layer.name)}/{weight.name}:0": numpy(weight) for weight in layer.weights}
        for layer in model.layers
    }


CAFFE_BGR = np.array([103.939, 116.779, 123.68])
TORCH_MEAN, TORCH_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


# The backbones are compared with `keras.applications` in their own tests: here they stand for its networks.
@pytest.mark.parametrize(
    "name",
    ["vgg16", pytest.param("resnet50", marks=pytest.mark.slow), pytest.param("densenet121", marks=pytest.mark.slow)],
)
def test_imagenet(tmp_path, name):
    config = replace(SMALL, backbone=name)
    data = inputs(config, batch=1, steps=2)
    rgb = data["frames"][0].astype("float64")
    published = randomised(backbone(name))
    names = {f"conv{index + 1}": keras_name for index, keras_name in enumerate(VGG16_NAMES)} if name == "vgg16" else {}
    torch_like = name.startswith("densenet")
    pixels = (rgb / 255 - TORCH_MEAN) / TORCH_DEVIATION if torch_like else rgb[..., ::-1] - CAFFE_BGR
    expected = numpy(published(pixels.astype("float32")))
    path = write_h5(tmp_path / "k.h5", as_keras_2(published, lambda layer: names.get(layer, layer)))
    model, report = import_weights("imagenet", path, config)
    close(outputs_of(model, "features" if name == "vgg16" else "avg_pool", data), expected)
    assert report.left_out == {}
    assert report.as_built == ("valence_arousal",)


@pytest.mark.parametrize("name", imagenet.APPLICATIONS)
def test_the_first_convolution_is_turned_where_the_file_takes_bgr(name, monkeypatch):
    turned = {}
    monkeypatch.setattr(imagenet.hdf5, "read", lambda path: None)
    monkeypatch.setattr(
        imagenet.hdf5,
        "copy_convolution",
        lambda transfer, layer, source, *, reverse=False, bias=True: turned.update({layer: reverse}),
    )
    layers = {each: keras.layers.Conv2D(1, 3) for each in ("conv1_conv", "conv2_block1_1_conv")}
    transfer = SimpleNamespace(backbone_layers=lambda: layers)
    imagenet.open_weights(Path("k.h5"), replace(SMALL, backbone=name)).fill(transfer)
    first, *others = turned
    assert first.startswith("conv1")
    assert turned[first] == (name in ("vgg16", "resnet50"))  # as `keras.applications` feeds them
    assert not any(turned[layer] for layer in others)


VGG16_NAMES = [
    f"block{block}_conv{index}" for block, size in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, size + 1)
]


@pytest.mark.parametrize(
    ("name", "application"), [("vgg16", "VGG16"), ("resnet50", "ResNet50"), ("densenet169", "DenseNet169")]
)
def test_what_keras_would_be_fed(name, application):
    """`keras.applications` says itself what its networks take."""
    module = {"VGG16": "vgg16", "ResNet50": "resnet50", "DenseNet169": "densenet"}[application]
    rgb = np.random.default_rng(0).uniform(0, 255, (2, 2, 3))
    expected = getattr(keras.applications, module).preprocess_input(rgb.copy())
    described = imagenet.APPLICATIONS[name]
    mean, scale = described.normalisation
    result = (rgb - mean) * scale
    np.testing.assert_allclose(result[..., ::-1] if described.bgr else result, expected, rtol=1e-6, atol=1e-6)
    assert described.name == application


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet50", "densenet121"])
def test_a_file_that_keras_applications_saved(tmp_path, name, monkeypatch):
    application = getattr(keras.applications, imagenet.APPLICATIONS[name].name)
    keras.utils.set_random_seed(0)
    published = randomised(application(weights=None, include_top=False, pooling="avg" if name != "vgg16" else None))
    config = ModelConfig(backbone=name, hidden=(), image_size=64)
    data = inputs(config, batch=1, steps=2)
    module = {"vgg16": "vgg16", "resnet50": "resnet50"}.get(name, "densenet")
    pixels = getattr(keras.applications, module).preprocess_input(data["frames"][0].astype("float32"))
    expected = numpy(published(pixels)).reshape(2, -1)
    published.save(tmp_path / "whole.h5")  # Keras 2's form, the weights in a group of it
    model, _ = import_weights("imagenet", tmp_path / "whole.h5", config)
    result = outputs_of(model, "features" if name == "vgg16" else "avg_pool", data)
    close(result, expected)
    # Without a path Keras gives the network.
    monkeypatch.setattr(keras.applications, imagenet.APPLICATIONS[name].name, lambda **given: published)
    downloaded, _ = import_weights("imagenet", None, config)
    np.testing.assert_array_equal(outputs_of(downloaded, "features" if name == "vgg16" else "avg_pool", data), result)


def test_a_network_of_two_backbones():
    members = tuple(replace(SMALL, backbone=name, recurrent="gru") for name in ("vgg16", "densenet121"))
    message = failure("imagenet", None, replace(SMALL, members=members))
    assert message.endswith("Received: one with densenet121 and vgg16.")


def test_without_a_connection(monkeypatch):
    def unreachable(**given):
        assert given == {"weights": "imagenet", "include_top": False}
        raise Exception("URL fetch failure on https://storage.googleapis.com")

    monkeypatch.setattr(keras.applications, "DenseNet121", unreachable)
    message = failure("imagenet", None, replace(SMALL, backbone="densenet121"))
    assert "could not be downloaded" in message
    assert "`path`: densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5" in message


def failure(source, path, config):
    with pytest.raises(UserError) as caught:
        import_weights(source, path, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)
