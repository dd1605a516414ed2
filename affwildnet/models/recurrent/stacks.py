"""The recurrent heads by name, each made from a network's description."""

from collections.abc import Callable
from functools import partial

import keras
from keras import layers

from affwildnet.experiments.config import ModelConfig, scaled
from affwildnet.models.recurrent.attention import OutputAttention
from affwildnet.models.recurrent.gru import GRU
from affwildnet.models.recurrent.indrnn import IndRNN
from affwildnet.models.recurrent.lstm import PeepholeLSTM
from tfrecords_tools.errors import UserError

Head = Callable[[keras.KerasTensor, ModelConfig, str], keras.KerasTensor]

# Recurrent layers keep float32 under mixed precision: a state of 8 significant bits loses what a step adds to it, and
# their share of the work is small. Serialised with the layer, like its other arguments.
STATE_DTYPE = "float32"


def head(sequence: keras.KerasTensor, config: ModelConfig, prefix: str = "") -> keras.KerasTensor:
    """Put the recurrent layers of a network behind a sequence of features.

    The layers are `gru1`, `gru1_dropout`, `gru2` and so on, named after the cell; with `config.attention` it is one,
    `attention`, that holds the whole stack. The state starts at zero in every window. All compute in float32.

    Args:
      sequence: (B, T, F); B and T may be unknown.
      config: the network; the fields from `recurrent` to `reset_after` count, and `width`.
      prefix: goes before the layers' names, so that a network may have several heads.

    Returns:
      (B, T, units of the last layer).

    Raises:
      UserError: `config` asks for dropout between layers inside an attention, which TensorFlow 1's has not.
    """
    return RECURRENT[config.recurrent](sequence, config, prefix)


def _gru(config: ModelConfig, units: int, last: bool, name: str) -> GRU:
    return GRU(units, reset_after=config.reset_after, dtype=STATE_DTYPE, name=name)


def _lstm(config: ModelConfig, units: int, last: bool, name: str) -> PeepholeLSTM:
    return PeepholeLSTM(units, dtype=STATE_DTYPE, name=name)


def _indrnn(config: ModelConfig, units: int, last: bool, name: str) -> IndRNN:
    return IndRNN(units, remembers=last, dtype=STATE_DTYPE, name=name)


def _head(make: Callable, cell: str, sequence: keras.KerasTensor, config: ModelConfig, prefix: str = ""):
    """The layers of one cell, on top of each other or inside an attention."""
    count = len(config.recurrent_units)
    # Inside an attention the prefix is on the layer that holds them.
    names = [f"{'' if config.attention else prefix}{cell}{number}" for number in range(1, count + 1)]
    stack = [
        make(config, scaled(units, config.width), number == count, name)
        for number, (units, name) in enumerate(zip(config.recurrent_units, names, strict=True), start=1)
    ]
    rate = config.recurrent_dropout
    if config.recurrent_dropout_is == "keep":
        rate = 1 - rate
    if config.attention:
        return _attention(stack, rate, sequence, config, prefix)
    for layer in stack:
        sequence = layer(sequence)
        after = config.output_dropout if layer is stack[-1] else rate
        if layer is not stack[-1] or after:
            sequence = layers.Dropout(after, dtype=STATE_DTYPE, name=f"{layer.name}_dropout")(sequence)
    return sequence


def _attention(stack: list, rate: float, sequence: keras.KerasTensor, config: ModelConfig, prefix: str):
    if len(stack) > 1 and rate:
        raise UserError(
            f"`recurrent_dropout` must drop nothing with `attention`: the layers inside it are one recurrence. "
            f"Received: attention={config.attention}, recurrent_dropout={config.recurrent_dropout}, which drops "
            f"{rate:g}; set recurrent_dropout={1.0 if config.recurrent_dropout_is == 'keep' else 0.0}"
        )
    name = f"{prefix}attention"
    sequence = OutputAttention(stack, config.attention, dtype=STATE_DTYPE, name=name)(sequence)
    if config.output_dropout:
        sequence = layers.Dropout(config.output_dropout, dtype=STATE_DTYPE, name=f"{name}_dropout")(sequence)
    return sequence


RECURRENT: dict[str, Head] = {
    "gru": partial(_head, _gru, "gru"),
    "lstm": partial(_head, _lstm, "lstm"),
    "indrnn": partial(_head, _indrnn, "indrnn"),
}
