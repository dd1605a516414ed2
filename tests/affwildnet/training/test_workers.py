"""What one worker checks and decides by itself; test_distributed.py trains with two."""

from dataclasses import replace

import numpy as np
import pytest

from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.training.workers import fingerprint
from tests.helpers.trainings import plain_model

STATE = TrainingState(step=3, epoch=1, window=4, seed=0)


def test_equal_networks_have_one_fingerprint():
    assert fingerprint(plain_model(seed=1), STATE) == fingerprint(plain_model(seed=1), STATE)


@pytest.mark.parametrize(
    "variable",
    [
        lambda model: model.get_layer("out").bias,
        lambda model: checkpoints.random_variables(model)[0],
        lambda model: model.optimizer.iterations,
        lambda model: model.optimizer.variables[-1],
    ],
    ids=["weight", "dropout", "step of the optimizer", "moment of the optimizer"],
)
def test_any_other_value_has_another_fingerprint(variable):
    model = plain_model(seed=1)
    before = fingerprint(model, STATE)
    changed = variable(model)
    changed.assign(changed + np.ones(changed.shape, changed.dtype))
    assert fingerprint(model, STATE) != before


@pytest.mark.parametrize("field", ["step", "epoch", "window"])
def test_another_position_has_another_fingerprint(field):
    model = plain_model(seed=1)
    assert fingerprint(model, replace(STATE, **{field: 9})) != fingerprint(model, STATE)
