"""The library that Keras computes with in the commands: TensorFlow."""

import os

from tfrecords_tools.errors import UserError
from tfrecords_tools.quiet import import_tensorflow


def start_tensorflow() -> None:
    """Import TensorFlow, as the backend of Keras too, whatever Keras's own file of settings says; see `check`."""
    check()
    import_tensorflow()


def check() -> None:
    """Raise a `UserError` if the variable KERAS_BACKEND asks for another backend."""
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND must be tensorflow, or not set, for this command. Received: {backend}. In Python, "
            "the networks of affwildnet.models also run on JAX; training, scoring and export need TensorFlow."
        )
