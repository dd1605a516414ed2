"""VGG-Face from each kind of file: the backbone computes what the file's network computes on its own input."""

import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tensorflow as tf
from scipy.io import savemat

from affwildnet.experiments.config import scaled
from affwildnet.experiments.networks import NETWORKS
from affwildnet.weights import import_weights, vgg_face
from tests.helpers.networks import inputs, outputs_of
from tests.helpers.weight_writers import Torch7Writer, cell
from tfrecords_tools.errors import UserError

CONFIG = replace(NETWORKS["affwildnet_vggface"], image_size=32, width=0.05)
MEAN_RGB = np.array([129.1863, 104.7624, 93.5940])
SIZES = (2, 2, 3, 3, 3)
NAMES = [f"conv{block}_{index + 1}" for block, size in enumerate(SIZES, start=1) for index in range(size)]


def random_weights(width=CONFIG.width, seed=0):
    """Kernel (3, 3, in, out) and bias (out,) of each convolution by its name, and a first fully connected layer."""
    rng = np.random.default_rng(seed)
    weights, into = {}, 3
    for name in NAMES:
        out = scaled((64, 128, 256, 512, 512)[int(name[4]) - 1], width)
        scale = np.sqrt(2 / (9 * into)) / (60 if into == 3 else 1)
        weights[name] = (rng.normal(0, scale, (3, 3, into, out)), rng.normal(0, 0.1, out))
        into = out
    weights["fc6"] = (rng.normal(0, 1, (7, 7, into, 5)), rng.normal(0, 1, 5))
    return {name: (kernel.astype("float32"), bias.astype("float32")) for name, (kernel, bias) in weights.items()}


def features(weights, pixels):
    """pool5 of the file's network, flattened; `pixels` (N, S, S, 3) in its own order of colours, mean subtracted."""
    x = tf.constant(pixels, "float32")
    for block, size in enumerate(SIZES, start=1):
        for index in range(size):
            kernel, bias = weights[f"conv{block}_{index + 1}"]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, [[0, 0], [1, 1], [1, 1], [0, 0]]) + bias)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    return tf.reshape(x, (len(pixels), -1)).numpy()


def check_features(model, weights, bgr):
    data = inputs(CONFIG, batch=1, steps=3)
    rgb = data["frames"][0].astype("float64")
    expected = features(weights, (rgb - MEAN_RGB)[..., ::-1] if bgr else rgb - MEAN_RGB)
    result = outputs_of(model, "features", data)
    assert expected.std() > 0.01
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5 * expected.max())


def write_mat(path, weights, oxford, mean=MEAN_RGB, as_matlab=False):
    """MatConvNet's layers, with ReLU layers between; `as_matlab`: kernels lose last axes of length 1."""
    layers = []
    for name, (kernel, bias) in weights.items():
        while as_matlab and kernel.shape[-1] == 1:
            kernel = kernel[..., 0]
        held = {"name": name, "type": "conv", "weights": cell([kernel, bias[None] if oxford else bias[:, None]])}
        layers += [held, {"name": f"relu{name}", "type": "relu"}]
    normalisation = {} if mean is None else {"normalization": {"averageImage": np.reshape(mean, (1, 1, 3))}}
    if oxford:
        savemat(path, {"net": {"layers": cell(layers), **normalisation}})
    else:
        savemat(path, {"layers": cell(layers), "meta": {"classes": 1, **normalisation}})
    return path


@pytest.mark.parametrize("oxford", [True, False])
def test_mat(tmp_path, oxford):
    weights = random_weights()
    path = write_mat(tmp_path / "vgg_face.mat", weights, oxford)
    model, report = import_weights("vgg_face_mat", path, CONFIG)
    check_features(model, weights, bgr=False)
    assert set(report.left_out) == {"fc6.weights{1}", "fc6.weights{2}"}
    assert report.layers() == [f"conv{index}" for index in range(1, 14)]
    assert report.as_built == ("fc1", "gru1", "gru2", "valence_arousal")


def test_mat_without_a_mean_and_with_the_axes_that_matlab_drops(tmp_path):
    weights = random_weights(width=0.01)
    assert weights["conv1_1"][0].shape == (3, 3, 3, 1)
    path = write_mat(tmp_path / "vgg_face.mat", weights, oxford=True, mean=None, as_matlab=True)
    model, report = import_weights("vgg_face_mat", path, replace(CONFIG, width=0.01))
    for index, name in enumerate(NAMES, start=1):
        for value, expected in zip(model.get_layer(f"conv{index}").get_weights(), weights[name], strict=True):
            np.testing.assert_array_equal(value, expected)
    assert "holds no mean" in report.remarks[0]


def test_mat_of_another_network(tmp_path):
    path = write_mat(tmp_path / "v.mat", random_weights(), oxford=False, mean=(123.68, 116.779, 103.939))
    assert "averageImage must be that of the network" in failure("vgg_face_mat", path)


def write_h5(path, weights, style):
    """As Keras 2 saved by names, or as the first conversions did, or a whole model of Keras 2."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if style == "model" else file
        root.attrs["layer_names"] = [name.encode() for name in [*weights, "pool1"]]
        root.create_group("pool1").attrs["weight_names"] = np.zeros(0, "S1")
        for name, (kernel, bias) in weights.items():
            endings = ("_W_1:0", "_b_1:0") if style == "old" else ("/kernel:0", "/bias:0")
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}{ending}".encode() for ending in endings]
            for ending, value in zip(endings, (kernel, bias), strict=True):
                group[f"{name}{ending}"] = value
    return path


@pytest.mark.parametrize("style", ["old", "model"])
def test_h5(tmp_path, style):
    weights = random_weights()
    model, report = import_weights("vgg_face_h5", write_h5(tmp_path / "v.h5", weights, style), CONFIG)
    check_features(model, weights, bgr=True)
    assert report.weights[0].how == "input channels BGR to RGB"
    assert set(report.left_out) == {"fc6/kernel", "fc6/bias"}


def torch_arrays(weights, underscore="", flat=False):
    arrays = {}
    for name, (kernel, bias) in weights.items():
        turned = kernel.transpose(3, 2, 0, 1)
        turned = turned.reshape(len(turned), -1) if flat or name == "fc6" else turned
        name = name.replace("conv", f"conv{underscore}")
        arrays |= {f"{name}.weight": turned, f"{name}.bias": bias}
    return arrays


@pytest.mark.parametrize(("underscore", "flat"), [("", False), ("_", True)])
def test_torch_state_dict(tmp_path, monkeypatch, underscore, flat):
    weights = random_weights()
    arrays = torch_arrays(weights, underscore, flat)
    (tmp_path / "v.pth").touch()
    monkeypatch.setattr(vgg_face, "_state_dict", lambda path: arrays)
    model, report = import_weights("vgg_face_torch", tmp_path / "v.pth", CONFIG)
    check_features(model, weights, bgr=underscore == "_")
    assert set(report.left_out) == {"fc6.weight", "fc6.bias"}


def test_torch_file(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch reads .pth files, and is not among what tests install")
    weights = random_weights()
    tensors = {name: torch.tensor(value) for name, value in torch_arrays(weights).items()}
    torch.save(tensors, tmp_path / "v.pth")
    model, _ = import_weights("vgg_face_torch", tmp_path / "v.pth", CONFIG)
    check_features(model, weights, bgr=False)
    content = (tmp_path / "v.pth").read_bytes()
    (tmp_path / "v.pth").write_bytes(content[: len(content) // 2])
    assert "must be the state dict of VGG-Face" in failure("vgg_face_torch", tmp_path / "v.pth")
    torch.save({"run": print}, tmp_path / "v.pth")  # a pickle that names code
    assert "must be the state dict of VGG-Face" in failure("vgg_face_torch", tmp_path / "v.pth")


def test_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "v.pth").touch()
    message = failure("vgg_face_torch", tmp_path / "v.pth")
    assert "PyTorch, which is not installed" in message
    assert "VGG_FACE.t7" in message


def write_t7(path, weights):
    modules = []
    for name, (kernel, bias) in weights.items():
        flat = kernel.transpose(3, 2, 0, 1).reshape(kernel.shape[-1], -1)
        kind = "nn.Linear" if name == "fc6" else "nn.SpatialConvolutionMM"
        modules.append({"class": kind, "weight": flat, "bias": bias, "kW": 3, "train": False, "note": None})
        modules.append({"class": "nn.ReLU", "inplace": True, "_type": "torch.FloatTensor"})
    writer = Torch7Writer()
    writer.thing({"class": "nn.Sequential", "modules": dict(enumerate(modules, start=1))})
    path.write_bytes(writer.content)
    return path


def test_t7(tmp_path):
    weights = random_weights()
    model, report = import_weights("vgg_face_torch", write_t7(tmp_path / "VGG_FACE.t7", weights), CONFIG)
    check_features(model, weights, bgr=True)
    assert set(report.left_out) == {"modules[27].weight", "modules[27].bias"}


def test_a_truncated_t7_and_a_file_of_another_kind(tmp_path):
    path = write_t7(tmp_path / "VGG_FACE.t7", random_weights())
    content = path.read_bytes()
    for bad in (content[: len(content) // 2], content[:-1], b"", b"PK\x03\x04 a zip file", b"\xff" * 64):
        path.write_bytes(bad)
        assert "Torch 7" in failure("vgg_face_torch", path)


def failure(source, path, config=CONFIG):
    with pytest.raises(UserError) as caught:
        import_weights(source, path, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_and_a_misshaped_weight(tmp_path):
    weights = random_weights()
    kernel, bias = weights.pop("conv3_2")
    path = tmp_path / "v.h5"
    message = failure("vgg_face_h5", write_h5(path, weights, "new"))
    assert "must hold conv3_2/kernel of shape (3, 3, 13, 13), for conv6/kernel of the network" in message
    message = failure("vgg_face_h5", write_h5(path, {**weights, "conv3_2": (kernel[..., :-1], bias)}, "new"))
    assert "conv3_2/kernel must have shape (3, 3, 13, 13), for conv6/kernel" in message
    assert "(3, 3, 13, 12)" in message


def test_a_backbone_that_the_source_does_not_fit(tmp_path):
    path = write_h5(tmp_path / "v.h5", random_weights(), "new")
    message = failure("vgg_face_h5", path, NETWORKS["affwildnet_resnet50"])
    assert "must be a network with the backbone vgg16" in message
    assert "one with resnet50" in message


def test_layers_that_the_network_does_not_have(tmp_path):
    config = replace(NETWORKS["thesis_vgg_face_gru"], image_size=32, width=0.05, rnn_inputs=("pool2", "conv5"))
    _, report = import_weights("vgg_face_h5", write_h5(tmp_path / "v.h5", random_weights(), "new"), config)
    assert report.layers() == [f"conv{index}" for index in range(1, 6)]
    assert report.left_out["conv4_1/bias"] == "the network does not have the layer conv8"


@pytest.mark.parametrize("name", ["cvprw_gru", "model_fusion_fc"])
def test_each_of_several_networks_gets_the_weights(tmp_path, name):
    config = replace(NETWORKS[name], image_size=32, width=0.02)
    weights = random_weights(width=0.02)
    model, report = import_weights("vgg_face_h5", write_h5(tmp_path / "v.h5", weights, "new"), config)
    first, second = ("valence_", "arousal_") if config.separate else ("net1_", "net2_")
    assert len(report.layers()) == 26
    for index, source in enumerate(NAMES, start=1):
        for prefix in (first, second):
            kernel, bias = model.get_layer(f"{prefix}conv{index}").get_weights()
            expected = weights[source][0][:, :, ::-1] if index == 1 else weights[source][0]
            np.testing.assert_array_equal(kernel, expected)
            np.testing.assert_array_equal(bias, weights[source][1])


def test_an_importer_that_forgets_a_layer_is_an_error(tmp_path, monkeypatch):
    path = write_h5(tmp_path / "v.h5", random_weights(), "new")
    monkeypatch.setattr(vgg_face, "CONVOLUTIONS", vgg_face.CONVOLUTIONS[:-1])
    assert failure("vgg_face_h5", path).endswith("Received: a file without conv13/kernel, conv13/bias.")


@pytest.mark.parametrize(
    ("source", "what"),
    [("vgg_face_mat", "MatConvNet"), ("vgg_face_h5", "HDF5"), ("vgg_face_torch", "VGG-Face")],
)
def test_bad_files(tmp_path, source, what):
    missing = failure(source, tmp_path / "nothing.t7")
    assert what in missing
    assert "does not exist" in missing
    assert "a folder" in failure(source, tmp_path)
    assert "`path` must name the file" in failure(source, None)
    bad = tmp_path / "bad.t7"
    bad.write_text("this is no file of weights, " * 20)
    assert what in failure(source, bad)


@pytest.mark.parametrize("source", ["vgg_face_mat", "vgg_face_h5"])
def test_truncated_files(tmp_path, source):
    path = tmp_path / "weights"
    if source == "vgg_face_mat":
        write_mat(path.with_suffix(".mat"), random_weights(), oxford=False)
        path = path.with_suffix(".mat")
    else:
        write_h5(path, random_weights(), "new")
    content = path.read_bytes()
    for length in (len(content) // 2, len(content) // 10):
        path.write_bytes(content[:length])
        assert f"{path}: must" in failure(source, path)


def test_matlab_files_of_another_version_or_content(tmp_path):
    path = tmp_path / "v.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF")
    assert "save(..., '-v7')" in failure("vgg_face_mat", path)
    savemat(path, {"images": np.zeros(3)})
    assert "a file that holds images" in failure("vgg_face_mat", path)


def test_an_hdf5_file_that_keras_did_not_save(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["conv1_1"] = np.zeros(3)
    assert "without the attribute `layer_names`" in failure("vgg_face_h5", tmp_path / "v.h5")


def test_the_seed_decides_the_other_weights(tmp_path):
    path = write_h5(tmp_path / "v.h5", random_weights(), "new")
    models = [import_weights("vgg_face_h5", path, CONFIG, seed)[0] for seed in (0, 1)]
    first, second = ([model.get_layer(name).get_weights()[0] for model in models] for name in ("fc1", "conv5"))
    assert np.abs(first[0] - first[1]).max() > 0.01
    np.testing.assert_array_equal(*second)
