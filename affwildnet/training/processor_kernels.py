"""Kernels by which a training step on a processor computes the same as Keras in less time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from affwildnet.devices import has_gpu

Call = Callable[..., tf.Tensor]


@contextmanager
def chosen(model: keras.Model) -> Iterator[None]:
    """Have a step that is traced within this context compute some layers of a network by other kernels than Keras does.

    - Batch normalisation: by one kernel forward and one back. Keras composes it of some fifteen operations, each of
      which reads and writes tensors as large as the activations.
    - Biases of convolutions in float32: their gradients as products of ones and the gradient of the outputs. oneDNN
      computes them with the gradients of the kernels, and takes up to four times as long for both as for those alone;
      in bfloat16 it does not.

    Only the order of sums differs; moving averages are Keras's. XLA fuses operations itself, so that nothing changes on
    GPUs. Afterwards the layers are as before.

    Args:
      model: whose layers, and those of the networks in it, are meant.
    """
    layers = [] if has_gpu() else model._flatten_layers()
    changed = [(layer, call) for layer in layers if (call := _call(layer))]
    for layer, call in changed:
        layer.call = call
    try:
        yield
    finally:
        for layer, _ in changed:
            del layer.call


def _call(layer: keras.Layer) -> Call | None:
    """Return what calls a layer instead of its own method; None where that stays."""
    if isinstance(layer, keras.layers.Conv2D):
        if layer.use_bias and layer.data_format == "channels_last" and layer.compute_dtype == "float32":
            return _convolution(layer)
    elif isinstance(layer, keras.layers.BatchNormalization):
        is_plain = layer.scale and layer.center and not layer.renorm and layer.axis in (-1, 3)
        if is_plain and layer.compute_dtype in ("float32", "bfloat16"):
            return _normalisation(layer)
    return None


def _convolution(layer: keras.layers.Conv2D) -> Call:
    def call(inputs: tf.Tensor) -> tf.Tensor:
        bias = keras.ops.convert_to_tensor(layer.bias)
        outputs = _add(layer.convolution_op(inputs, layer.kernel), bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


@tf.custom_gradient
def _add(outputs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.reshape(upstream, (-1, bias.shape[0]))
        ones = tf.ones((1, tf.shape(pixels)[0]), pixels.dtype)
        return upstream, tf.squeeze(ones @ pixels, 0)

    return tf.nn.bias_add(outputs, bias), gradients


def _normalisation(layer: keras.layers.BatchNormalization) -> Call:
    composed = layer.call

    def call(inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        by_moving_averages = not (training and layer.trainable)
        # `synchronized` takes the moments of all devices, which the kernel does not know.
        if by_moving_averages or layer.synchronized or mask is not None or len(inputs.shape) != 4:
            return composed(inputs, training=training, mask=mask)
        found = tf.raw_ops.FusedBatchNormV3(
            x=tf.cast(inputs, layer.compute_dtype),
            scale=keras.ops.convert_to_tensor(layer.gamma, "float32"),
            offset=keras.ops.convert_to_tensor(layer.beta, "float32"),
            mean=[],
            variance=[],
            epsilon=layer.epsilon,
        )
        # The kernel estimates the variance of what the batch is a sample of; Keras takes that of the batch.
        pixels = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        variance = found.batch_variance * (1 - 1 / pixels)
        for moving, value in ((layer.moving_mean, found.batch_mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
        return found.y

    return call
