"""The library that Keras computes with in the commands: TensorFlow."""

import contextlib
import os
import sys
from collections.abc import Iterator

from tfrecords_tools.errors import UserError
from tfrecords_tools.quiet import import_tensorflow, nothing_to_collect

# What TensorFlow and Keras import where it is installed, for wrappers, adapters, plots and another backend. No command
# uses them, and they take two fifths of the time.
_UNUSED = ("jax", "matplotlib", "pandas", "sklearn")


def start_tensorflow() -> None:
    """Import TensorFlow, as the backend of Keras too, whatever Keras's own file of settings says; see `check`.

    Keras is then as it is where scikit-learn, pandas and matplotlib are not installed; everything else can import them.
    """
    check()
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        return
    with _not_found(_UNUSED), nothing_to_collect():
        import_tensorflow()
        import keras

        keras.layers  # noqa: B018  (or it would be imported when it is used)


@contextlib.contextmanager
def _not_found(names: tuple[str, ...]) -> Iterator[None]:
    """Within the block, have packages look as if they were not installed, unless they are imported already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def check() -> None:
    """Raise a `UserError` if the variable KERAS_BACKEND asks for another backend."""
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND must be tensorflow, or not set, for this command. Received: {backend}. In Python, "
            "the networks of affwildnet.models also run on JAX; training, scoring and export need TensorFlow."
        )
