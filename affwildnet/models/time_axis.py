"""The time axis, folded into the batch for the convolutions and unfolded again for the recurrent layers."""

import keras
from keras import ops

from affwildnet.experiments.config import scaled as scaled


@keras.saving.register_keras_serializable(package="affwildnet")
class FoldTime(keras.layers.Layer):
    """Folds time into the batch: (B, T, ...) to (B * T, ...), frames of a video staying neighbours.

    The dtype is kept (uint8 pixels stay uint8), and B and T may be unknown until the call.
    """

    def call(self, x):
        return ops.reshape(x, (-1, *x.shape[2:]))

    def compute_output_shape(self, input_shape):
        batch, steps, *rest = input_shape
        return (None if batch is None or steps is None else batch * steps, *rest)

    def compute_output_spec(self, x):
        # The default would announce the layer's compute dtype, whatever comes in.
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)


@keras.saving.register_keras_serializable(package="affwildnet")
class UnfoldTime(keras.layers.Layer):
    """The inverse of `FoldTime`: (B * T, ...) to (B, T, ...).

    Called as `UnfoldTime()([folded, reference])`; `reference` (B, T, ...) is any tensor from before the fold, and only
    its first two sizes are read.
    """

    def call(self, inputs):
        folded, reference = inputs
        return ops.reshape(folded, (*ops.shape(reference)[:2], *folded.shape[1:]))

    def compute_output_shape(self, input_shape):
        folded, reference = input_shape
        return (*reference[:2], *folded[1:])

    def compute_output_spec(self, inputs):
        folded, reference = inputs
        return keras.KerasTensor(self.compute_output_shape((folded.shape, reference.shape)), dtype=folded.dtype)
