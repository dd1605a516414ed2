"""What a replica does by itself: random states of its own. test_distributed.py trains on several replicas."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.config import TrainingConfig
from affwildnet.runs import checkpoints
from affwildnet.training import replicas
from affwildnet.training.step import TrainStep, make_optimizer
from tests.helpers.networks import numpy


def dropping_model():
    """A network whose output shows which units each of its two dropout layers drops."""
    entrance = keras.Input((None, 50), name="landmarks")
    first = keras.layers.Dropout(0.5, seed=11)(entrance)
    second = keras.layers.Dropout(0.5, seed=12)(entrance)
    model = keras.Model([entrance], [first, second])
    model.compile(optimizer=make_optimizer(TrainingConfig()), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture
def as_replica(monkeypatch):
    """A strategy of three replicas that runs a function as the given one of them alone."""

    def strategy(index):
        context = SimpleNamespace(replica_id_in_sync_group=tf.constant(index))
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: context)
        return SimpleNamespace(num_replicas_in_sync=3, run=lambda function: function())

    return strategy


def drawn(strategy):
    """Random states, and what is dropped, in the training step that a replica makes of a network."""
    model = dropping_model()
    TrainStep(model, TrainingConfig(), strategy)
    states = np.array([numpy(state) for state in checkpoints.random_variables(model)])
    return states, [numpy(output) == 0 for output in model([np.ones((2, 4, 50), np.float32)], training=True)]


def test_each_replica_drops_units_of_its_own(as_replica):
    states, dropped = zip(*(drawn(as_replica(index)) for index in range(3)), strict=True)
    np.testing.assert_array_equal(states[0], [[11, 0], [12, 0]])  # the first replica's are those of one device
    assert len({seed for own in states for seed, _ in own.tolist()}) == 6  # no layer of one has the seed of another's
    assert all(own[:, 1].tolist() == [0, 0] for own in states)  # the counters are those of the checkpoint
    shapes = [mask for own in dropped for mask in own]
    assert all((one != other).any() for index, one in enumerate(shapes) for other in shapes[:index])


def test_one_device_leaves_the_random_states_as_they_are():
    states, _ = drawn(tf.distribute.get_strategy())
    np.testing.assert_array_equal(states, [[11, 0], [12, 0]])


def test_seeds_stay_apart_and_within_their_type():
    assert replicas.SEED_STRIDE > 10_000  # layers
    assert replicas.SEED_STRIDE * 10_000 < 2**31  # replicas
