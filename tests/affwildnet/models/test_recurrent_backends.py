"""The recurrent layers compiled by XLA, and on JAX."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import on_jax
from tests.helpers.networks import numpy
from tests.helpers.recurrences import CELLS, layer, sequence

ON_JAX = """
import sys
import jax, keras, numpy as np
from tests.helpers.recurrences import CELLS, layer, sequence
assert keras.backend.backend() == "jax"
results = {}
for cell in CELLS:
    made = layer(cell)
    def loss(weights, x):
        outputs, _ = made.stateless_call(weights, made.non_trainable_variables, x)
        return (outputs * np.arange(1, 5)).sum(), outputs
    weights = [weight.value for weight in made.weights]
    slopes, outputs = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(weights, sequence(10).astype("float32"))
    results[cell] = outputs
    for index, slope in enumerate([slopes[1], *slopes[0]]):
        results[f"{cell}/{index}"] = slope
np.savez(sys.argv[1], **results)
"""


def with_gradients(made, x, **compiled):
    """Outputs, and the gradients for the input and all weights."""

    @tf.function(**compiled)
    def call(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = made(x)
            loss = tf.reduce_sum(outputs * np.arange(1, 5, dtype="float32"))
        return [outputs, *tape.gradient(loss, [x, *(weight.value for weight in made.weights)])]

    return [numpy(tensor) for tensor in call(tf.constant(x.astype("float32")))]


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_xla(cell):
    made, x = layer(cell), sequence(10)
    pairs = zip(with_gradients(made, x, jit_compile=True), with_gradients(made, x), strict=True)
    for compiled, plain in pairs:
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_jax(tmp_path):
    out = tmp_path / "out.npz"
    subprocess.run([sys.executable, "-c", ON_JAX, str(out)], env=on_jax.environment(), check=True, capture_output=True)
    found = np.load(out)
    for cell in CELLS:
        outputs, *slopes = with_gradients(layer(cell), sequence(10))
        np.testing.assert_allclose(found[cell], outputs, rtol=1e-5, atol=1e-6)
        for index, slope in enumerate(slopes):
            np.testing.assert_allclose(found[f"{cell}/{index}"], slope, rtol=1e-4, atol=1e-5)
