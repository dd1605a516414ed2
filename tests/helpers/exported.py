"""Tiny networks with each kind of recurrent stack, quickly built and exported, and how their steps are held to them."""

import keras
import numpy as np
from keras import layers

from affwildnet.models import FoldTime, UnfoldTime
from affwildnet.models.recurrent import GRU, IndRNN, OutputAttention, PeepholeLSTM
from tests.helpers.networks import numpy

SIZE = 8
# By name: the stacks between the features and the output, each a list from the input on.
STACKS = {
    "none": [[]],
    "gru": [[lambda: GRU(5, name="gru1")]],
    "every": [
        [lambda: GRU(5, name="a_gru1"), lambda: PeepholeLSTM(4, name="a_lstm2")],
        [lambda: GRU(3, reset_after=True, name="b_gru1")],
        [lambda: IndRNN(4, name="c_indrnn1")],
        [lambda: OutputAttention([GRU(5), GRU(4)], 3, name="d_attention")],
    ],
}
STATES = {
    "none": {},
    "gru": {"gru1_state1": [5]},
    "every": {
        "a_gru1_state1": [5],
        "a_lstm2_state1": [4],
        "a_lstm2_state2": [4],
        "b_gru1_state1": [3],
        "c_indrnn1_state1": [4],
        **dict(zip([f"d_attention_state{i}" for i in range(1, 6)], [[5], [4], [4], [3, 4], [3, 4]], strict=True)),
    },
}
LANDMARKS_MEAN, LANDMARKS_DEVIATION = 0.45, 0.3


def network(head="gru", output="valence_arousal", landmarks=True, units=6):
    """A network of two inputs whose weights have values of their own, with standardised landmarks."""
    frames = keras.Input((None, SIZE, SIZE, 3), dtype="uint8", name="frames")
    tensors = [frames]
    x = layers.Rescaling(1 / 128, -1.0, dtype="float32", name="normalise")(FoldTime(name="fold")(frames))
    x = layers.Flatten(name="flat")(layers.Conv2D(2, 3, strides=2, activation="relu", name="conv")(x))
    standardise = layers.Normalization(name="standardise_landmarks")
    if landmarks:
        tensors.append(keras.Input((None, 68, 2), name="landmarks"))
        points = layers.Flatten(name="flat_landmarks")(FoldTime(name="fold_landmarks")(tensors[1]))
        x = layers.Concatenate(name="joined")([x, standardise(points)])
    x = UnfoldTime(name="unfold")([layers.Dense(units, activation="tanh", name="fc1")(x), frames])
    ends = []
    for stack in STACKS[head]:
        end = x
        for make in stack:
            end = make()(end)
        ends.append(end)
    x = layers.Concatenate(name="stacks")(ends) if len(ends) > 1 else ends[0]
    outputs = {"valence_arousal": 2, "expression": 7}.get(output, 3)
    model = keras.Model(tensors, layers.Dense(outputs, dtype="float32", name=output)(x))
    rng = np.random.default_rng(5)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(0, 0.4, weight.shape))
    if landmarks:
        points = rng.normal(LANDMARKS_MEAN, LANDMARKS_DEVIATION, (50, 136))
        standardise.adapt(points)
    return model


def data_for(model, batch=2, frames=7, seed=0):
    """Random inputs of a network, by name."""
    rng = np.random.default_rng(seed)
    data = {"frames": rng.integers(0, 256, (batch, frames, *model.inputs[0].shape[2:]), "uint8")}
    if len(model.inputs) > 1:
        data["landmarks"] = rng.normal(LANDMARKS_MEAN, LANDMARKS_DEVIATION, (batch, frames, 68, 2)).astype("float32")
    return data


def expected(model, data):
    """What a network says of whole sequences, and that it is no constant, nor forgets all but the frame."""
    values = numpy(model(data, training=False))
    assert np.ptp(values, axis=1).min() > 1e-2
    return values


def stepped(step, data, states, pieces, output="valence_arousal"):
    """The outputs of a step (arrays by name to arrays by name), given sequences in pieces of so many frames."""
    batch, frames = data["frames"].shape[:2]
    assert sum(pieces) == frames
    carried = {name: np.zeros([batch, *shape], "float32") for name, shape in states.items()}
    found, first = [], 0
    for length in pieces:
        piece = {name: values[:, first : first + length] for name, values in data.items()}
        outputs = step({**piece, **carried})
        assert outputs.keys() == {output, *states}
        found.append(outputs[output])
        carried = {name: outputs[name] for name in states}
        first += length
    return np.concatenate(found, axis=1)
