"""The recurrent layers compiled by XLA, and on JAX."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from networks import numpy
from recurrences import CELLS, layer, sequence

ON_JAX = """
import sys
import jax, keras, numpy as np
from recurrences import CELLS, layer, sequence
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
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    tests = Path(__file__).parent
    environment["PYTHONPATH"] = os.pathsep.join([str(tests), str(tests.parent)])
    out = tmp_path / "out.npz"
    subprocess.run([sys.executable, "-c", ON_JAX, str(out)], env=environment, check=True, capture_output=True)
    on_jax = np.load(out)
    for cell in CELLS:
        outputs, *slopes = with_gradients(layer(cell), sequence(10))
        np.testing.assert_allclose(on_jax[cell], outputs, rtol=1e-5, atol=1e-6)
        for index, slope in enumerate(slopes):
            np.testing.assert_allclose(on_jax[f"{cell}/{index}"], slope, rtol=1e-4, atol=1e-5)
