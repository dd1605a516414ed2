"""Setting the weights of a layer so that it computes with them."""

from collections.abc import Sequence

import keras
import numpy as np


def set_weights_of(layer: keras.Layer, weights: Sequence[np.ndarray]) -> None:
    """Set the weights of a built layer, in the order of `layer.get_weights()`."""
    layer.set_weights(weights)
    refresh(layer)


def refresh(layer: keras.Layer) -> None:
    """Make a layer use its changed weights; needed by `Normalization`, which computes with copies of its own."""
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()
