"""The ONNX files: ONNX Runtime gives the network's numbers, for whole sequences and in steps."""

import importlib.util
import json
from dataclasses import replace

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.export import onnx_file
from affwildnet.runs.card import Card
from tests.helpers.exported import STATES, data_for, expected, network, stepped
from tests.helpers.networks import inputs, randomised
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records


def session(folder):
    return onnxruntime.InferenceSession(folder / "sequence.onnx", providers=["CPUExecutionProvider"])


def whole(folder, data):
    (found,) = session(folder).run(["valence_arousal"], data)
    return found


@pytest.fixture(scope="module", params=["gru", pytest.param("every", marks=pytest.mark.slow)])
def written(request, tmp_path_factory):
    """(head, network, folder of its export)."""
    folder = tmp_path_factory.mktemp(request.param) / "onnx"
    model = network(request.param)
    onnx_file.write(model, folder, {"step": 12}, Card(8, margin=0.25))
    return request.param, model, folder


def test_whole_sequences_of_any_length_and_number(written):
    _, model, folder = written
    for batch, frames in ((1, 1), (3, 12)):
        data = data_for(model, batch, frames, seed=frames)
        np.testing.assert_allclose(whole(folder, data), model(data), atol=1e-5)


@pytest.mark.parametrize("pieces", [(1,) * 7, (3, 4)])
def test_pieces_give_what_the_whole_gives(written, pieces):
    head, model, folder = written
    data = data_for(model)
    found = stepped(onnx_file.load(folder), data, STATES[head], pieces)
    np.testing.assert_allclose(found, expected(model, data), atol=1e-5)


def test_what_goes_in_and_out(written):
    head, _, folder = written
    sequence = session(folder)
    shapes = {tensor.name: (tensor.type, tensor.shape) for tensor in sequence.get_inputs()}
    assert shapes == {
        "frames": ("tensor(uint8)", ["B", "T", 8, 8, 3]),
        "landmarks": ("tensor(float)", ["B", "T", 68, 2]),
    }
    step = onnxruntime.InferenceSession(folder / "step.onnx", providers=["CPUExecutionProvider"])
    given = {tensor.name: tensor.shape for tensor in step.get_inputs()}
    assert given == {
        **{name: shape for name, (_, shape) in shapes.items()},
        **{name: ["B", *shape] for name, shape in STATES[head].items()},
    }
    returned = {tensor.name: tensor.shape for tensor in step.get_outputs()}
    states = {f"next_{name}": ["B", *shape] for name, shape in STATES[head].items()}
    assert returned == {"valence_arousal": ["B", "T", 2], **states}


def test_the_description_is_beside_and_inside(written):
    _, _, folder = written
    described = json.loads((folder / "affwildnet.json").read_text())
    assert (described["margin"], described["step"], set(described["use"])) == (0.25, 12, {"sequence.onnx", "step.onnx"})
    for file in described["use"]:
        metadata = {entry.key: entry.value for entry in onnx.load(folder / file).metadata_props}
        assert json.loads(metadata["affwildnet"]) == described
    assert sorted(path.name for path in folder.iterdir()) == ["affwildnet.json", "sequence.onnx", "step.onnx"]


def test_a_network_of_mixed_precision_computes_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network("none")
    finally:
        keras.config.set_dtype_policy("float32")
    same = network("none")
    data = data_for(model)
    assert np.abs(model(data) - same(data)).max() > 1e-4  # rounded to 8 significant bits on the way
    onnx_file.write(model, tmp_path / "onnx")
    np.testing.assert_allclose(whole(tmp_path / "onnx", data), same(data), atol=1e-5)


@pytest.mark.parametrize("missing", [("tf2onnx",), ("onnx", "onnxruntime")])
def test_missing_packages_are_named(missing, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    with pytest.raises(UserError) as caught:
        onnx_file.write(None, tmp_path / "onnx")
    assert str(caught.value) == f'ONNX files need {", ".join(missing)}: pip install -e ".[onnx]"'
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["cnn_m", "resnet50_slim"])  # one of DenseNet takes a minute
def test_backbones(backbone, tmp_path):
    config = replace(TINY.model, backbone=backbone, recurrent="none", landmarks=False, width=0.1)
    model = randomised(models.build(config))
    onnx_file.write(model, tmp_path / "onnx")
    data = inputs(config, 2, 3)
    values = np.asarray(model(data))
    assert np.ptp(values) > 1e-3
    np.testing.assert_allclose(whole(tmp_path / "onnx", data), values, atol=1e-4 * max(1, np.abs(values).max()))


@pytest.mark.slow
def test_real_faces(packed_sample, tmp_path):
    packed = manifest.load(packed_sample)
    entry = packed.split("test")[0]
    records = read_records(packed_sample, entry)
    data = {
        "frames": np.stack([tf.io.decode_jpeg(record["face"]) for record in records])[None],
        "landmarks": np.stack([record["landmarks"] for record in records])[None],
    }
    assert data["frames"].dtype == np.uint8
    config = replace(TINY.model, backbone="vgg16", image_size=packed.image_size, width=0.05, hidden=(64,))
    model = randomised(models.build(replace(config, standardise_landmarks=True, recurrent_units=(100,))))
    models.fit_landmarks(model, data["landmarks"][0])
    onnx_file.write(model, tmp_path / "onnx")
    np.testing.assert_allclose(whole(tmp_path / "onnx", data), expected(model, data), atol=1e-4)
