"""Small networks to predict with: quickly built and compiled, with every recurrent stack, and predictions that move."""

from dataclasses import replace

import keras
import numpy as np
from keras import layers

from affwildnet.models import FoldTime, UnfoldTime
from affwildnet.models.recurrent import recurrent_stack
from tests.helpers.trainings import TINY

SIZE = TINY.model.image_size
HEADS = {
    "gru": {},
    "old_gru": {"reset_after": False},
    "lstm": {"recurrent": "lstm"},
    "indrnn": {"recurrent": "indrnn"},
    "attention": {"attention": 3},
    "none": {"recurrent": "none"},
}


def small_network(name="gru", landmarks=True, seed=0, outputs=2, output="valence_arousal"):
    """A network of 16 brightnesses, the landmarks and a recurrent stack of 16 and 12 units; predictions near 0.5."""
    keras.utils.set_random_seed(seed)
    config = replace(TINY.model, width=1.0, recurrent_units=(16, 12), recurrent_dropout=0.0, **HEADS[name])
    frames = keras.Input((None, SIZE, SIZE, 3), dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 128, -1.0, name="normalise")(FoldTime(name="fold_frames")(frames))
    x = layers.Flatten(name="features")(layers.AveragePooling2D(SIZE // 4, name="pool")(x))
    inputs = [frames]
    if landmarks:
        inputs.append(keras.Input((None, 68, 2), name="landmarks"))
        points = layers.Flatten(name="flat_landmarks")(FoldTime(name="fold_landmarks")(inputs[1]))
        x = layers.Concatenate(name="joined")([x, points])
    x = layers.Dense(8, name="fc1")(x)
    x = UnfoldTime(name="unfold")([x, frames])
    if config.recurrent != "none":
        x = recurrent_stack(x, config)
    model = keras.Model(inputs, layers.Dense(outputs, name=output, dtype="float32")(x))
    for layer in model.layers:
        if name == "indrnn" and hasattr(layer, "state_shapes"):  # starts so small that nothing would be seen to move
            kernel = next(weight for weight in layer.weights if len(weight.shape) == 2)
            kernel.assign(kernel / np.abs(kernel).max())
    return model


def at_once(model, faces, points):
    """The network itself on a whole sequence, without anything of prediction: (T, 2)."""
    named = {"frames": faces, "landmarks": points}
    return np.array(model([named[tensor.name][None] for tensor in model.inputs], training=False))[0]
