"""A checkpoint of mixed precision where weights stand still: rounded once, beside rounded at each call.

    python -m benchmarks.rounded_weights [--network=affwildnet_vggface] [--output=build/rounded_weights.json]

The network is that of `training.precision=mixed_bfloat16`, whose weights are float32. As trained, it rounds those of
its convolutions and hidden layers at each call; evaluation, prediction and the SavedModel hold them in bfloat16, see
`affwildnet.models.folding`. Both take turns, and the ratio is the median over the turns. Predictions are the same bit
for bit.
"""

import argparse
import statistics
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet import models
from affwildnet.experiments.networks import NETWORKS
from affwildnet.models.folding import fold
from benchmarks.folded_attention import in_turns
from benchmarks.results import as_script, show


def row(model: keras.Model, folded: keras.Model, frames: int, rounds: int) -> dict:
    """Return the row of a forward pass over so many frames of one video."""
    rng = np.random.default_rng(0)
    inputs = {
        tensor.name: tf.constant(
            rng.integers(0, 256, (1, frames, *tensor.shape[2:]), np.uint8)
            if tensor.dtype == "uint8"
            else rng.random((1, frames, *tensor.shape[2:]), np.float32)
        )
        for tensor in model.inputs
    }
    networks = {"as trained": model, "rounded once": folded}
    calls = {name: tf.function(lambda one=one: one(inputs, training=False)) for name, one in networks.items()}
    seconds = in_turns(calls, rounds)
    before, after = seconds.values()
    return {
        "frames": str(frames),
        **{f"{name}, ms": 1000 * statistics.median(times) for name, times in seconds.items()},
        "ratio": statistics.median(one / other for one, other in zip(before, after, strict=True)),
        "same bits": bool(np.array_equal(*(call().numpy() for call in calls.values()))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="affwildnet_vggface")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 80])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    model = models.build(NETWORKS[options.network])
    keras.config.set_dtype_policy("float32")
    folded = fold(model)
    megabytes = [sum(weight.value.numpy().nbytes for weight in one.weights) / 1e6 for one in (model, folded)]
    rows = [row(model, folded, frames, options.rounds) for frames in options.frames]
    facts = {"weights as trained, MB": megabytes[0], "weights rounded, MB": megabytes[1]}
    show(f"mixed bfloat16, {options.network}", rows, options.output, **facts)


if __name__ == "__main__":
    as_script(main)
