"""The training loop: what it writes, and how it stops."""

import os
import signal
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.experiments.heads import OUTPUTS
from affwildnet.experiments.network_rules import check
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, train
from affwildnet.training.log import TrainingLog, clock
from affwildnet.training.step import StepOutcome
from tests.helpers import corpora
from tests.helpers.corpora import make_corpus
from tests.helpers.networks import numpy
from tests.helpers.trainings import (
    TINY,
    finished,
    learnable,
    logged,
    plain_model,
    steps_of,
    tiny,
    truncate,
)
from tfrecords_tools.errors import UserError, exit_status


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "workdir")


@pytest.fixture
def quick_model(monkeypatch):
    """Replace the experiment's network by one that is quickly built and saved; the settings are still checked."""

    def build(config, window=80):
        check(config, models.BACKBONES, models.RECURRENT, OUTPUTS)
        return plain_model(compiled=False)

    monkeypatch.setattr(models, "build", build)


@pytest.fixture
def scripted(monkeypatch, quick_model):
    """Replace the compiled step by one that counts; loss and gradient are those noted for the step, or 1."""
    script = {}

    class Step:
        def __init__(self, model, config, strategy, held=(), network=None):
            self.model = model
            self._weight = model.trainable_variables[0]

        def __call__(self, batch):
            self.model.optimizer.iterations.assign_add(1)
            self._weight.assign_add(keras.ops.ones_like(self._weight))
            values = script.get(int(self.model.optimizer.iterations), (1.0, 1.0))
            return lambda: StepOutcome(*values)

    monkeypatch.setattr(loop.training_step, "TrainStep", Step)
    return script


@pytest.fixture
def at_step(monkeypatch):
    """Lets something happen as soon as a step is logged: `at_step[3] = function`."""
    events = {}
    write = TrainingLog.write

    def hooked(self, step, *arguments):
        write(self, step, *arguments)
        events.pop(step, lambda: None)()

    monkeypatch.setattr(TrainingLog, "write", hooked)
    return events


# Resuming.


def test_the_seed_decides_the_first_weights(tiny_folder, tmp_path, scripted):
    kernels = []
    for number, seed in enumerate((1, 1, 2)):
        workdir = Workdir(tmp_path / str(number))
        train(Run(tiny(steps=1, seed=seed), tiny_folder), workdir)
        kernels.append(numpy(checkpoints.resume(workdir.checkpoints)[0].get_layer("fc1").kernel))
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.01


def test_a_truncated_checkpoint_costs_only_the_steps_since_the_one_before(tiny_folder, workdir, scripted, shown):
    train(Run(tiny(steps=6, checkpoint_steps=2), tiny_folder), workdir)
    broken = checkpoints.path_of(workdir.checkpoints, 6)
    truncate(broken)
    train(Run(tiny(steps=7, checkpoint_steps=2), tiny_folder), workdir)
    assert logged(workdir) == [1, 2, 3, 4, 5, 6, 5, 6, 7]
    assert f"skipped: {broken}" in shown()
    assert checkpoints.resume(workdir.checkpoints)[1].step == 7


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_training(number, tiny_folder, workdir, scripted, at_step, shown):
    handler = signal.getsignal(number)
    at_step[3] = lambda: os.kill(os.getpid(), number)
    assert train(Run(tiny(steps=100), tiny_folder), workdir) == 128 + number
    assert signal.getsignal(number) == handler
    (last,) = steps_of(workdir)
    assert last in (3, 4)  # the signal comes in during the step or after it
    assert f"{number.name}: saved step {last} and left" in shown()
    assert not workdir.finished.exists()
    assert train(Run(tiny(steps=last + 2), tiny_folder), workdir) == 0
    assert logged(workdir)[-3:] == [last, last + 1, last + 2]


def test_the_evaluators_stop_is_obeyed(tiny_folder, workdir, scripted, at_step, shown):
    at_step[3] = lambda: workdir.stop.write_text("{}")
    assert train(Run(tiny(steps=100), tiny_folder), workdir) == 0
    assert steps_of(workdir) == [3]
    assert finished(workdir) == {"step": 3, "reason": "the evaluator said stop"}
    assert train(Run(tiny(steps=100), tiny_folder), workdir) == 0
    assert f"To train on, delete {workdir.stop}" in shown()
    assert logged(workdir) == [1, 2, 3]
    workdir.stop.unlink()
    assert train(Run(tiny(steps=5), tiny_folder), workdir) == 0
    assert logged(workdir) == [1, 2, 3, 4, 5]
    assert finished(workdir) == {"step": 5, "reason": "all steps are done"}


def test_a_run_that_is_done_says_so(tiny_folder, workdir, scripted, shown):
    train(Run(tiny(steps=2), tiny_folder), workdir)
    workdir.finished.unlink()
    shown()
    assert train(Run(tiny(steps=2), tiny_folder), workdir) == 0
    assert "training is done: step 2 of 2. To train on, raise training.steps" in shown()
    assert logged(workdir) == [1, 2]
    assert finished(workdir)["step"] == 2  # or a watcher would wait for ever


def test_a_run_that_goes_on_is_not_finished(tiny_folder, workdir, scripted, at_step):
    train(Run(tiny(steps=2), tiny_folder), workdir)
    seen = []
    at_step[3] = lambda: seen.append(workdir.finished.exists())
    train(Run(tiny(steps=4), tiny_folder), workdir)
    assert seen == [False]


def test_checkpoints_come_every_so_many_steps_and_the_latest_stay(tiny_folder, workdir, scripted):
    train(Run(tiny(steps=7, checkpoint_steps=2, keep_checkpoints=3), tiny_folder), workdir)
    assert steps_of(workdir) == [4, 6, 7]


def test_checkpoints_come_every_so_many_minutes(tiny_folder, workdir, scripted):
    train(Run(tiny(steps=4, checkpoint_minutes=1e-9), tiny_folder), workdir)
    assert steps_of(workdir) == [2, 3, 4]


@pytest.mark.parametrize("values", [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_a_loss_that_is_not_finite_stops_training(values, tiny_folder, workdir, scripted):
    scripted[5] = values
    with pytest.raises(UserError) as caught:
        train(Run(tiny(steps=100, checkpoint_steps=3), tiny_folder), workdir)
    message = str(caught.value)
    assert f"not finite at step 5 (loss {values[0]}, gradient {values[1]})" in message
    assert "The checkpoint of step 3 remains." in message
    named = message.split("on the videos ")[1].split(".")[0].split(", ")
    assert named
    assert set(named) <= {"v0", "v1"}
    assert finished(workdir) == {"step": 3, "reason": "the loss is not finite"}
    model, state = checkpoints.resume(workdir.checkpoints)
    assert state.step == 3
    assert int(model.optimizer.iterations) == 3


def test_without_a_checkpoint_the_message_says_so(tiny_folder, workdir, scripted):
    scripted[2] = (float("nan"), 1.0)
    with pytest.raises(UserError, match="No checkpoint was saved"):
        train(Run(tiny(), tiny_folder), workdir)
    assert finished(workdir)["step"] == 0
    assert train(Run(tiny(steps=1, learning_rate=1e-5), tiny_folder), workdir) == 0  # as the message advises


def test_landmarks_that_are_not_finite_are_named_as_data(tmp_path, workdir, scripted, monkeypatch):
    landmarks_of = corpora.landmarks_of
    monkeypatch.setattr(corpora, "landmarks_of", lambda *place: landmarks_of(*place) * np.nan)
    corpora.make_corpus(tmp_path / "corpus", [{"frames": 80}])
    scripted[1] = (float("nan"), 1.0)
    with pytest.raises(UserError, match=r"landmarks must be finite.*the video v0\..*verify .*pack the corpus again"):
        train(Run(tiny(), tmp_path / "corpus"), workdir)
    assert finished(workdir)["reason"] == "the data are not finite"


def test_float16_may_overflow_its_gradient_but_not_its_loss(tiny_folder, workdir, scripted):
    scripted[2] = (1.0, float("inf"))
    assert train(Run(tiny(steps=3, precision="mixed_float16"), tiny_folder), workdir) == 0
    model, _ = checkpoints.resume(workdir.checkpoints)
    assert type(model.optimizer) is keras.optimizers.LossScaleOptimizer  # which keeps its state when it is loaded
    assert int(model.optimizer.iterations) == 3
    scripted[5] = (float("nan"), 1.0)
    with pytest.raises(UserError, match="not finite at step 5"):
        train(Run(tiny(steps=6, precision="mixed_float16"), tiny_folder), workdir)


def test_a_rate_that_is_much_too_high_ends_with_status_2(tiny_folder, workdir, capsys):
    experiment = tiny(steps=50, learning_rate=1e30, loss="mse", clip_norm=0.0)
    experiment = replace(experiment, model=replace(TINY.model, recurrent="none", hidden=()))
    assert exit_status(lambda: train(Run(experiment, tiny_folder), workdir)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: The loss or its gradient is not finite at step ")
    assert "Start in a new --workdir with a lower training.learning_rate, or with training.clip_norm set" in error


# What cannot be trained.


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (tiny(batch_size=0), r"`training\.batch_size` must be at least 1\. Received: 0"),
        (tiny(loss="cc"), r"`training\.loss` must be one of"),
        (tiny(window=31), r"a labelled window of 31 consecutive frames.*at most 30 frames\. Lower `training\.window`"),
        (tiny(window_rule="loose"), r"`training\.window_rule` must be one of"),
        (tiny(max_gap=0), r"`training\.max_gap` must be at least 1"),
        (replace(TINY, model=replace(TINY.model, backbone="vgg")), "`backbone` must be one of"),
        (replace(TINY, model=replace(TINY.model, image_size=64)), "needs crops of 64 pixels. Received: crops of 32"),
    ],
)
def test_settings_that_cannot_be_trained_are_named_and_can_be_corrected(
    experiment, message, tiny_folder, workdir, scripted
):
    with pytest.raises(UserError, match=message):
        train(Run(experiment, tiny_folder), workdir)
    assert train(Run(tiny(steps=1), tiny_folder), workdir) == 0


def test_the_workdir_of_another_run_is_refused(tiny_folder, workdir, scripted):
    train(Run(tiny(steps=1), tiny_folder), workdir)
    before = {path: path.read_bytes() for path in workdir.path.rglob("*.json")}
    with pytest.raises(UserError, match=r"another run: training\.learning_rate is 0\.003 there, not"):
        train(Run(tiny(steps=5, learning_rate=1e-5), tiny_folder), workdir)
    assert {path: path.read_bytes() for path in workdir.path.rglob("*.json")} == before


def test_a_corpus_without_a_train_split_is_refused(tmp_path, workdir):
    make_corpus(tmp_path / "corpus", [{"frames": 10, "split": "test"}])
    with pytest.raises(UserError, match=r"Received: train, which is empty\. The corpus has: test"):
        train(Run(TINY, tmp_path / "corpus"), workdir)
    assert not workdir.path.exists()


def test_a_missing_corpus_is_refused(tmp_path, workdir):
    with pytest.raises(UserError, match="not a packed corpus"):
        train(Run(TINY, tmp_path), workdir)


def test_a_corrupt_record_is_an_error_for_the_user(tmp_path, workdir, scripted):
    packed = make_corpus(tmp_path / "corpus", [{"frames": 12}])
    path = tmp_path / "corpus" / packed.videos[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(
        UserError, match=r"must be as it was packed\. Received: other contents\. `python -m tfrecords_tools verify"
    ):
        train(Run(tiny(steps=20), tmp_path / "corpus"), workdir)


# Learning.


def test_the_loss_falls_where_there_is_something_to_learn(tmp_path, workdir):
    make_corpus(tmp_path / "corpus", [{"frames": 80, "labels": learnable(0, range(1, 81))}])
    experiment = tiny(steps=60, batch_size=4, flip=False, colour_jitter=0.0, learning_rate=1e-2)
    model = replace(TINY.model, hidden=(1000,), dropout=0.0, recurrent="none")
    train(Run(replace(experiment, model=model), tmp_path / "corpus"), workdir)
    losses = [line["loss"] for line in read_lines(workdir.training_log)]
    assert np.mean(losses[-5:]) < 0.4
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])  # which is about 1, as nothing is known yet


@pytest.mark.slow
def test_bfloat16_trains_and_does_not_change_the_policy(tiny_folder, workdir):
    experiment = replace(tiny(steps=3, precision="mixed_bfloat16"), model=replace(TINY.model, recurrent="none"))
    assert train(Run(experiment, tiny_folder), workdir) == 0
    assert all(np.isfinite(line["loss"]) for line in read_lines(workdir.training_log))
    assert keras.config.dtype_policy().name == "float32"
    model, _ = checkpoints.resume(workdir.checkpoints)
    assert model.get_layer("conv1").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}


# The log.


def test_a_logged_loss_is_the_mean_since_the_last_line(tmp_path, shown):
    workdir = Workdir(tmp_path)
    log = TrainingLog(workdir, steps=10, frames_per_step=8, first_step=0)
    for step, loss in enumerate((1.0, 0.5, 0.0, 0.25), start=1):
        log.add(StepOutcome(loss, 1.5))
        if step % 2 == 0:
            log.write(step, 0, plain_model())
    assert [(line["step"], line["loss"]) for line in read_lines(workdir.training_log)] == [(2, 0.75), (4, 0.125)]
    printed = shown().splitlines()
    assert len(printed) == 2
    assert printed[1].startswith("step      4/10  epoch   0  loss 0.1250  gradient   1.500")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (360_000, "100:00:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


# A real process.
