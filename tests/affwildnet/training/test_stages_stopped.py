"""Stages that are stopped, killed or ended early, and how they go on."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from affwildnet import models
from affwildnet.experiments.config import Stage
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, train
from affwildnet.training.step import StepOutcome
from tests.helpers.networks import numpy
from tests.helpers.small_network import save_with_weights_of_its_own
from tests.helpers.staged import QuickStep
from tests.helpers.trainings import TINY, finished, logged, steps_of
from tfrecords_tools.errors import UserError


def test_a_stopped_training_goes_on_in_its_stage(staged, tiny_folder, workdir, quick, shown):
    quick.events[0.02, 1] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert train(Run(staged, tiny_folder), workdir) == 128 + signal.SIGTERM
    assert steps_of(workdir.of_stage("c2")) == [1]
    assert not workdir.finished.exists()
    assert not workdir.of_stage("c3").begun
    shown()
    assert train(Run(staged, tiny_folder), workdir) == 0
    assert "stage c0 is done: step 3, all steps are done" in shown()
    assert [rate for rate, _ in quick.began] == [0.01, 0.02, 0.02, 0.03]
    assert [logged(workdir.of_stage(name)) for name in ("c0", "c2", "c3")] == [[1, 2, 3], [1, 2], [1, 2, 3]]
    assert train(Run(staged, tiny_folder), workdir) == 0
    assert len(quick.began) == 4


def test_a_signal_in_the_last_step_of_a_stage_does_not_start_the_next(staged, tiny_folder, workdir, quick):
    quick.events[0.01, 3] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert train(Run(staged, tiny_folder), workdir) == 128 + signal.SIGTERM
    assert finished(workdir.of_stage("c0"))["step"] == 3
    assert not workdir.of_stage("c2").begun


def test_the_evaluators_stop_ends_a_stage_and_the_next_begins(staged, tiny_folder, workdir, quick):
    quick.events[0.01, 1] = lambda: write_json(workdir.of_stage("c0").stop, {"step": 1})
    assert train(Run(staged, tiny_folder), workdir) == 0
    assert finished(workdir.of_stage("c0")) == {"step": 1, "reason": "the evaluator said stop"}
    assert finished(workdir.of_stage("c3"))["step"] == 3
    assert train(Run(staged, tiny_folder), workdir) == 0
    assert len(quick.began) == 3


def test_a_stop_that_a_killed_trainer_did_not_obey_is_obeyed(staged, tiny_folder, workdir, quick):
    train(Run(staged, tiny_folder), workdir, stage="c0")
    own = workdir.of_stage("c0")
    own.finished.unlink()
    write_json(own.stop, {"step": 3})
    assert train(Run(staged, tiny_folder), workdir, stage="c0") == 0
    assert finished(own) == {"step": 3, "reason": "the evaluator said stop"}  # or a watcher would wait for ever


@pytest.mark.slow
def test_more_steps_are_trained_when_training_steps_is_raised(staged, tiny_folder, workdir, quick):
    train(Run(staged, tiny_folder), workdir, stage="c0")
    train(Run(override(staged, ["training.steps=5"]), tiny_folder), workdir, stage="c0")
    assert logged(workdir.of_stage("c0")) == [1, 2, 3, 4, 5]


def test_a_loss_that_is_not_finite_ends_the_whole_run(staged, tiny_folder, workdir, quick, monkeypatch):
    monkeypatch.setattr(QuickStep, "__call__", lambda self, batch: lambda: StepOutcome(float("nan"), 1.0))
    with pytest.raises(UserError, match=r"not finite at step 1.*lower stages\.c0\.learning_rate, or"):
        train(Run(staged, tiny_folder), workdir)
    assert finished(workdir)["reason"] == "stage c0: the loss is not finite"  # or a watcher would wait for c2
    assert not workdir.of_stage("c2").begun


class Killed(BaseException):
    pass


@pytest.mark.slow
def test_a_run_killed_in_its_second_stage_ends_with_the_weights_of_the_uninterrupted_run(
    tiny_folder, tmp_path, monkeypatch
):
    """On a network with GRU layers, dropout, flips and jitter, by the compiled step."""
    model = replace(TINY.model, standardise_landmarks=True)
    path = tmp_path / "init.keras"
    save_with_weights_of_its_own(models.build(model), path)
    parts = ("fc*", "gru*", "valence_arousal")
    starts = (("*", "init"), *((part, "random") for part in parts))
    first = Stage("c0", parts, starts, 3e-3)
    second = Stage("c3", ("*",), (("*", "init"), *((part, "c0") for part in parts)), 1e-3, steps=5)
    training = replace(TINY.training, init=str(path), stages=(first, second), steps=2, checkpoint_steps=2)
    experiment = replace(TINY, model=model, training=replace(training, landmark_jitter=0.01))
    whole, killed = Workdir(tmp_path / "whole"), Workdir(tmp_path / "killed")
    assert train(Run(experiment, tiny_folder), whole) == 0

    update = loop.training_step.TrainStep.__call__

    def until_killed(self, batch):
        if logged(killed.of_stage("c3")) == [1, 2, 3]:
            raise Killed
        return update(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.training_step.TrainStep, "__call__", until_killed)
        with pytest.raises(Killed):
            train(Run(experiment, tiny_folder), killed)
    assert steps_of(killed.of_stage("c3")) == [2]
    assert train(Run(experiment, tiny_folder), killed) == 0
    assert logged(killed.of_stage("c0")) == [1, 2]
    assert logged(killed.of_stage("c3")) == [1, 2, 3, 3, 4, 5]
    for name in ("c0", "c3"):
        mine, theirs = (checkpoints.resume(each.of_stage(name).checkpoints) for each in (killed, whole))
        assert mine[1] == theirs[1]
        for one, other in zip(mine[0].variables, theirs[0].variables, strict=True):
            np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-6, atol=1e-6, err_msg=one.path)
        for one, other in zip(mine[0].optimizer.variables, theirs[0].optimizer.variables, strict=True):
            np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-6, atol=1e-6, err_msg=one.path)
