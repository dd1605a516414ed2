"""What the sides by Keras share: weights that PyTorch's side can take, and how many products a step has."""

from pathlib import Path

import keras
import numpy as np

from affwildnet.models import cost


def check_model(model: keras.Model) -> None:
    """Give batch normalisation statistics and scales that are not the identity, so that it is compared too."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([value + 0.1 for value in layer.get_weights()])


def save(model: keras.Model, path: Path) -> None:
    """Write the weights as `<layer>/<index>`, in the order of `layer.get_weights()`."""
    values = {
        f"{layer.name}/{index}": np.asarray(value, np.float32)
        for layer in model.layers
        for index, value in enumerate(layer.get_weights())
    }
    np.savez(path, **values)


def products(model: keras.Model) -> dict[str, float]:
    """Return the floating-point operations of a forward pass and of a training step per frame.

    Training has each product three times, forward, for the gradient of the input and for that of the weights; but for
    the first convolution, whose input has no gradient. Element-wise work is not counted.
    """
    forward = 2 * cost.multiply_adds(model)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    pixels = int(np.prod(first.output.shape[1:3]))
    return {"forward": forward, "train": 3 * forward - 2 * int(np.prod(first.kernel.shape)) * pixels}
