"""A network that computes in another precision than the one it was built in."""

import keras
from keras import layers, ops

from affwildnet.models.layer_weights import set_weights_of
from tfrecords_tools.errors import check_choice

PRECISIONS = ("float32", "bfloat16")

# Most of the work. Their weights are rounded once; under a mixed policy every call would round them again.
HEAVY = (layers.Conv2D, layers.Dense)
# Pixels and landmarks need more than 8 significant bits.
_EXACT = (layers.Rescaling, layers.Normalization, layers.Flatten)
_HEAD_UNITS = 2  # of an output layer, at most


@keras.saving.register_keras_serializable(package="affwildnet")
class Rounded(layers.Layer):
    """Rounds float32 to the nearest values that bfloat16 has, and leaves them float32.

    Example:

    ```python
    Rounded()(np.array([[1.001]]))  # 1.0
    ```
    """

    def call(self, x):
        return ops.cast(ops.cast(x, "bfloat16"), "float32")

    def compute_output_shape(self, input_shape):
        return input_shape


def with_precision(model: keras.Model, precision: str, native: bool = True) -> keras.Model:
    """Return the network with its convolutions and hidden layers in a precision; the weights are copied.

    Recurrent layers, heads and the normalisation of the inputs compute in float32 in every case.

    Processors with bfloat16 instructions multiply bfloat16 numbers and add up in float32. Those without take ten times
    as long as in float32. There (`native` False), inputs and weights of convolutions and hidden layers are rounded to
    bfloat16 and the layers computed in float32: the same products and the same sums.

    Args:
      model: as `affwildnet.models.build` returns it, or loaded from a file. It is not changed.
      precision: "float32" or "bfloat16".
      native: whether the processor has such instructions, see `affwildnet.devices.has_bfloat16`.

    Raises:
      UserError: for another precision.
    """
    check_choice("precision", precision, PRECISIONS)
    emulated = set()
    if precision == "bfloat16" and not native:
        emulated = {layer.name for layer in model.layers if isinstance(layer, HEAVY) and not _is_exact(layer)}

    def with_policy(layer: keras.Layer) -> keras.Layer:
        policy = "float32" if precision == "float32" or not native or _is_exact(layer) else _policy(layer, precision)
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    def called(layer: keras.Layer, x, *args, **kwargs):
        if layer.name in emulated:
            x = Rounded(name=f"{layer.name}_input")(x)
        return layer(x, *args, **kwargs)

    clone = keras.models.clone_model(model, clone_function=with_policy, call_function=called)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in emulated:
            weights = [ops.convert_to_numpy(Rounded()(weight)) for weight in weights]
        set_weights_of(clone.get_layer(layer.name), weights)
    return clone


def _is_exact(layer: keras.Layer) -> bool:
    """Return whether a layer computes in float32 in every case."""
    return (
        hasattr(layer, "state_shapes")
        or isinstance(layer, _EXACT)
        or (isinstance(layer, layers.Dense) and layer.units <= _HEAD_UNITS)
        or not type(layer).__module__.startswith("keras.")
    )


def _policy(layer: keras.Layer, precision: str) -> str:
    return precision if isinstance(layer, HEAVY) else f"mixed_{precision}"
