"""How tests start a process in which Keras computes on JAX."""

import os

from tests.helpers.paths import ROOT


def environment():
    """The variables of such a process: JAX on the CPU, and the repository to import from."""
    return {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Code that XLA does not optimise computes the same and is made in three quarters of the time.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": str(ROOT),
    }
