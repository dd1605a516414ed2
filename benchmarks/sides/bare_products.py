"""The products of a training step alone, in TensorFlow: no step with the same kernels is faster."""

import statistics
import time

import keras
import tensorflow as tf

Compute = tf.types.experimental.GenericFunction


def seconds(model: keras.Model, frames: int, dtype: str, rounds: int) -> dict[str, float]:
    """Return the seconds of all products of a kind: forward, for the gradients of the inputs, for those of the weights.

    Args:
      model: whose convolutions and fully connected layers are taken, those with at least a million weights or pixels.
      frames: of a step.
      dtype: of the factors.
      rounds: of each product, of which the median counts.
    """
    total = {"forward": 0.0, "gradients of inputs": 0.0, "gradients of weights": 0.0}
    first = True
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            computes = _convolution(layer, frames, dtype)
        elif isinstance(layer, keras.layers.Dense) and layer.units > 2:
            computes = _matrix(layer, frames, dtype)
        else:
            continue
        for (kind, compute), needed in zip(computes.items(), (True, not first, True), strict=True):
            if needed:
                total[kind] += _median(compute, rounds)
        first = False
    return total


def _convolution(layer: keras.layers.Conv2D, frames: int, dtype: str) -> dict[str, Compute]:
    shape = (frames, *layer.input.shape[1:])
    options = {"strides": [1, *layer.strides, 1], "padding": layer.padding.upper()}
    x = tf.cast(tf.random.normal(shape), dtype)
    kernel = tf.cast(tf.random.normal(layer.kernel.shape), dtype)
    y = tf.nn.conv2d(x, kernel, **options)
    return {
        "forward": tf.function(lambda: tf.nn.conv2d(x, kernel, **options)),
        "gradients of inputs": tf.function(
            lambda: tf.raw_ops.Conv2DBackpropInput(input_sizes=shape, filter=kernel, out_backprop=y, **options)
        ),
        "gradients of weights": tf.function(
            lambda: tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=layer.kernel.shape, out_backprop=y, **options)
        ),
    }


def _matrix(layer: keras.layers.Dense, frames: int, dtype: str) -> dict[str, Compute]:
    inputs, units = layer.kernel.shape
    x, kernel, y = (
        tf.cast(tf.random.normal(shape), dtype) for shape in ((frames, inputs), (inputs, units), (frames, units))
    )
    return {
        "forward": tf.function(lambda: tf.matmul(x, kernel)),
        "gradients of inputs": tf.function(lambda: tf.matmul(y, kernel, transpose_b=True)),
        "gradients of weights": tf.function(lambda: tf.matmul(x, y, transpose_a=True)),
    }


def _median(compute: Compute, rounds: int) -> float:
    found = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        compute()
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])
