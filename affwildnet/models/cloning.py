"""Networks without values for their weights, and copies of networks on other inputs."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras


def weightless(build: Callable[[], keras.Model]) -> keras.Model:
    """Return the model that `build` returns, with weights that have names and shapes but no values.

    Nothing is allocated for the weights. The random state does not change, so a seed that was set before gives the same
    network afterwards. The global dtype policy is that of the caller.
    """
    policy = keras.config.dtype_policy()

    def without_values() -> keras.Model:
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras remembers uninitialised weights per thread, and would allocate them at the end of the next scope of this
    # kind, which it opens for every layer that is built. A thread of its own takes that memory with it.
    state = random.getstate()
    try:
        with ThreadPoolExecutor(max_workers=1) as executor:
            return executor.submit(without_values).result()
    finally:
        random.setstate(state)


def clone_onto(tensors: Sequence[keras.KerasTensor], model: keras.Model, prefix: str) -> list[keras.KerasTensor]:
    """Return the outputs of a copy of a network on other inputs, whose layers' names begin with a prefix.

    Args:
      tensors: inputs of the copy; each is found by the name of the model's input.
      model: functional. Its weights are not copied.
      prefix: of the layers' names.
    """
    named = {tensor.name: tensor for tensor in tensors}

    def renamed(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": prefix + config["name"]})

    wanted = [named[tensor.name] for tensor in model.inputs]
    return keras.models.clone_model(model, input_tensors=wanted, clone_function=renamed).outputs
