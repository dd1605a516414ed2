"""The SavedModel's signature `step`: a video that comes in pieces gets the numbers of the whole one."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.export import saved_model
from affwildnet.models import fuse_decisions
from tests.helpers.exported import STATES, data_for, expected, network, stepped
from tests.helpers.networks import inputs, randomised
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError


@pytest.fixture(scope="module", params=["none", "gru", pytest.param("every", marks=pytest.mark.slow)])
def saved(request, tmp_path_factory):
    """(head, network, folder of its export, its step as it is loaded)."""
    folder = tmp_path_factory.mktemp(request.param) / "saved"
    model = network(request.param)
    saved_model.write(model, folder)
    return request.param, model, folder, saved_model.load(folder)


@pytest.mark.parametrize("pieces", [(1,) * 7, (1, 4, 2)])
def test_pieces_give_what_the_whole_gives(saved, pieces):
    head, model, _, step = saved
    data = data_for(model)
    found = stepped(step, data, STATES[head], pieces)
    np.testing.assert_allclose(found, expected(model, data), atol=1e-5)


def test_whole_sequences_of_any_length_and_number(saved):
    _, model, folder, _ = saved
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for batch, frames in ((1, 1), (3, 12)):
        data = data_for(model, batch, frames, seed=frames)
        found = serve(**{name: tf.constant(values) for name, values in data.items()})
        assert list(found) == ["valence_arousal"]
        np.testing.assert_allclose(found["valence_arousal"], model(data), atol=1e-5)


def test_the_states_are_told(saved):
    head, _, folder, _ = saved
    described = json.loads((folder / "assets.extra" / "affwildnet.json").read_text())
    assert described["states"] == {name: [None, *shape] for name, shape in STATES[head].items()}
    step = tf.saved_model.load(str(folder)).signatures["step"]
    _, arguments = step.structured_input_signature
    assert arguments.keys() == {"frames", "landmarks", *STATES[head]}
    for name in STATES[head]:
        assert arguments[name].shape.as_list() == described["states"][name]
        assert step.structured_outputs[name].shape.as_list() == described["states"][name]


def test_each_row_of_a_batch_has_its_own_states(saved):
    """As a server batches requests of several clients, who come and go."""
    head, model, _, step = saved
    data = data_for(model, batch=2, frames=6)
    whole = expected(model, data)
    states = {name: np.zeros([2, *shape], "float32") for name, shape in STATES[head].items()}
    before = step({**{name: values[:, :4] for name, values in data.items()}, **states})
    one = {name: values[1:, 4:] for name, values in data.items()}
    after = step({**one, **{name: before[name][1:] for name in states}})
    np.testing.assert_allclose(after["valence_arousal"], whole[1:, 4:], atol=1e-5)
    forgotten = step({**one, **{name: states[name][1:] for name in states}})
    assert (np.abs(forgotten["valence_arousal"] - whole[1:, 4:]).max() > 1e-2) == bool(states)


def test_each_weight_is_stored_once(tmp_path):
    model = network("none")
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    saved_model.write(model, tmp_path / "saved")
    stored = tf.train.list_variables(str(tmp_path / "saved" / "variables" / "variables"))
    kept = sum(int(np.prod(shape)) for name, shape in stored if not name.startswith("_CHECKPOINTABLE"))
    assert kept == sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_expressions(tmp_path):
    model = network("none", "expression", landmarks=False)
    saved_model.write(model, tmp_path / "saved")
    described = json.loads((tmp_path / "saved" / "assets.extra" / "affwildnet.json").read_text())
    classes = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    assert described["output"] == {"expression": classes, "shape": [None, None, 7]}
    assert list(described["inputs"]) == ["frames"]
    data = data_for(model, 1, 5)
    found = stepped(saved_model.load(tmp_path / "saved"), data, {}, (2, 3), "expression")
    np.testing.assert_allclose(found, expected(model, data), atol=1e-5)


def test_other_networks_are_refused(tmp_path):
    with pytest.raises(
        UserError,
        match=r"`valence_arousal` .* or `expression` .* to smile \(None, None, 3\)\.$",
    ):
        saved_model.write(network("none", "smile"), tmp_path / "saved")
    pixels = keras.Input((None, 4), name="pixels")
    other = keras.Model(pixels, keras.layers.Dense(2, name="valence_arousal")(pixels))
    with pytest.raises(UserError, match=r"must take `frames` .*Received: pixels \(None, None, 4\) to "):
        saved_model.write(other, tmp_path / "saved")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "states"), [("CNN-3RNN", 6), ("decision fusion", 3)])
def test_several_stacks_and_networks(kind, states, tmp_path):
    one = replace(TINY.model, backbone="vgg16", width=0.1, hidden=(40,), recurrent_units=(60,), recurrent_dropout=0.0)
    if kind == "decision fusion":
        members = [models.build(replace(one, recurrent=cell)) for cell in ("gru", "lstm")]
        model = fuse_decisions(members, np.array([[0.5, 0.4], [0.3, 0.6]]))
    else:
        stacks = ("pool2", "pool5", "fc")
        model = models.build(replace(one, rnn_inputs=stacks, recurrent_units=(60, 50), joined_hidden=(64,)))
    randomised(model)
    saved_model.write(model, tmp_path / "saved")
    described = json.loads((tmp_path / "saved" / "assets.extra" / "affwildnet.json").read_text())["states"]
    assert len(described) == states
    data = inputs(TINY.model, 2, 5)
    shapes = {name: shape[1:] for name, shape in described.items()}
    found = stepped(saved_model.load(tmp_path / "saved"), data, shapes, (1, 1, 3))
    np.testing.assert_allclose(found, model(data), atol=1e-5)
    assert np.ptp(found, axis=1).min() > 1e-4


def test_a_network_of_mixed_precision_keeps_its_numbers_in_fewer_bytes(tmp_path):
    sizes = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = network("none")
        finally:
            keras.config.set_dtype_policy("float32")
        saved_model.write(model, tmp_path / policy)
        data = data_for(model)
        found = saved_model.load(tmp_path / policy)(data)["valence_arousal"]
        as_trained = tf.function(lambda given, model=model: model(given, training=False))
        np.testing.assert_array_equal(found, as_trained(data).numpy())
        sizes[policy] = sum(path.stat().st_size for path in (tmp_path / policy / "variables").iterdir())
    # Half for the layers; statistics of the landmarks, the head and the names take the same.
    assert sizes["mixed_bfloat16"] < 0.7 * sizes["float32"]
