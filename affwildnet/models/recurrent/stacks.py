"""The recurrent stacks: layers of one cell on top of each other, or inside an attention."""

from collections.abc import Callable

import keras
from keras import layers

from affwildnet.experiments.config import ModelConfig, scaled
from affwildnet.models.recurrent.attention import OutputAttention
from affwildnet.models.recurrent.gru import GRU
from affwildnet.models.recurrent.indrnn import IndRNN
from affwildnet.models.recurrent.lstm import PeepholeLSTM
from tfrecords_tools.errors import UserError, check_choice

# Recurrent layers keep float32 under mixed precision: a state of 8 significant bits loses what a step adds to it, and
# their share of the work is small. It is saved with the layer, like its other arguments.
STATE_DTYPE = "float32"

# By the name of a cell: makes a layer from the network's description, the frames of a training window, the layer's
# units, and the arguments that all Keras layers have.
RECURRENT: dict[str, Callable[..., keras.Layer]] = {
    "gru": lambda config, window, units, **common: GRU(units, reset_after=config.reset_after, **common),
    "lstm": lambda config, window, units, **common: PeepholeLSTM(units, **common),
    "indrnn": lambda config, window, units, **common: IndRNN(units, window=window, **common),
}
WINDOW = 80  # frames of a training window where nothing else is said


def recurrent_stack(
    sequence: keras.KerasTensor, config: ModelConfig, prefix: str = "", window: int = WINDOW
) -> keras.KerasTensor:
    """Apply the recurrent layers of a network to a sequence of features.

    The layers are `gru1`, `gru1_dropout`, `gru2` and so on, named after the cell. With `config.attention` there is a
    single layer `attention`, which holds the whole stack. The states are zero before the first frame of every window.
    All layers compute in float32.

    Args:
      sequence: (B, T, F); B and T may be unknown.
      config: the network; of its fields, `width` and those from `recurrent` to `reset_after` are read.
      prefix: of the layers' names, for a network with several stacks.
      window: frames of a training window, which limit the recurrent weights of an IndRNN.

    Returns:
      (B, T, units of the last layer).

    Raises:
      UserError: if there is no such cell, or `config` wants dropout between layers inside an attention, which the
        attention of TensorFlow 1 does not have.
    """
    check_choice("recurrent", config.recurrent, RECURRENT)
    stack = _layers(config, prefix, window)
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


def _layers(config: ModelConfig, prefix: str, window: int) -> list[keras.Layer]:
    """Return the recurrent layers in order. Inside an attention, the attention's name has the prefix."""
    start = f"{'' if config.attention else prefix}{config.recurrent}"
    return [
        RECURRENT[config.recurrent](
            config, window, scaled(units, config.width), name=f"{start}{number}", dtype=STATE_DTYPE
        )
        for number, units in enumerate(config.recurrent_units, start=1)
    ]


def _attention(
    stack: list[keras.Layer], rate: float, sequence: keras.KerasTensor, config: ModelConfig, prefix: str
) -> keras.KerasTensor:
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
