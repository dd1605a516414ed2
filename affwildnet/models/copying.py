"""Weights from one layer to another."""

from collections.abc import Sequence

import keras
import numpy as np


def give(layer: keras.Layer, weights: Sequence[np.ndarray]) -> None:
    """Gives a built layer its weights, in the order of `layer.get_weights()`."""
    layer.set_weights(weights)
    renew(layer)


def renew(layer: keras.Layer) -> None:
    """Has a layer whose weights were changed compute with them: a normalisation computes with copies of its own."""
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()
