"""The TFLite files: one frame after the other gives the numbers of the whole sequence, about as exactly as promised."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.export import tflite
from affwildnet.runs.card import Card
from tests.helpers.exported import STATES, data_for, expected, network, stepped
from tests.helpers.networks import inputs, randomised
from tests.helpers.trainings import TINY

# Largest difference relative to the spread of a network's predictions: 11 significant bits, and 8 bits.
EXACTNESS = {"float16": 2e-3, "int8": 5e-2}


@pytest.fixture(scope="module", params=[("float16", "gru"), pytest.param(("int8", "every"), marks=pytest.mark.slow)])
def written(request, tmp_path_factory):
    """(weights, head, network with a large layer, folder of its export)."""
    weights, head = request.param
    folder = tmp_path_factory.mktemp(weights) / "tflite"
    model = network(head, units=300)
    for weight in model.trainable_weights:  # so small that no layer saturates and makes much of what is rounded
        weight.assign(weight / 4)
    tflite.write(model, folder, {"step": 12}, Card(8, margin=0.25), weights=weights)
    return weights, head, model, folder


def interpreter(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that it moves to
        return tf.lite.Interpreter(str(folder / "step.tflite"))


def test_frame_after_frame(written):
    weights, head, model, folder = written
    data = data_for(model, batch=1)
    whole = expected(model, data)
    found = stepped(tflite.load(folder), data, STATES[head], (1,) * 7)
    difference = np.abs(found - whole).max() / np.ptp(whole)
    assert 1e-7 < difference < EXACTNESS[weights]


def test_what_goes_in_and_out(written):
    weights, head, _, folder = written
    step = interpreter(folder).get_signature_runner("step")
    given = {name: (detail["dtype"], detail["shape"].tolist()) for name, detail in step.get_input_details().items()}
    assert given == {
        "frames": (np.uint8, [1, 1, 8, 8, 3]),
        "landmarks": (np.float32, [1, 1, 68, 2]),
        **{name: (np.float32, [1, *shape]) for name, shape in STATES[head].items()},
    }
    assert step.get_output_details().keys() == {"valence_arousal", *STATES[head]}
    described = json.loads((folder / "affwildnet.json").read_text())
    assert (described["margin"], described["step"], described["weights"]) == (0.25, 12, weights)
    assert list(described["use"]) == ["step.tflite"]


def test_weights_are_smaller_and_operations_tflites_own(written):
    weights, _, model, folder = written
    size = (folder / "step.tflite").stat().st_size
    floats = 4 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert size < {"float16": 0.5, "int8": 0.25}[weights] * floats + 50_000
    assert size < 0.75 * floats
    held = {each["dtype"] for each in interpreter(folder).get_tensor_details()}
    assert held & {np.float16, np.int8} == {{"float16": np.float16, "int8": np.int8}[weights]}
    operations = {each["op_name"] for each in interpreter(folder)._get_ops_details()}
    assert "CONV_2D" in operations
    assert not [name for name in operations if name.upper().startswith("FLEX") or name in ("WHILE", "CUSTOM")]


@pytest.mark.slow
def test_a_backbone_with_batch_normalisation(tmp_path):
    config = replace(TINY.model, backbone="resnet50_slim", recurrent="none", landmarks=False, width=0.1)
    model = randomised(models.build(config))
    tflite.write(model, tmp_path / "tflite")
    data = inputs(config, 1, 8)
    values = np.asarray(model(data))
    found = stepped(tflite.load(tmp_path / "tflite"), data, {}, (1,) * 8)
    assert np.ptp(values) > 1e-3
    assert np.abs(found - values).max() < 5e-3 * max(1, np.abs(values).max())
