"""Copies of networks and of weights: networks without values, networks side by side, weights from layer to layer."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np


def skeleton(build: Callable[[], keras.Model]) -> keras.Model:
    """Return what `build` returns, its weights never initialised: they have a name and a shape, and no value.

    The random state is left as it was, so that a seed set before gives the same network after. The global dtype policy
    is that of the caller.
    """
    policy = keras.config.dtype_policy()

    def without_values() -> keras.Model:
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras remembers uninitialised weights thread by thread, and would allocate them at the end of the next scope of
    # this kind, which it opens for every layer that is built. A thread of its own takes that memory with it.
    state = random.getstate()
    try:
        with ThreadPoolExecutor(max_workers=1) as executor:
            return executor.submit(without_values).result()
    finally:
        random.setstate(state)


def give(layer: keras.Layer, weights: Sequence[np.ndarray]) -> None:
    """Give a built layer its weights, in the order of `layer.get_weights()`."""
    layer.set_weights(weights)
    renew(layer)


def renew(layer: keras.Layer) -> None:
    """Have a layer whose weights were changed compute with them: a normalisation computes with copies of its own."""
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()


def beside(model: keras.Model, tensors: Sequence[keras.KerasTensor], prefix: str) -> list[keras.KerasTensor]:
    """Return the outputs of a copy of a network on other inputs, its layers' names behind a prefix.

    Args:
      model: a functional model; its weights are not copied.
      tensors: what the copy reads; looked up by the names of the model's inputs.
    """
    named = {tensor.name: tensor for tensor in tensors}

    def renamed(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": prefix + config["name"]})

    wanted = [named[tensor.name] for tensor in model.inputs]
    return keras.models.clone_model(model, input_tensors=wanted, clone_function=renamed).outputs
