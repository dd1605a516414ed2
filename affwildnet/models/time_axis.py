"""The time axis: folded into the batch for the convolutions, unfolded again for the recurrent layers."""

import keras
from keras import ops

from affwildnet.experiments.config import scaled as scaled


@keras.saving.register_keras_serializable(package="affwildnet")
class FoldTime(keras.layers.Layer):
    """Folds time into the batch: (B, T, ...) to (B * T, ...). The frames of a video stay neighbours.

    The dtype stays the same (uint8 pixels stay uint8). B and T may be unknown until the call.

    Example:

    ```python
    frames = keras.Input((None, 96, 96, 3), dtype="uint8")
    FoldTime()(frames).shape  # (None, 96, 96, 3)
    ```
    """

    def call(self, x):
        return ops.reshape(x, (-1, *x.shape[2:]))

    def compute_output_shape(self, input_shape):
        batch, steps, *rest = input_shape
        return (None if batch is None or steps is None else batch * steps, *rest)

    def compute_output_spec(self, x):
        # The default is the layer's compute dtype, whatever the input has.
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)


@keras.saving.register_keras_serializable(package="affwildnet")
class UnfoldTime(keras.layers.Layer):
    """The inverse of `FoldTime`: (B * T, ...) to (B, T, ...).

    Called with a list of the folded tensor and a reference (B, T, ...), which is any tensor from before the fold: only
    its first two sizes are read.

    Example:

    ```python
    frames = keras.Input((None, 96, 96, 3), dtype="uint8")
    features = keras.layers.Flatten()(FoldTime()(frames))
    UnfoldTime()([features, frames]).shape  # (None, None, 27648)
    ```
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
