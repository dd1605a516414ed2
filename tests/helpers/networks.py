"""Small networks and inputs that several tests share."""

from dataclasses import replace

import keras
import numpy as np

from affwildnet.experiments.config import ModelConfig

SMALL = ModelConfig(image_size=32, width=0.05, landmarks=True, hidden=(160, 120), recurrent="gru")
CNN = replace(SMALL, recurrent="none", landmarks=False)
# Backbones of hundreds of layers, which take seconds to build and more to compile.
DEEP = ("resnet50", "resnet50_slim", "densenet121", "densenet169")


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def inputs(config, batch=2, steps=5, seed=0):
    rng = np.random.default_rng(seed)
    side = config.image_size
    data = {"frames": rng.integers(0, 256, (batch, steps, side, side, 3), "uint8")}
    if config.landmarks:
        data["landmarks"] = rng.random((batch, steps, 68, 2)).astype("float32")
    return data


def randomised(model, seed=0):
    """Give every weight that starts at 0 or 1 (biases, normalisation) a value of its own."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = numpy(weight)
        if value.dtype.kind == "f" and np.ptp(value) == 0:
            weight.assign(value + rng.uniform(0.02, 0.1, value.shape))
    return model


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def outputs_of(model, layer, data):
    return numpy(keras.Model(model.inputs, model.get_layer(layer).output)(data))
