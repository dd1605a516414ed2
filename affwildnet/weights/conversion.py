"""From other conventions to Keras's, number for number."""

import numpy as np

from affwildnet.weights.contents import Shape


def torch_shapes(kernel: Shape) -> list[Shape]:
    """Return the shapes that a Keras convolution's kernel (height, width, in, out) has in Torch.

    The second is that of Torch 7's `SpatialConvolutionMM`, which keeps a matrix.
    """
    height, width, into, out = kernel
    return [(out, into, height, width), (out, into * height * width)]


def from_torch(value: np.ndarray, kernel: Shape) -> np.ndarray:
    """Return a Torch convolution's weights, in one of `torch_shapes`, as the Keras kernel of a shape."""
    height, width, into, out = kernel
    return value.reshape(out, into, height, width).transpose(2, 3, 1, 0)


def bgr_to_rgb(kernel: np.ndarray) -> np.ndarray:
    """Turn the input channels of a first convolution round: on RGB it then gives what it gave on BGR."""
    return kernel[:, :, ::-1]


def normalisation(gamma: np.ndarray, deviation: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Restate a batch normalisation that divides by `deviation` for a layer that divides by sqrt(variance + epsilon).

    Exact also where the deviation is below sqrt(epsilon), where no variance would do: gamma makes up for it.

    Args:
      gamma: (C,).
      deviation: (C,), what the source divides by, its own epsilon in it.
      epsilon: of the Keras layer.

    Returns:
      Gamma and variance for the Keras layer, each (C,).
    """
    square = deviation.astype("float64") ** 2
    variance = np.maximum(square - epsilon, 0)
    return gamma * np.sqrt((variance + epsilon) / square), variance


def gru(
    gates: tuple[np.ndarray, np.ndarray], candidate: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Restate a GRU of TensorFlow 1 as one of Keras with `reset_after=False`.

    TensorFlow 1: r, u = sigmoid([x, h] W + b), c = tanh([x, r h] V + d), h' = u h + (1 - u) c. Keras has the same with
    z for u, the matrices of x and of h apart, and the order z, r, c.

    Args:
      gates: W (F + H, 2 H), the columns of r first, and b (2 H,).
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
