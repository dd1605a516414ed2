"""Recurrent stacks beside their literal forms, which go frame by frame, with the same weights; pure Keras."""

import keras
import numpy as np
from keras import ops

from affwildnet.models.recurrent import GRU, OutputAttention

UNITS, MEMORY = 128, 30


class LiteralAttentionCell(keras.layers.Layer):
    """Attention to the last outputs as its equations are written, around two GRU cells, one frame a call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.cells = [keras.layers.GRUCell(UNITS, reset_after=False) for _ in range(2)]
        self.state_size = [UNITS, UNITS, UNITS, MEMORY * UNITS]
        self.output_size = UNITS

    def build(self, shape):
        features = shape[-1]
        self.enter = keras.layers.Dense(features)
        self.query, self.key = keras.layers.Dense(UNITS), keras.layers.Dense(UNITS, use_bias=False)
        self.leave = keras.layers.Dense(UNITS)
        self.enter.build((None, features + UNITS))
        self.cells[0].build((None, features))
        self.cells[1].build((None, UNITS))
        for dense in (self.query, self.leave):
            dense.build((None, 2 * UNITS))
        self.key.build((None, UNITS))
        self.score = self.add_weight((UNITS,))

    def call(self, x, states):
        lower, upper, attention, outputs = states
        outputs = ops.reshape(outputs, (-1, MEMORY, UNITS))
        x = self.enter(ops.concatenate([x, attention], axis=-1))
        x, (lower,) = self.cells[0](x, [lower])
        x, (upper,) = self.cells[1](x, [upper])
        query = self.query(ops.concatenate([lower, upper], axis=-1))
        scores = ops.sum(self.score * ops.tanh(self.key(outputs) + query[:, None]), axis=-1)
        attention = ops.sum(ops.softmax(scores)[..., None] * outputs, axis=1)
        x = self.leave(ops.concatenate([x, attention], axis=-1))
        outputs = ops.concatenate([outputs[:, 1:], x[:, None]], axis=1)
        return x, [lower, upper, attention, ops.reshape(outputs, (-1, MEMORY * UNITS))]


def gru_pair(features: int):
    """Return two GRU layers and the same from Keras, each with its weights in a common order."""
    pair = [keras.Sequential([make(UNITS, return_sequences=True, reset_after=False) for _ in range(2)])
            for make in (GRU, keras.layers.GRU)]  # fmt: skip
    for model in pair:
        model.build((None, None, features))
    pair[1].set_weights(pair[0].get_weights())
    return [(model, lambda values: values, model.trainable_variables) for model in pair]


def attention_pair(features: int):
    """Return the attention around two GRU layers, and its literal form, each with its weights in a common order."""
    fast = OutputAttention([GRU(UNITS, reset_after=False) for _ in range(2)], MEMORY)
    fast.build((None, None, features))
    cell = LiteralAttentionCell()
    literal = keras.layers.RNN(cell, return_sequences=True)
    literal.build((None, None, features))
    ours = [
        fast.input_kernel, fast.input_attention_kernel, fast.input_bias, *fast.stack[0].weights, *fast.stack[1].weights,
        fast.query_kernel, fast.query_bias, fast.key_kernel, fast.score, fast.output_kernel, fast.output_bias,
    ]  # fmt: skip
    theirs = [
        *cell.enter.weights, *cell.cells[0].weights, *cell.cells[1].weights,
        *cell.query.weights, *cell.key.weights, cell.score, *cell.leave.weights,
    ]  # fmt: skip

    def joined(values):
        return [np.concatenate(values[:2]), *values[2:]]

    for variable, value in zip(theirs, joined([ops.convert_to_numpy(weight) for weight in ours]), strict=True):
        variable.assign(value)
    return [(fast, joined, ours), (literal, lambda values: values, theirs)]
