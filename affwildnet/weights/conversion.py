"""Weights in other conventions, restated in that of Keras so that the layer computes the same."""

import numpy as np

from affwildnet.weights.weight_file import Shape


def torch_shapes(kernel: Shape) -> list[Shape]:
    """Return the shapes in Torch of a Keras convolution's kernel (height, width, in, out).

    The second one is that of Torch 7's `SpatialConvolutionMM`, which keeps a matrix.
    """
    height, width, into, out = kernel
    return [(out, into, height, width), (out, into * height * width)]


def from_torch(value: np.ndarray, kernel: Shape) -> np.ndarray:
    """Return the weights of a Torch convolution, in one of `torch_shapes`, as a Keras kernel of shape `kernel`."""
    height, width, into, out = kernel
    return value.reshape(out, into, height, width).transpose(2, 3, 1, 0)


def bgr_to_rgb(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel that computes on RGB what the given one computes on BGR."""
    return kernel[:, :, ::-1]


def batch_normalisation(gamma: np.ndarray, deviation: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Restate a batch normalisation that divides by `deviation` as one that divides by sqrt(variance + epsilon).

    Where the deviation is below sqrt(epsilon), no variance is small enough: there gamma is scaled instead.

    Args:
      gamma: (C,).
      deviation: (C,), the divisor of the source, its epsilon included.
      epsilon: of the Keras layer.

    Returns:
      Gamma and variance of the Keras layer, each (C,).
    """
    square = deviation.astype("float64") ** 2
    variance = np.maximum(square - epsilon, 0)
    return gamma * np.sqrt((variance + epsilon) / square), variance


def gru_of_tensorflow1(
    gates: tuple[np.ndarray, np.ndarray], candidate: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Restate a GRU of TensorFlow 1 as one of Keras with `reset_after=False`.

    TensorFlow 1: r, u = sigmoid([x, h] W + b), c = tanh([x, r h] V + d), h' = u h + (1 - u) c. Keras calls u z, keeps
    the matrices of x and h apart, and orders the columns z, r, c.

    Args:
      gates: W (F + H, 2 H), columns of r before those of u, and b (2 H,).
      candidate: V (F + H, H) and d (H,).

    Returns:
      Keras's kernel (F, 3 H), recurrent_kernel (H, 3 H) and bias (3 H,).
    """
    columns = []
    for of_gates, of_candidate in zip(gates, candidate, strict=True):
        reset, update = np.split(of_gates, 2, axis=-1)
        columns.append(np.concatenate([update, reset, of_candidate], axis=-1))
    matrix, bias = columns
    units = bias.size // 3
    return matrix[:-units], matrix[-units:], bias
