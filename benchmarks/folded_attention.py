"""Attention where weights stand still: W1 folded into the first layer's kernel, beside its literal form; and a step.

    python -m benchmarks.folded_attention [--frames=800] [--output=build/folded_attention.json]

Forward, 4,608 features, one window, in turns: the form that training needs, the folded one, and the literal one, which
goes frame by frame. A training pass of the first, with all gradients, takes turns with that of the literal form and
with its products outside of the loop alone: of all frames with W1 and with the first layer's kernel K, and of W1' with
K, each once forward and once for the gradient of either factor. No form with these weights has fewer.

A step is the folded network of the thesis (VGG-Face, attention) with states on one frame, beside its CNN alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet import models
from affwildnet.experiments.networks import NETWORKS
from affwildnet.models.folding import FoldedAttention, fold
from benchmarks.predicting import step_cost
from benchmarks.results import as_script, show
from benchmarks.sides.recurrent_pairs import attention_pair

FEATURES = 4608


def forms(features: int) -> dict[str, keras.Layer]:
    """Return the attention in three forms with the same weights."""
    keras.utils.set_random_seed(0)
    (attention, *_), (literal, *_) = attention_pair(features)
    folded = FoldedAttention.from_config(attention.get_config())
    folded.build((None, None, features))
    folded.take_weights(attention)
    return {"as trained": attention, "folded": folded, "literal": literal}


def in_turns(calls: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call by turn, after one that does not count."""
    seconds = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            tf.nest.map_structure(lambda tensor: tensor.numpy().ravel()[:1], call())
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def forward_rows(frames: int, rounds: int) -> list[dict]:
    """Return a row for each form."""
    rng = np.random.default_rng(0)
    window = tf.constant(rng.normal(0, 0.5, (1, frames, FEATURES)).astype("float32"))
    calls = {name: tf.function(lambda layer=layer: layer(window)) for name, layer in forms(FEATURES).items()}
    seconds = in_turns(calls, rounds)
    wanted = calls["literal"]().numpy()
    return [
        {
            "form": name,
            "forward ms": 1000 * statistics.median(times),
            "times the literal's speed": statistics.median(
                one / other for one, other in zip(seconds["literal"], times, strict=True)
            ),
            "difference": f"{np.abs(calls[name]().numpy() - wanted).max() / np.abs(wanted).max():.1e}",
        }
        for name, times in seconds.items()
    ]


def training_facts(rounds: int) -> dict[str, float]:
    """Return the milliseconds of a training pass on two windows of 80 frames, and of its products alone."""
    rng = np.random.default_rng(0)
    window = tf.constant(rng.normal(0, 0.5, (2, 80, FEATURES)).astype("float32"))
    layers = forms(FEATURES)
    layer = layers["as trained"]
    first = layer.stack[0].cell.kernel.value
    frames = tf.reshape(window, (-1, FEATURES))
    pairs = [
        (frames, layer.input_kernel.value),
        (frames, first),
        (layer.input_attention_kernel.value, first),
    ]

    @tf.function
    def products():
        found = []
        for one, other in pairs:
            product = tf.matmul(one, other)
            found += [product, tf.matmul(product, other, transpose_b=True), tf.matmul(one, product, transpose_a=True)]
        return found

    passes = {name: _training(layers[name], window) for name in ("as trained", "literal")}
    seconds = in_turns({**passes, "products": products}, rounds)
    medians = {name: 1000 * statistics.median(times) for name, times in seconds.items()}

    def beside_literal(name: str) -> float:
        return statistics.median(a / b for a, b in zip(seconds["literal"], seconds[name], strict=True))

    return {
        "training pass, ms": medians["as trained"],
        "literal training pass, ms": medians["literal"],
        "products alone, ms": medians["products"],
        "training, times the literal's speed": beside_literal("as trained"),
        "products alone, times the literal's speed": beside_literal("products"),
    }


def _training(layer: keras.Layer, window: tf.Tensor) -> Callable:
    weights = [weight.value for weight in layer.trainable_variables]

    @tf.function
    def training():
        with tf.GradientTape() as tape:
            tape.watch(window)
            loss = tf.reduce_sum(layer(window))
        return tape.gradient(loss, [window, *weights])

    return training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = forward_rows(options.frames, options.rounds)
    facts = training_facts(options.rounds)
    keras.utils.set_random_seed(0)
    model = fold(models.build(NETWORKS["thesis_vgg_face_attention"]))
    step = step_cost("thesis_vgg_face_attention", "float32", model, options.steps)
    facts |= {f"a step: {name}": step[name] for name in ("step ms", "CNN ms", "ratio")}
    show(f"attention over {options.frames} frames of {FEATURES} features", rows, options.output, **facts)


if __name__ == "__main__":
    as_script(main)
