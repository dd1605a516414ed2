"""Networks that take a video segment by segment, against their predictions for the whole video."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from affwildnet.experiments.networks import NETWORKS
from affwildnet.models.recurrent import GRU, IndRNN, OutputAttention, PeepholeLSTM
from affwildnet.models.streaming import with_states
from tests.helpers import on_jax
from tests.helpers.networks import DEEP, SMALL, inputs, numpy
from tests.helpers.recurrent_networks import STACKS, network
from tfrecords_tools.errors import UserError

FRAMES = 7


def video(model, batch=2, frames=FRAMES):
    data = inputs(replace(SMALL, landmarks=len(model.inputs) > 1), batch, frames)
    return [keras.ops.convert_to_tensor(data[tensor.name]) for tensor in model.inputs]


def in_segments(stateful, data, sizes, carry=True):
    """The predictions for a video in segments of these sizes."""
    states = stateful.initial_states(data[0].shape[0])
    found, start = [], 0
    for size in sizes:
        part = [tensor[:, start : start + size] for tensor in data]
        predictions, after = stateful(part, states)
        assert [tuple(state.shape) for state in after] == [tuple(state.shape) for state in states]
        states = after if carry else states
        found.append(numpy(predictions))
        start += size
    return np.concatenate(found, axis=1)


LARGE = ("three stacks", "members", "separate")


@pytest.mark.parametrize(
    "stack", [pytest.param(stack, marks=[pytest.mark.slow] * (stack in LARGE)) for stack in STACKS]
)
def test_segments_give_the_predictions_of_the_whole_video(stack):
    model = network(STACKS[stack])
    stateful, data = with_states(model), video(model)
    whole = numpy(model(data))
    for sizes in ([1, 1, 1, 4], [5, 2], [3, 4]):
        np.testing.assert_allclose(in_segments(stateful, data, sizes), whole, rtol=0, atol=1e-5)
    # Without the states the result differs, from the second segment on.
    forgotten = in_segments(stateful, data, [5, 2], carry=False)
    assert np.abs(forgotten[:, 5:] - whole[:, 5:]).max() > 1e-3


# One network of each kind of recurrence: the layers before it do not matter here.
AFTER_THE_CNN = ("recurrent", "recurrent_units", "attention", "reset_after", "rnn_inputs", "joined_hidden", "separate")
KINDS = {
    tuple(getattr(config, field) for field in (*AFTER_THE_CNN, "members", "fusion")): name
    for name, config in NETWORKS.items()
    if config.recurrent != "none"
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS.values())
def test_every_kind_of_recurrent_network_takes_segments(name):
    config = NETWORKS[name]
    model = network(replace(config, backbone="cnn_m") if config.backbone in DEEP else config)
    data = video(model, batch=1, frames=3)
    np.testing.assert_allclose(in_segments(with_states(model), data, [1, 2]), numpy(model(data)), rtol=0, atol=1e-5)


def test_the_states_are_those_of_the_layers_from_input_to_output():
    model = network(NETWORKS["thesis_vgg_face_attention"])
    stateful = with_states(model)
    # Of two GRU layers of 128 * 0.02 units: their states, the attention, the last 30 outputs and their keys.
    assert stateful.state_shapes == ((3,), (3,), (3,), (30, 3), (30, 3))
    assert stateful.inputs == len(model.inputs) == 1
    names = [tensor.name for tensor in stateful.model.inputs]
    assert names == ["frames", *(f"attention_state{number}" for number in range(1, 6))]
    states = stateful.initial_states(4)
    assert [tuple(state.shape) for state in states] == [(4, *shape) for shape in stateful.state_shapes]
    assert not any(numpy(state).any() for state in states)


def test_a_network_without_recurrence_has_no_states():
    model = network(NETWORKS["cnn_m"])
    stateful, data = with_states(model), video(model, frames=3)
    assert stateful.state_shapes == ()
    assert stateful.initial_states(2) == []
    np.testing.assert_allclose(in_segments(stateful, data, [1, 2]), numpy(model(data)), rtol=0, atol=1e-5)


class Foreign(keras.Model):
    """A functional network of a class that is not of this package."""


def test_a_network_from_elsewhere_without_recurrence_has_no_states():
    entry = keras.Input((None, 5), name="features")
    stateful = with_states(Foreign(entry, layers.Dense(2)(entry)))
    assert stateful.state_shapes == ()
    data = [keras.ops.ones((2, 3, 5))]
    np.testing.assert_allclose(in_segments(stateful, data, [2, 1]), in_segments(stateful, data, [3]), atol=1e-6)


def loops(stateful, frames):
    """The loops in the graph of the network for segments of so many frames, whatever the batch."""
    shapes = [(None, frames, *tensor.shape[2:]) for tensor in stateful.model.inputs[: stateful.inputs]]
    shapes += [(None, *shape) for shape in stateful.state_shapes]
    specs = [tf.TensorSpec(shape, tensor.dtype) for shape, tensor in zip(shapes, stateful.model.inputs, strict=True)]
    step = tf.function(lambda *tensors: stateful(tensors[: stateful.inputs], tensors[stateful.inputs :]))
    graph = step.get_concrete_function(*specs).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return [node.op for node in nodes if "While" in node.op]


@pytest.mark.parametrize("stack", ["gru", "attention"])
def test_a_single_frame_is_computed_without_a_loop(stack):
    stateful = with_states(network(STACKS[stack]))
    assert loops(stateful, 1) == []
    assert loops(stateful, 5) != []


def test_weights_that_are_loaded_later_are_used(tmp_path):
    model, other = network(STACKS["lstm"], seed=1), network(STACKS["lstm"], seed=2)
    stateful, data = with_states(model), video(model)
    before = in_segments(stateful, data, [3, 4])
    other.save_weights(tmp_path / "other.weights.h5")
    model.load_weights(tmp_path / "other.weights.h5")
    after = in_segments(stateful, data, [3, 4])
    np.testing.assert_allclose(after, numpy(other(data)), rtol=0, atol=1e-5)
    assert np.abs(after - before).max() > 1e-2
    assert {id(weight) for weight in stateful.model.weights} == {id(weight) for weight in model.weights}


def test_a_network_loaded_from_a_file_and_its_stateful_form_saved_to_one(tmp_path):
    made = network(STACKS["attention"])
    data = video(made)
    whole = numpy(made(data))
    made.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    stateful = with_states(loaded)
    np.testing.assert_allclose(in_segments(stateful, data, [3, 4]), whole, rtol=0, atol=1e-5)
    # The network has not changed: it can be used and saved as before.
    loaded.save(tmp_path / "again.keras")
    np.testing.assert_array_equal(numpy(keras.saving.load_model(tmp_path / "again.keras")(data)), numpy(loaded(data)))
    stateful.model.save(tmp_path / "stateful.keras")
    again = replace(stateful, model=keras.saving.load_model(tmp_path / "stateful.keras"))
    np.testing.assert_allclose(in_segments(again, data, [3, 4]), whole, rtol=0, atol=1e-5)


def through(*stack):
    """A network on sequences of five features."""
    entry = sequence = keras.Input((None, 5), name="features")
    for layer in stack:
        sequence = layer(sequence)
    return keras.Model(entry, sequence, name="theirs")


def twice():
    shared = IndRNN(5, name="shared")
    return through(shared, shared)


class Subclassed(keras.Model):
    def call(self, frames):
        return frames


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: through(layers.GRU(3, return_sequences=True, name="theirs1")), r"theirs, whose layer theirs1 \(GRU\)"),
        (lambda: through(layers.LSTM(3, return_sequences=True)), r"\(LSTM\) is not one of them"),
        (lambda: through(layers.Bidirectional(GRU(3))), r"\(Bidirectional\) is not one of them"),
        (lambda: through(layers.RNN(layers.GRUCell(3), return_sequences=True)), r"\(RNN\) is not one of them"),
        (
            lambda: through(layers.Dense(5), through(PeepholeLSTM(3))),
            r"\(PeepholeLSTM\) is not one .* the top level",
        ),
        (lambda: through(GRU(3, go_backwards=True)), "runs from the last frame to the first"),
        (lambda: through(GRU(3, return_sequences=False)), "returns the last frame only"),
        (lambda: through(IndRNN(3, return_state=True)), "returns its states already"),
        (twice, "shared .* is called more than once"),
        (Subclassed, "Only a functional network .* Received: .* Subclassed"),
    ],
)
def test_states_that_cannot_be_taken_out_are_an_error_not_a_wrong_result(made, says):
    with pytest.raises(UserError, match=says):
        with_states(made())


def test_layers_of_this_package_in_a_network_from_elsewhere_have_states():
    model = through(OutputAttention([GRU(4), IndRNN(3)], 2, name="around"), layers.Dense(2))
    assert with_states(model).state_shapes == ((4,), (3,), (3,), (2, 3), (2, 3))


ON_JAX = """
import sys
import jax, keras, numpy as np
import affwildnet.models
from affwildnet.models.streaming import with_states
assert keras.backend.backend() == "jax"
stateful = with_states(keras.saving.load_model(sys.argv[1]))
data = np.load(sys.argv[2])
weights = [[variable.value for variable in group] for group in (
    stateful.model.trainable_variables, stateful.model.non_trainable_variables
)]
step = jax.jit(lambda tensors: stateful.model.stateless_call(*weights, tensors, training=False)[0])
states, found = stateful.initial_states(2), []
for start in range(data["frames"].shape[1]):
    part = [data[name][:, start : start + 1] for name in ("frames", "landmarks")]
    predictions, *states = step([*map(keras.ops.convert_to_tensor, part), *states])
    found.append(keras.ops.convert_to_numpy(predictions))
np.save(sys.argv[3], np.concatenate(found, axis=1))
"""


@pytest.mark.slow
def test_frame_by_frame_on_jax_equals_the_whole_video_on_tensorflow(tmp_path):
    model, data = network(STACKS["gru"]), inputs(SMALL, steps=3)
    model.save(tmp_path / "network.keras")
    np.savez(tmp_path / "data.npz", **data)
    paths = [str(tmp_path / name) for name in ("network.keras", "data.npz", "found.npy")]
    subprocess.run([sys.executable, "-c", ON_JAX, *paths], env=on_jax.environment(), check=True, capture_output=True)
    np.testing.assert_allclose(np.load(paths[2]), numpy(model(data)), rtol=0, atol=1e-5)
