"""A network with the parts of the real ones and a few hundred weights: quickly built, saved, loaded and trained."""

import itertools

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from affwildnet.models import FoldTime, UnfoldTime
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY

# Widths are those of the hidden layers as they are; no other size of the network can be chosen.
SMALL = {"hidden": (4, 3), "recurrent": "none", "dropout": 0.3, "standardise_landmarks": True, "landmarks": True}
SIZE = TINY.model.image_size


def build_small(config, window=80):
    """In the place of `models.build`: the same inputs, output and names, of two convolutions with batch norm."""
    frames = keras.Input((None, SIZE, SIZE, 3), dtype="uint8", name="frames")
    landmarks = keras.Input((None, 68, 2), name="landmarks")
    offset = [-mean * scale for mean, scale in zip(config.pixel_mean, config.pixel_scale, strict=True)]
    x = layers.Rescaling(list(config.pixel_scale), offset, name="normalise")(FoldTime(name="fold_frames")(frames))
    for index in (1, 2):
        x = layers.Conv2D(2, 3, strides=3, activation="relu", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"conv{index}_bn")(x)
    points = layers.Flatten(name="flat_landmarks")(FoldTime(name="fold_landmarks")(landmarks))
    if config.standardise_landmarks:
        points = layers.Normalization(name="standardise_landmarks")(points)
    x = layers.Concatenate(name="joined")([layers.Flatten(name="features")(x), points])
    for index, units in enumerate(config.hidden, start=1):
        x = layers.Dropout(config.dropout)(layers.Dense(units, activation="relu", name=f"fc{index}")(x))
    x = UnfoldTime(name="unfold")([x, frames])
    return keras.Model([frames, landmarks], layers.Dense(2, name="valence_arousal")(x))


def quick_batches(corpus, config, position, share, cache=None):
    """In the place of `training_batches`: batches without frames, from a position in the data on."""
    for window in itertools.count(position.window, config.batch_size):
        windows = tf.range(window, window + config.batch_size)
        landmarks = tf.zeros((config.batch_size, 1, 68, 2))
        yield {
            "epoch": tf.zeros_like(windows),
            "window": windows,
            "video": tf.zeros_like(windows),
            "landmarks": landmarks,
        }


def save_with_weights_of_its_own(model, path):
    """Save a network with weights that no initialiser gives; return it as it is loaded again."""
    rng = np.random.default_rng(7)
    for variable in model.weights:
        if variable.name != "count":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save(path)
    return keras.saving.load_model(path)


def weights(model, *names):
    """Copy of the weights of the named layers, or of all."""
    chosen = [layer for layer in model.layers if not names or layer.name in names]
    return [numpy(weight).copy() for layer in chosen for weight in layer.weights]


def same(mine, theirs):
    """Whether two lists of arrays are equal, bit for bit."""
    return len(mine) == len(theirs) and all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
