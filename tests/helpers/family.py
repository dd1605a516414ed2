"""Every network of the papers in small, with weights that are the same on every backend, and what it computes.

`python -m tests.helpers.family OUT.npz NAME ...` writes the outputs of networks on the backend of KERAS_BACKEND, and
`python -m tests.helpers.family --missing` adds the networks that `goldens.json` lacks to it; to renew one, delete its
entry first.
"""

import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np

from affwildnet.experiments.networks import NETWORKS
from affwildnet.models import build

GOLDENS = Path(__file__).with_name("goldens.json")
BATCH, STEPS, SIDE = 2, 7, 32


def config_of(name):
    # The attention's memory is made shorter than the sequence, so that it drops entries.
    config = NETWORKS[name]
    return replace(config, width=0.05, image_size=SIDE, attention=min(config.attention, 4))


def inputs(config):
    rng = np.random.default_rng(0)
    data = {"frames": rng.integers(0, 256, (BATCH, STEPS, SIDE, SIDE, 3), "uint8")}
    data["landmarks"] = rng.random((BATCH, STEPS, 68, 2), "float32")
    return data


def network(name):
    """A network whose weights come from its layers' names, with the arguments of its call."""
    config = config_of(name)
    model = build(config)
    for layer in model.layers:
        rng = np.random.default_rng(zlib.crc32(layer.name.encode()))
        layer.set_weights([_values(weight, rng) for weight in layer.weights])
    data = inputs(config)
    return model, {tensor.name: data[tensor.name] for tensor in model.inputs}


def _values(weight, rng):
    if weight.name in ("gamma", "moving_variance", "shares"):
        return rng.uniform(0.5, 1.5, weight.shape)
    if len(weight.shape) < 2:
        return rng.normal(0, 0.1, weight.shape)
    # He's deviation, or the signal would fade in thirteen ReLU layers.
    return rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)


def output(name):
    if keras.backend.backend() != "jax":
        model, data = network(name)
        return keras.ops.convert_to_numpy(model(data))
    import jax

    # JAX compiles for every shape: random weights, which are replaced anyway, and operations one by one.
    with patch.object(keras.initializers.VarianceScaling, "__call__", lambda _, shape, dtype: np.zeros(shape, dtype)):
        model, data = network(name)
    parts = (model.trainable_variables, model.non_trainable_variables)
    weights = [[weight.value for weight in part] for part in parts]
    run = jax.jit(lambda weights, data: model.stateless_call(*weights, data, training=False)[0])
    return keras.ops.convert_to_numpy(run(weights, data))


def read_goldens():
    return {name: np.array(values) for name, values in json.loads(GOLDENS.read_text()).items()}


def _add_missing():
    goldens = json.loads(GOLDENS.read_text()) if GOLDENS.exists() else {}
    for name in NETWORKS:
        if name not in goldens:
            goldens[name] = [[[float(f"{x:.7g}") for x in row] for row in rows] for rows in output(name)]
            print(name, flush=True)
    lines = [f'"{name}": {json.dumps(goldens[name])}' for name in NETWORKS]
    GOLDENS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if sys.argv[1] == "--missing":
        _add_missing()
    else:
        np.savez(sys.argv[1], **{name: output(name) for name in sys.argv[2:]})
