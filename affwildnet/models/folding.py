"""Networks whose weights stand still: what is computed of weights alone is computed once, not for each frame or batch.

The attention of thesis section 4.3.4 multiplies the features x of each frame by W1 (F, F), and the result by the kernel
K (F, P) of its first layer. A network that is trained needs both. Afterwards one product with W1 K (F, P) does both:
with 4,608 features and 128 GRU units, 1.8 million multiplications a frame in place of 23 million. Likewise W1' K, which
takes 226 million at each call, as many as 120 frames' products with W1 K.

A layer of mixed precision has float32 weights, for its training, and rounds them at each call. Afterwards it has them
rounded, in half of the memory.
"""

import keras
from keras import ops

from affwildnet.models.layer_weights import refresh
from affwildnet.models.precision import HEAVY
from affwildnet.models.recurrent.attention import OutputAttention
from affwildnet.models.recurrent.recurrence import Tensor, read


@keras.saving.register_keras_serializable(package="affwildnet")
class FoldedAttention(OutputAttention):
    """An `OutputAttention` whose W1 and b1 are folded into the kernel and bias of its first layer, see `fold`.

    In the place of `input_kernel`, `input_attention_kernel` and `input_bias` it has `folded_kernel` W1 K (F, P),
    `folded_attention_kernel` W1' K (units, P) and `folded_bias` b1 K + b (P,). K itself, which no call reads, has no
    rows. Others and states are the same.
    """

    def build(self, sequence_shape, initial_state_shape=None):
        super().build(sequence_shape, initial_state_shape)
        width = self.stack[0].input_weights()[0].shape[-1]
        self.folded_kernel = self.add_weight((sequence_shape[-1], width), "zeros", name="folded_kernel")
        self.folded_attention_kernel = self.add_weight((self.units, width), "zeros", name="folded_attention_kernel")
        self.folded_bias = self.add_weight((width,), "zeros", name="folded_bias")

    def add_input_weight(self, shape, initializer, name) -> None:
        """Return nothing: there is no such weight."""

    def stack_features(self, features: int) -> int:
        return 0

    def project(self, sequence: Tensor) -> Tensor:
        return ops.matmul(sequence, self.folded_kernel) + self.folded_bias

    def attention_kernel(self) -> Tensor:
        return read(self.folded_attention_kernel)

    def take_weights(self, attention: OutputAttention) -> None:
        """Set the weights to those of an attention of the same sizes."""
        kernel, bias = attention.stack[0].input_weights()
        self.folded_kernel.assign(ops.matmul(attention.input_kernel, kernel))
        self.folded_attention_kernel.assign(attention.attention_kernel())
        self.folded_bias.assign(ops.matmul(attention.input_bias, kernel) + bias)
        own = {weight.path.removeprefix(self.path): weight for weight in self.weights}
        for weight in attention.weights:
            name = weight.path.removeprefix(attention.path)
            if name in own and 0 not in own[name].shape:  # all but K
                own[name].assign(weight)


def fold(model: keras.Model) -> keras.Model:
    """Return a network that computes what `model` does, with fewer products a frame and no weight rounded at each call.

    It has the values that the weights have now: later changes of them are brought by `refold`. Predictions of layers of
    mixed precision are the same bit for bit, as the weights are rounded in the same way. A network with neither
    attention nor mixed precision is returned as it is.

    Example:

    ```python
    folded = fold(keras.models.load_model("best.keras"))
    ```

    Args:
      model: functional, with attention at its top level only.
    """
    mixed = any(map(_rounds_weights, model.layers))
    if not mixed and not any(type(layer) is OutputAttention for layer in model.layers):
        return model

    def clone(layer: keras.Layer) -> keras.Layer:
        if type(layer) is OutputAttention:
            return FoldedAttention.from_config(layer.get_config())
        if _rounds_weights(layer):
            return _rounded(layer)
        # A layer that is shared would hold on to the network and its float32 weights.
        return type(layer).from_config(layer.get_config()) if mixed else layer

    folded = keras.models.clone_model(model, clone_function=clone, input_tensors=None if mixed else model.input)
    refold(folded, model)
    return folded


def refold(folded: keras.Model, model: keras.Model) -> None:
    """Give a network that `fold` has returned for `model` the values that the weights have now, one layer at a time."""
    if folded is model:
        return
    for layer in folded.layers:
        source = model.get_layer(layer.name)
        if isinstance(layer, FoldedAttention):
            layer.take_weights(source)
        elif layer is not source:
            for weight, value in zip(layer.weights, source.weights, strict=True):
                weight.assign(value)
            refresh(layer)


def _rounds_weights(layer: keras.Layer) -> bool:
    """Return whether a layer casts its weights at each call; batch normalisation computes with float32 ones."""
    return isinstance(layer, HEAVY) and layer.variable_dtype != layer.compute_dtype


def _rounded(layer: keras.Layer) -> keras.Layer:
    """Return a layer, not built, that has its weights in the type that it computes in."""
    # Values come from elsewhere, and random ones would take a second and change the random state.
    no_values = {name: "zeros" for name in ("kernel_initializer", "bias_initializer")}
    return type(layer).from_config({**layer.get_config(), **no_values, "dtype": layer.compute_dtype})
