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

from benchmarks.results import as_script, show
from benchmarks.sides.recurrent_pairs import UNITS, attention_pair, gru_pair

BATCH, FRAMES = 2, 80


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
    as_script(main)
