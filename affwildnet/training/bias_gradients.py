"""Gradients of the biases of convolutions, on processors in float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from affwildnet.devices import has_gpu


@contextmanager
def as_products(model: keras.Model) -> Iterator[None]:
    """Have a step that is traced within this context compute gradients of biases as products, where this is faster.

    Such a gradient is the sum of the gradient of the convolution's output. oneDNN computes it with that of the kernel,
    and in float32 takes up to four times as long for both as for the kernel alone; the product of ones and the gradient
    takes next to nothing. In bfloat16, and on GPUs, they stay together. Only the order of the sums differs.

    Afterwards the layers are as before.

    Args:
      model: the network, whose convolutions keep their kernels, biases and activations.
    """
    layers = [] if has_gpu() else [layer for layer in model._flatten_layers() if _is_faster(layer)]
    for layer in layers:
        layer.convolution_op = _with_bias(layer)
        layer.use_bias = False  # it is added already
    try:
        yield
    finally:
        for layer in layers:
            del layer.convolution_op
            layer.use_bias = True


def _is_faster(layer: keras.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Conv2D)
        and layer.use_bias
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def _with_bias(layer: keras.layers.Conv2D) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    convolve = layer.convolution_op

    def convolution_op(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return _add(convolve(inputs, kernel), keras.ops.convert_to_tensor(layer.bias))

    return convolution_op


@tf.custom_gradient
def _add(outputs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.reshape(upstream, (-1, bias.shape[0]))
        ones = tf.ones((1, tf.shape(pixels)[0]), pixels.dtype)
        return upstream, tf.squeeze(ones @ pixels, 0)

    return tf.nn.bias_add(outputs, bias), gradients
