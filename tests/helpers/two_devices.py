"""Trains small networks on one device and on two that share the CPU; test_distributed.py runs it as a process.

python -m tests.helpers.two_devices RESULT.npz CASE...
"""

import os
import sys
from dataclasses import replace

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from affwildnet.devices import choose_strategy
from affwildnet.experiments.config import TrainingConfig
from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.training import replicas
from affwildnet.training.step import TrainStep, make_optimizer
from affwildnet.training.workers import Workers

STEPS, BATCH, WINDOW, SIDE = 5, 4, 6, 8
CONFIG = TrainingConfig(batch_size=BATCH, learning_rate=1e-2, clip_norm=0.08)


def gru():
    entrance = keras.Input((None, 3), name="landmarks")
    x = layers.GRU(4, return_sequences=True)(entrance)
    return keras.Model([entrance], layers.Dense(2)(x))


def residual_gru():
    """Convolutions with batch normalisation around a shortcut, on each frame, and a GRU over them.

    A bias before batch normalisation would have no gradient but rounding's, and Adam makes whole steps of that.
    """
    entrance = keras.Input((None, SIDE, SIDE, 3), name="frames")
    x = keras.ops.reshape(entrance, (-1, SIDE, SIDE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x))
    y = layers.Activation("relu")(x)
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(y))
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(layers.Add()([x, y])))
    x = layers.GRU(4, return_sequences=True)(keras.ops.reshape(x, (-1, WINDOW, 4)))
    return keras.Model([entrance], layers.Dense(2)(x))


def biased():
    """A convolution with a bias on each frame."""
    entrance = keras.Input((None, SIDE, SIDE, 3), name="frames")
    x = layers.Conv2D(4, 3, activation="relu")(keras.ops.reshape(entrance, (-1, SIDE, SIDE, 3)))
    x = keras.ops.reshape(layers.GlobalAveragePooling2D()(x), (-1, WINDOW, 4))
    return keras.Model([entrance], layers.Dense(2)(x))


def dropping():
    """What leaves it shows which units were dropped."""
    entrance = keras.Input((None, 3), name="landmarks")
    x = layers.Dropout(0.5, seed=11)(layers.Dense(2, name="out")(entrance))
    return keras.Model([entrance], x)


CASES = {
    "mse": (gru, replace(CONFIG, loss="mse", clip_norm=0.0)),
    "residual_gru": (residual_gru, CONFIG),
    "biased": (biased, CONFIG),
    "float16": (gru, replace(CONFIG, precision="mixed_float16")),
}


def batches():
    """Of the first half of the windows hardly a frame has a label, so that the replicas' shares are unlike."""
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        mask = rng.random((BATCH, WINDOW)) < np.array([0.2, 0.0, 0.9, 0.6])[:, None]
        labels = rng.uniform(-0.1, 0.1, (BATCH, WINDOW, 2))
        labels[BATCH // 2 :] += 0.1
        yield {
            "landmarks": rng.normal(size=(BATCH, WINDOW, 3)).astype(np.float32),
            "frames": rng.normal(size=(BATCH, WINDOW, SIDE, SIDE, 3)).astype(np.float32),
            "labels": np.where(mask[..., None], labels, 0).astype(np.float32),
            "mask": mask.astype(np.float32),
        }


def tensors(batch):
    return {name: tf.constant(value) for name, value in batch.items()}


def compiled(build, config, strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        keras.config.set_dtype_policy(config.precision)
        model = build()
        keras.config.set_dtype_policy("float32")
        model.compile(optimizer=make_optimizer(config), auto_scale_loss=False)
        model.optimizer.build(model.trainable_variables)
    return model


def trained(build, config, strategy):
    """Return (steps, 2) losses and norms, the weights at the end, one behind the other, and the network."""
    model = compiled(build, config, strategy)
    step = TrainStep(model, config, strategy)
    curve = [step(tensors(batch))()[:2] for batch in batches()]
    return np.array(curve), np.concatenate([np.ravel(keras.ops.convert_to_numpy(w)) for w in model.weights]), model


def own_losses(config):
    """(steps, 2): what each replica's loss of its own half would be, at the first weights."""
    model = compiled(residual_gru, config, tf.distribute.get_strategy())
    halves = [{name: np.split(value, 2) for name, value in batch.items()} for batch in batches()]
    loss = TrainStep(model, config, tf.distribute.get_strategy())._loss
    return [
        [float(loss(half["labels"][i], model([half["frames"][i]], training=True), half["mask"][i])) for i in (0, 1)]
        for half in halves
    ]


def states_after(model, strategy):
    """The seeds and counters of a network's one random generator on each replica."""
    (state,) = checkpoints.random_variables(model)
    return [value.numpy() for value in strategy.experimental_local_results(state.value)]


def main(path, *cases):
    one = tf.distribute.get_strategy()
    two, description = choose_strategy(None, "cpu:2")
    found = {"description": description, "replicas": two.num_replicas_in_sync, "own_losses": own_losses(CONFIG)}
    for name in cases:
        build, config = CASES[name]
        for number, strategy in enumerate((one, two), start=1):
            found[f"{name}_{number}"], found[f"{name}_{number}_weights"], model = trained(build, config, strategy)
        copies = [strategy.experimental_local_results(weight.value) for weight in model.weights]
        found[f"{name}_copies_differ"] = max(np.abs(a.numpy() - b.numpy()).max() for a, b in copies)
        found[f"{name}_iterations"] = keras.ops.convert_to_numpy(model.optimizer.iterations)
        if name == "residual_gru":
            found["synchronised"] = [layer.synchronized for layer in model.layers if hasattr(layer, "synchronized")]
    _dropout(two, path, found)
    _exchange(two, found)
    np.savez(path, **found)


def _dropout(strategy, path, found):
    model = compiled(dropping, CONFIG, strategy)
    step = TrainStep(model, CONFIG, strategy)
    found["states_begin"] = states_after(model, strategy)
    x = replicas.spread(tf.ones((BATCH, WINDOW, 3)), strategy)
    dropped = strategy.run(tf.function(lambda x: model(x, training=True) == 0), args=(x,))
    found["dropped"] = [value.numpy() for value in strategy.experimental_local_results(dropped)]
    for batch in list(batches())[:2]:
        step(tensors(batch))
    found["states"] = states_after(model, strategy)
    folder = checkpoints.Path(path).parent / "checkpoints"
    folder.mkdir()
    checkpoints.save(model, TrainingState(3, 0, 0, 0), folder, keep=1)
    with strategy.scope():
        again, _ = checkpoints.resume(folder)
    TrainStep(again, CONFIG, strategy)
    found["states_resumed"] = states_after(again, strategy)


def _exchange(strategy, found):
    rows = tf.range(12)[:, None] * 10
    parts = replicas.spread(rows, strategy)
    found["parts"] = [part.numpy() for part in strategy.experimental_local_results(parts)]
    together = strategy.run(tf.function(lambda part: replicas.gathered(part)[0]), args=(parts,))
    found["together"] = [value.numpy() for value in strategy.experimental_local_results(together)]
    found["gathered"] = Workers(strategy).gathered([3, 4])


if __name__ == "__main__":
    main(*sys.argv[1:])
