"""Recurrence: the recurrent stacks against their literal form, which does everything frame by frame.

    python -m benchmarks.recurrence [--stacks gru-4096 gru-73728 attention-4608] [--output=benchmarks/recurrence.json]

Both forms have the same weights, get the same windows (2 of 80 frames) and take turns. Forward is a compiled call;
training is a compiled call with the gradients of all weights and of the input. The difference is the largest
one of outputs and gradients, each relative to the largest value of its tensor.

The literal form is bound by memory: it reads the input's weights once a frame. Ours is bound by arithmetic: with
attention, by the product of all frames with 4,608 x 4,608 weights, once forward and twice more in training. The time of
this product alone is shown below the table; no form can be faster.
"""

import argparse
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from affwildnet.models.recurrent import GRU, OutputAttention
from benchmarks.results import show

BATCH, FRAMES, UNITS, MEMORY = 2, 80, 128, 30


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
        model.build((None, FRAMES, features))
    pair[1].set_weights(pair[0].get_weights())
    return [(model, lambda values: values, model.trainable_variables) for model in pair]


def attention_pair(features: int):
    """Return the attention around two GRU layers, and its literal form, each with its weights in a common order."""
    fast = OutputAttention([GRU(UNITS, reset_after=False) for _ in range(2)], MEMORY)
    fast.build((None, FRAMES, features))
    cell = LiteralAttentionCell()
    literal = keras.layers.RNN(cell, return_sequences=True)
    literal.build((None, FRAMES, features))
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

    for variable, value in zip(theirs, joined([weight.numpy() for weight in ours]), strict=True):
        variable.assign(value)
    return [(fast, joined, ours), (literal, lambda values: values, theirs)]


def compiled(model, weights, window: tf.Tensor):
    """Return the forward pass and the training pass of one form, as functions without arguments."""
    direction = tf.constant(np.random.default_rng(1).normal(size=(BATCH, FRAMES, UNITS)).astype("float32"))
    tensors = [weight.value for weight in weights]

    @tf.function
    def forward():
        return model(window)

    @tf.function
    def training():
        with tf.GradientTape() as tape:
            tape.watch(window)
            loss = tf.reduce_sum(model(window) * direction)
        return tape.gradient(loss, [window, *tensors])

    return forward, training


def measure(name: str, rounds: int) -> dict:
    """Return one row of the table."""
    kind, features = name.rsplit("-", 1)
    keras.utils.set_random_seed(0)
    pair = {"gru": gru_pair, "attention": attention_pair}[kind](int(features))
    window = tf.constant(np.random.default_rng(0).normal(0, 0.5, (BATCH, FRAMES, int(features))).astype("float32"))
    calls = [compiled(model, weights, window) for model, _, weights in pair]
    results = []
    for (forward, training), (_, joined, _) in zip(calls, pair, strict=True):
        first, *others = (gradient.numpy() for gradient in training())
        results.append([forward().numpy(), first, *joined(others)])
    difference = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(*results, strict=True))
    seconds = {(form, part): [] for form in range(2) for part in range(2)}
    for _ in range(rounds):
        for form, part in seconds:
            began = time.perf_counter()
            tf.nest.map_structure(lambda tensor: tensor.numpy().ravel()[:1], calls[form][part]())
            seconds[form, part].append(time.perf_counter() - began)
    ms = {key: 1000 * statistics.median(times) for key, times in seconds.items()}
    row = {"stack": name}
    for part, title in enumerate(("forward", "training")):
        row |= {f"{title} ms": ms[0, part], "literal ms": ms[1, part], f"{title} ratio": ms[1, part] / ms[0, part]}
        row[f"literal {title} ms"] = row.pop("literal ms")
    return {**row, "difference": f"{difference:.1e}"}


def product_ms(features: int, rounds: int) -> float:
    """Return the median milliseconds of the product of all frames with a square matrix of weights."""
    rng = np.random.default_rng(0)
    frames = tf.constant(rng.normal(size=(BATCH * FRAMES, features)).astype("float32"))
    weights = tf.Variable(rng.normal(size=(features, features)).astype("float32"))
    product = tf.function(lambda: tf.matmul(frames, weights))
    product()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", nargs="+", default=["gru-4096", "gru-73728", "attention-4608"])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rows = [measure(name, options.rounds) for name in options.stacks]
    facts = {f"ms of the product alone, {name}": product_ms(int(name.rsplit("-", 1)[1]), options.rounds)
             for name in options.stacks if name.startswith("attention-")}  # fmt: skip
    show(f"recurrent stacks, batch {BATCH}, {FRAMES} frames, {UNITS} units", rows, options.output, **facts)


if __name__ == "__main__":
    main()
