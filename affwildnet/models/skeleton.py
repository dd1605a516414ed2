"""A network without values for its weights: names and shapes at no cost in memory."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras


def skeleton(build: Callable[[], keras.Model]) -> keras.Model:
    """Returns what `build` returns, its weights never initialised: they have a name and a shape, and no value.

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
