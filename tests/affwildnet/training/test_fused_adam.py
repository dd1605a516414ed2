"""Adam by TensorFlow's kernel beside Keras's own, step by step, and what it leaves as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.models.recurrent import RecurrentWeightLimit
from affwildnet.training.fused_adam import fuse
from tests.helpers.networks import numpy

RATE, STEPS = 0.05, 8
# In float32, 1 - 0.999 is 0.00099998713 for the kernel; Keras takes 0.001 for the moment, the other for its bias.
ROUNDING = 1.3e-5


def weights():
    """Two weights, one with a constraint that binds."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 5)).astype("float32"), np.full(4, 1.15, "float32")
    free, limited = map(keras.Variable, values)
    limited.constraint = RecurrentWeightLimit(window=4)
    return [free, limited]


def trained(optimizer, fused):
    """Return the weights after each step, and the optimizer's state after the last."""
    own = weights()
    optimizer.build(own)
    if fused:
        fuse(optimizer)
    rng = np.random.default_rng(1)
    found = []

    @tf.function
    def step(*gradients):
        optimizer.apply(list(gradients), own)

    for index in range(STEPS):
        scale = 10.0 ** (index - 5)  # from below epsilon on
        step(*(tf.constant((-np.abs(rng.normal(size=w.shape)) * scale).astype("float32")) for w in own))
        found.append([numpy(weight).copy() for weight in own])
    return found, [numpy(variable).copy() for variable in optimizer.variables]


RATES = {"constant": lambda: RATE, "schedule": lambda: keras.optimizers.schedules.ExponentialDecay(RATE, 2, 0.5, True)}


@pytest.mark.parametrize("rate", RATES)
def test_the_updates_are_those_of_keras(rate):
    (plain, state), (fused, own) = (
        trained(keras.optimizers.Adam(RATES[rate](), epsilon=1e-3), choice) for choice in (False, True)
    )
    for before, after in zip(plain, fused, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=STEPS * RATE * ROUNDING)
    assert np.abs(plain[-1][0] - plain[0][0]).max() > RATE / 2
    if rate == "constant":
        assert plain[-1][1].max() == pytest.approx(2 ** (1 / 4))  # at the limit
    assert int(own[0]) == STEPS
    for one, other in zip(state, own, strict=True):
        np.testing.assert_allclose(other, one, rtol=2 * ROUNDING, atol=0)


def test_it_is_the_kernel_that_runs():
    optimizer = keras.optimizers.Adam(RATE)
    own = weights()
    optimizer.build(own)
    fuse(optimizer)
    graph = tf.function(lambda: optimizer.apply([tf.ones(w.shape) for w in own], own)).get_concrete_function().graph
    assert [op.type for op in graph.get_operations()].count("ResourceApplyAdam") == 2


def test_loss_scaling_stays_around_it():
    (plain, _), (fused, _) = (
        trained(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(RATE), initial_scale=4.0), choice)
        for choice in (False, True)
    )
    np.testing.assert_allclose(fused[-1][0], plain[-1][0], rtol=0, atol=STEPS * RATE * ROUNDING)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD(RATE), keras.optimizers.Adam(RATE, amsgrad=True)])
def test_other_optimizers_are_left_as_they_are(optimizer):
    update = optimizer.update_step
    optimizer.build(weights())
    fuse(optimizer)
    assert optimizer.update_step == update


def test_a_checkpoint_is_that_of_keras(tmp_path):
    entrance = keras.Input((3,))
    model = keras.Model(entrance, keras.layers.Dense(2)(entrance))
    model.compile(optimizer=keras.optimizers.Adam(RATE))
    model.optimizer.build(model.trainable_variables)
    fuse(model.optimizer)
    model.optimizer.apply([tf.ones(w.shape) for w in model.trainable_variables])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert type(loaded) is keras.optimizers.Adam
    assert loaded.get_config() == model.optimizer.get_config()
    for one, other in zip(loaded.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))
