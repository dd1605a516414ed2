"""A run that was stopped or killed goes on as if nothing had happened."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tests.helpers.networks import numpy
from tests.helpers.paths import ROOT
from tests.helpers.trainings import TINY, finished, logged, steps_of, tiny


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "workdir")


def standardised(**training):
    """The tiny experiment with standardised and jittered landmarks, so that a run has every kind of state."""
    experiment = tiny(landmark_jitter=0.01, **training)
    return replace(experiment, model=replace(experiment.model, standardise_landmarks=True))


@pytest.fixture(scope="module")
def two_runs(tiny_folder, tmp_path_factory):
    """The same 9 steps: in one go, and stopped at 4. An epoch of the data ends between; flips and dropout are on."""
    folder = tmp_path_factory.mktemp("runs")
    whole, parts = Workdir(folder / "whole"), Workdir(folder / "parts")
    assert train(Run(standardised(steps=9, checkpoint_steps=5), tiny_folder), whole) == 0
    assert train(Run(standardised(steps=4), tiny_folder), parts) == 0
    assert train(Run(standardised(steps=9), tiny_folder), parts) == 0
    return whole, parts


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_weights_of_the_uninterrupted_one(two_runs):
    whole, parts = (checkpoints.resume(workdir.checkpoints) for workdir in two_runs)
    assert whole[1] == parts[1]
    assert whole[1].step == 9
    assert whole[1].epoch >= 1
    for mine, theirs in zip(parts[0].variables, whole[0].variables, strict=True):
        np.testing.assert_allclose(numpy(mine), numpy(theirs), rtol=1e-6, atol=1e-6, err_msg=mine.path)
    for mine, theirs in zip(parts[0].optimizer.variables, whole[0].optimizer.variables, strict=True):
        np.testing.assert_allclose(numpy(mine), numpy(theirs), rtol=1e-6, atol=1e-6, err_msg=mine.path)


@pytest.mark.slow
def test_a_resumed_run_logs_the_losses_of_the_uninterrupted_one(two_runs):
    whole, parts = (read_lines(workdir.training_log) for workdir in two_runs)
    assert [line["step"] for line in whole] == [line["step"] for line in parts] == list(range(1, 10))
    for field in ("loss", "gradient_norm", "learning_rate", "epoch"):
        np.testing.assert_allclose([line[field] for line in parts], [line[field] for line in whole], rtol=1e-5)
    assert len({line["loss"] for line in whole}) == 9


@pytest.mark.slow
def test_dropout_and_flips_were_on(two_runs):
    model, state = checkpoints.resume(two_runs[0].checkpoints)
    assert any(layer.rate > 0 for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    assert [9] in [states[1:] for states in state.random_states]  # a counter that each step has moved on
    assert TINY.training.flip


@pytest.mark.slow
def test_batch_normalisation_learns_its_statistics(two_runs):
    first, last = (checkpoints.load(path) for path in checkpoints.listed(two_runs[0].checkpoints))
    for name in ("conv1_bn", "conv5_bn"):
        for fresh, statistic in ((0, "moving_mean"), (1, "moving_variance")):
            earlier, later = (numpy(getattr(model.get_layer(name), statistic)) for model in (first, last))
            assert np.abs(earlier - fresh).max() > 1e-4
            assert np.abs(later - earlier).max() > 1e-4
            assert np.isfinite(later).all()


@pytest.mark.slow
def test_the_workdir_holds_what_the_evaluator_needs(two_runs, tiny_folder):
    run = two_runs[0].open()
    assert run.experiment == standardised(steps=9, checkpoint_steps=5)
    assert run.data_dir == tiny_folder.resolve()
    assert steps_of(two_runs[0]) == [5, 9]
    assert finished(two_runs[0]) == {"step": 9, "reason": "all steps are done"}
    assert list((two_runs[0].path / "tensorboard" / "train").glob("events.*"))


@pytest.mark.slow
def test_a_real_process_that_is_stopped_or_killed_goes_on_where_it_was(tiny_folder, workdir):
    settings = {
        "model.backbone": "cnn_m",
        "model.image_size": 32,
        "model.width": 0.02,
        "training.window": 4,
        "training.batch_size": 2,
        "training.flip": "true",
        "training.balance": "",
        "training.steps": 1_000_000,
        "training.log_steps": 1,
        "training.checkpoint_steps": 3,
    }
    command = [sys.executable, "train.py", "--experiment=ijcv2019/affwildnet_vggface", f"--data_dir={tiny_folder}"]
    command += [f"--workdir={workdir.path}", *(f"--set={name}={value}" for name, value in settings.items())]

    def run_until(step, number):
        """Start training, sends the signal once that step is logged; returns the process's output."""
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            end = time.monotonic() + 120
            while step not in logged(workdir) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(number)
            output, _ = process.communicate(timeout=60)
        return process.returncode, output

    status, output = run_until(4, signal.SIGTERM)
    assert status == 143, output
    stopped = steps_of(workdir)[-1]
    assert logged(workdir) == list(range(1, stopped + 1))  # nothing is lost
    assert output.splitlines()[-1] == (
        f"SIGTERM: saved step {stopped:,} and left. The same command goes on from there."
    )

    status, output = run_until(stopped + 4, signal.SIGKILL)
    assert status == -signal.SIGKILL, output
    assert f"resumed from {checkpoints.path_of(workdir.checkpoints, stopped)}" in output
    killed = logged(workdir)[-1]
    assert logged(workdir) == list(range(1, killed + 1))
    saved = steps_of(workdir)[-1]
    assert stopped < saved
    assert killed - saved <= 3 + 1  # a step may be logged before its checkpoint is there

    # Here and now, the steps that were lost have the losses that they had.
    run = workdir.open()
    training = replace(run.experiment.training, steps=killed + 1)
    train(replace(run, experiment=replace(run.experiment, training=training)), workdir)
    lines = read_lines(workdir.training_log)
    again = lines[killed:]
    assert [line["step"] for line in again] == list(range(saved + 1, killed + 2))
    for line in again[:-1]:
        assert line["loss"] == pytest.approx(lines[line["step"] - 1]["loss"], rel=1e-4)
