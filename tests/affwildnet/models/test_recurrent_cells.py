"""The recurrent cells: results and gradients against plain loops, states, saving, the limit of IndRNN's weights."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.models.recurrent import GRU, IndRNN, OutputAttention, PeepholeLSTM, RecurrentWeightLimit
from affwildnet.models.recurrent.recurrence import frames_a_turn
from tests.helpers.networks import numpy
from tests.helpers.recurrences import CELLS, FEATURES, expected, float64, layer, sequence


def gradients(made, x):
    """Gradients of the sum of outputs times fixed numbers, for the input and all weights."""
    x = tf.constant(x.astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = made(x)
        loss = tf.reduce_sum(outputs * direction(outputs.shape))
    return [gradient.numpy() for gradient in tape.gradient(loss, [x, *(weight.value for weight in made.weights)])]


def direction(shape):
    return np.random.default_rng(9).normal(size=shape).astype("float32")


# All frames in one turn of the loop, turns of one and of four; fewer and more frames than the attention remembers (3).
@pytest.mark.parametrize("frames", [2, 7, 8])
@pytest.mark.parametrize("cell", CELLS)
def test_results(cell, frames):
    made, x = layer(cell), sequence(frames)
    outputs = numpy(made(x))
    assert outputs.shape == (2, frames, 4)
    np.testing.assert_allclose(outputs, expected(cell, x, float64(made.weights)), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients(cell):
    """Along random directions, against differences of the plain loop."""
    made, x = layer(cell), sequence(6, batch=1, seed=1)
    values = [x, *float64(made.weights)]
    slopes = direction((1, 6, 4))
    rng = np.random.default_rng(5)
    for index, gradient in enumerate(gradients(made, x)):
        for _ in range(3):
            way = rng.normal(size=gradient.shape)
            losses = []
            for shift in (1e-5, -1e-5):
                moved = [value + shift * way if place == index else value for place, value in enumerate(values)]
                losses.append((expected(cell, moved[0], moved[1:]) * slopes).sum())
            slope = (losses[0] - losses[1]) / 2e-5
            assert (gradient * way).sum() == pytest.approx(slope, rel=1e-4, abs=2e-5)
            assert abs(slope) > 1e-3


@pytest.mark.parametrize(("reset_after", "use_bias"), [(False, True), (True, True), (True, False)])
def test_gru_is_keras_gru(reset_after, use_bias):
    arguments = {"units": 5, "reset_after": reset_after, "use_bias": use_bias, "return_sequences": True}
    ours, theirs = GRU(**arguments), keras.layers.GRU(**arguments)
    for made in (ours, theirs):
        made.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    theirs.set_weights([rng.normal(size=weight.shape) for weight in theirs.weights])
    ours.set_weights(theirs.get_weights())
    assert [weight.name for weight in ours.weights] == [weight.name for weight in theirs.weights]
    x = sequence(8)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    for own, other in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "mask"),
    [
        ({"return_sequences": False}, None),
        ({"go_backwards": True}, None),
        ({}, np.array([[True] * 3 + [False] * 5] * 2)),
        ({"activation": "relu", "recurrent_activation": "hard_sigmoid"}, None),
    ],
)
def test_gru_takes_the_other_arguments_of_keras_gru(arguments, mask):
    arguments = {"return_sequences": True, "reset_after": False, **arguments}
    ours, theirs = GRU(5, **arguments), keras.layers.GRU(5, **arguments)
    x = sequence(8)
    theirs(x), ours(x)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x, mask=mask), theirs(x, mask=mask), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("gpu", "reset_after", "reached"), [(1, True, 1), (1, False, 0), (0, True, 0)])
def test_cudnn_is_used_where_possible(monkeypatch, gpu, reset_after, reached):
    backend = sys.modules["keras.src.backend.tensorflow.rnn"]
    seen = []

    def cudnn(inputs, initial_state, kernel, *_):
        seen.append(kernel.shape)
        outputs = tf.zeros((*inputs.shape[:2], 4))
        return outputs[:, -1], outputs, [outputs[:, -1]]

    monkeypatch.setattr(backend, "_is_gpu_available", lambda: bool(gpu))
    monkeypatch.setattr(backend, "_cudnn_gru", cudnn)
    outputs = GRU(4, reset_after=reset_after)(sequence())
    assert seen == [(FEATURES, 12)] * reached
    assert (np.abs(outputs).max() == 0) == bool(reached)


@pytest.mark.parametrize("cell", CELLS)
def test_segments_give_the_outputs_of_the_whole_video(cell):
    x = sequence(9)
    whole = numpy(layer(cell)(x))
    stateful = layer(cell, return_state=True)
    states, segments = None, []
    for begin, end in [(0, 1), (1, 2), (2, 4), (4, 9)]:
        output, *states = stateful(x[:, begin:end], initial_state=states)
        segments.append(numpy(output))
    assert [tuple(state.shape[1:]) for state in states] == stateful.state_shapes
    assert type(stateful).from_config(stateful.get_config()).return_state
    np.testing.assert_allclose(np.concatenate(segments, axis=1), whole, rtol=1e-5, atol=1e-6)
    fresh = numpy(layer(cell)(x[:, 4:]))
    assert np.abs(fresh - whole[:, 4:]).max() > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_symbolic(cell):
    made = layer(cell, return_state=True)
    outputs, *states = made(keras.Input((None, FEATURES)))
    assert outputs.shape == (None, None, 4)
    assert [state.shape[1:] for state in states] == made.state_shapes
    plain = layer(cell)
    call = tf.function(plain, input_signature=[tf.TensorSpec((None, None, FEATURES))])
    for frames in (1, 8):
        x = sequence(frames).astype("float32")
        np.testing.assert_allclose(call(x), plain(x), rtol=1e-5, atol=1e-6)


def test_attention_memory_is_dropped_after_its_length():
    """With the stack disconnected, an output reaches later ones only through the memory, while it is remembered."""
    made = layer("attention")
    for gru in made.stack:
        gru.set_weights([np.zeros(weight.shape) for weight in gru.weights])
    made.output_kernel.assign(np.concatenate([np.zeros((4, 4)), np.eye(4)]))
    made.output_bias.assign(np.zeros(4))
    x, memory = np.zeros((1, 5, FEATURES)), np.zeros((1, 3, 4))
    memory[0, -1] = 1.0  # the newest of three: remembered for three frames
    states = made.get_initial_state(1)
    states[-2], states[-1] = memory, memory @ numpy(made.key_kernel)
    outputs = numpy(made(x, initial_state=states))
    assert (np.abs(outputs[0]).max(axis=1) > 0).all()  # the outputs that read it are remembered
    states[-2], states[-1] = np.roll(memory, 1, axis=1), np.roll(memory, 1, axis=1) @ numpy(made.key_kernel)
    forgotten = numpy(made(x, initial_state=states))
    np.testing.assert_allclose(forgotten[0, 0], outputs[0, 0], atol=1e-6)  # the order does not matter
    assert np.abs(forgotten[0, 1] - outputs[0, 1]).max() > 1e-3  # forgotten before the second frame


ROUND_TRIP = {
    "gru": lambda: GRU(3, reset_after=False, recurrent_initializer="glorot_uniform", dtype="float32", name="g"),
    "lstm": lambda: PeepholeLSTM(3, forget_bias=0.5, dtype="float32", name="l"),
    "indrnn": lambda: IndRNN(3, window=70, dtype="float32", name="i"),
    "attention": lambda: OutputAttention(
        [PeepholeLSTM(3, forget_bias=0.25), IndRNN(2, window=60)], 2, dtype="float32", name="a"
    ),
}


@pytest.mark.parametrize("cell", ROUND_TRIP)
def test_a_saved_layer_is_the_same(cell, tmp_path):
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, ROUND_TRIP[cell]()(x))
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    made, kept = (network.layers[1].get_config() for network in (model, loaded))
    assert kept == made
    assert len(loaded.weights) == len(model.weights)
    np.testing.assert_array_equal(loaded(sequence(7)), model(sequence(7)))
    if cell == "attention":
        lstm, indrnn = loaded.layers[1].stack
        assert (lstm.forget_bias, indrnn.window, loaded.layers[1].memory) == (0.25, 60, 2)
    if cell == "indrnn":
        assert kept["window"] == 70
        assert loaded.layers[1].recurrent_kernel.constraint.window == 70


def test_indrnn_weights_are_limited_after_a_step():
    made = IndRNN(4, window=20)
    x = sequence(8)
    made(x)
    made.recurrent_kernel.assign([1.02, -1.02, 0.5, -0.5])
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(made.trainable_variables)
    steps = [tf.zeros(weight.shape) for weight in made.weights]
    steps[1] = tf.constant([-1.0, 1.0, 0.1, -0.1])
    optimizer.apply(steps, made.trainable_variables)
    limit = 2 ** (1 / 20)
    np.testing.assert_allclose(made.recurrent_kernel, [limit, -limit, 0.4, -0.4], rtol=1e-6)


def test_indrnn_starts_as_the_implementation_that_the_thesis_used():
    """Its `IndRNNCell` starts recurrent weights at 1, input weights from N(0, 0.001) and biases at 0."""
    made = IndRNN(2000, window=20)
    made.build((None, None, 50))
    kernel = numpy(made.kernel)
    assert numpy(made.recurrent_kernel).tolist() == [1.0] * 2000
    assert not numpy(made.bias).any()
    assert (kernel.mean(), kernel.std()) == (pytest.approx(0, abs=2e-5), pytest.approx(0.001, rel=0.02))
    assert 0.0035 < np.abs(kernel).max() < 0.007  # a normal distribution without ends
    assert RecurrentWeightLimit(80)(tf.constant([2.0])).numpy() == pytest.approx(1.0087, abs=1e-4)


def test_an_indrnn_of_an_earlier_version_is_loaded():
    assert IndRNN.from_config({**IndRNN(3, window=70).get_config(), "remembers": True}).window == 70


def assert_uniform(values, limit):
    """Within a limit, out to it, and as broad as a uniform distribution."""
    assert 0.99 * limit < np.abs(values).max() <= limit
    assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert values.mean() == pytest.approx(0, abs=0.03 * limit)


@pytest.mark.parametrize("reset_after", [False, True])
def test_a_gru_starts_as_that_of_tensorflow_1(reset_after):
    """`GRUCell`: gates (F + units, 2 units) and candidate (F + units, units), Glorot's; biases of the gates 1."""
    inputs, units = 300, 100
    made = GRU(units, reset_after=reset_after)
    made.build((None, None, inputs))
    for weight in (made.cell.kernel, made.cell.recurrent_kernel):
        gates, candidate = np.split(numpy(weight), [2 * units], axis=1)
        assert_uniform(gates, np.sqrt(6 / (inputs + units + 2 * units)))
        assert_uniform(candidate, np.sqrt(6 / (inputs + units + units)))
    first = [*[1.0] * 2 * units, *[0.0] * units]
    assert numpy(made.cell.bias).tolist() == ([first, [0.0] * 3 * units] if reset_after else first)


def test_the_matrices_of_a_gru_are_drawn_apart():
    made = GRU(30)
    made.build((None, None, 30))
    values = [*np.split(numpy(made.cell.kernel), 3, axis=1), *np.split(numpy(made.cell.recurrent_kernel), 3, axis=1)]
    correlations = np.corrcoef([value.ravel() for value in values])
    assert np.abs(correlations - np.eye(6)).max() < 0.2


def test_an_lstm_starts_as_that_of_tensorflow_1():
    """`LSTMCell`: one matrix (F + units, 4 units) and three peepholes, all Glorot's; biases 0."""
    inputs, units = 300, 100
    made = PeepholeLSTM(units)
    made.build((None, None, inputs))
    for weight in (made.kernel, made.recurrent_kernel):
        assert_uniform(numpy(weight), np.sqrt(6 / (inputs + units + 4 * units)))
    for peephole in (made.input_peephole, made.forget_peephole, made.output_peephole):
        assert 0.9 * np.sqrt(6 / (2 * units)) < np.abs(numpy(peephole)).max() <= np.sqrt(6 / (2 * units))
    assert not numpy(made.bias).any()


def test_the_cells_of_an_attention_start_as_those_of_tensorflow_1():
    made = OutputAttention([GRU(40), GRU(40)], 30)
    made.build((None, None, 400))
    limit = np.sqrt(6 / (440 + 400))
    for weight in (made.input_kernel, made.input_attention_kernel):
        assert 0.95 * limit < np.abs(weight).max() <= limit
    assert np.abs(made.score).max() <= np.sqrt(6 / 80)
    with pytest.raises(ValueError, match="`memory` must be at least 1"):
        OutputAttention([GRU(4)], 0)


@pytest.mark.parametrize(("frames", "together"), [(None, 1), (1, 1), (3, 3), (80, 4), (70, 2), (90, 3), (79, 1)])
def test_frames_a_turn(frames, together):
    assert frames_a_turn(frames, 4) == together
    assert frames_a_turn(frames, 1) == 1
