"""The recurrent heads.

A head is a function `(sequence, config, prefix) -> sequence`: (B, T, F) in, (B, T, units of its last layer) out. It
may be one layer, a stack, or a stack inside something else. `prefix` goes before the names of its layers, so that a
network may have several heads. The state starts at zero in every window.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import layers

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.width import scaled

Head = Callable[[keras.KerasTensor, ModelConfig, str], keras.KerasTensor]
LayerMaker = Callable[[int, ModelConfig, str], keras.Layer]

# Recurrent layers keep float32 under mixed precision: a state of 8 significant bits loses what a step adds to it, and
# their share of the work is small. Serialised with the layer, like its other arguments.
STATE_DTYPE = "float32"


def _stack(make: LayerMaker, kind: str, sequence: keras.KerasTensor, config: ModelConfig, prefix: str = ""):
    """Layers of one kind on top of each other, with dropout between two (ijcv2019 table 6), none after the last."""
    x = sequence
    for index, units in enumerate(config.recurrent_units, start=1):
        if index > 1:
            name = f"{prefix}{kind}{index - 1}_dropout"
            x = layers.Dropout(config.recurrent_dropout, dtype=STATE_DTYPE, name=name)(x)
        x = make(scaled(units, config.width), config, f"{prefix}{kind}{index}")(x)
    return x


def _gru(units: int, config: ModelConfig, name: str) -> keras.Layer:
    """GRU (Cho 2014) with Keras's initialisers: Glorot for the input's weights, orthogonal for the state's."""
    return layers.GRU(units, return_sequences=True, reset_after=config.reset_after, dtype=STATE_DTYPE, name=name)


RECURRENT: dict[str, Head] = {
    "gru": partial(_stack, _gru, "gru"),
}
