"""On a GPU the loop never waits for the newest step: its outcome is read when the next one has been given to it."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.experiments import overrides
from affwildnet.experiments.config import TrainingConfig
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import compilation, loop, train
from affwildnet.training.gpu_input import copied_ahead
from affwildnet.training.step import StepOutcome, TrainStep, make_optimizer
from tests.affwildnet.training.test_training_step import CONFIG, batches, linear_model
from tests.helpers.trainings import TINY, finished, plain_model, steps_of, tiny
from tfrecords_tools.errors import UserError

TIMED = ("frames_per_second",)


@pytest.fixture
def with_gpu(monkeypatch):
    """Let the loop take the CPU for a GPU; return a function that lets it take the CPU for what it is."""
    copied = loop.copied_ahead
    monkeypatch.setattr(loop, "has_gpu", lambda: True)
    monkeypatch.setattr(loop, "copied_ahead", lambda batches, names, _: copied(batches, names, "CPU:0"))
    return lambda: monkeypatch.setattr(loop, "has_gpu", lambda: False)


@pytest.fixture
def reads(monkeypatch):
    """Replace network and step by quick ones; return (step, steps given until its outcome was read) of each step."""
    found = []

    class Step:
        inputs = ("frames", "labels", "mask")
        script: ClassVar[dict] = {}

        def __init__(self, model, config, strategy, held=(), network=None):
            self.model = model

        def __call__(self, batch):
            self.model.optimizer.iterations.assign_add(1)
            number = int(self.model.optimizer.iterations)

            def read():
                found.append((number, int(self.model.optimizer.iterations)))
                return StepOutcome(*self.script.get(number, (1 / number, 1.0)))

            return read

    monkeypatch.setattr(loop.training_step, "TrainStep", Step)
    monkeypatch.setattr(models, "build", lambda config, window=80: plain_model(compiled=False))
    return SimpleNamespace(found=found, script=Step.script)


def test_only_the_first_step_and_one_before_a_checkpoint_are_waited_for(tiny_folder, tmp_path, with_gpu, reads):
    assert train(Run(tiny(steps=9, checkpoint_steps=4), tiny_folder), Workdir(tmp_path / "run")) == 0
    assert reads.found == [(1, 1), (2, 3), (3, 4), (4, 4), (5, 6), (6, 7), (7, 8), (8, 8), (9, 9)]


def test_the_log_is_that_of_a_loop_that_waits(tiny_folder, tmp_path, with_gpu, reads):
    late, waiting = Workdir(tmp_path / "late"), Workdir(tmp_path / "waiting")
    train(Run(tiny(steps=7, log_steps=3), tiny_folder), late)
    with_gpu()
    train(Run(tiny(steps=7, log_steps=3), tiny_folder), waiting)
    assert [number == given for number, given in reads.found[7:]] == [True] * 7  # or this would compare it with itself
    lines = [
        [{name: value for name, value in line.items() if name not in TIMED} for line in read_lines(each.training_log)]
        for each in (late, waiting)
    ]
    assert [line["step"] for line in lines[0]] == [1, 3, 6, 7]
    assert lines[0] == lines[1]
    assert steps_of(late) == steps_of(waiting)
    states = [checkpoints.resume(each.checkpoints)[1] for each in (late, waiting)]
    assert states[0] == states[1]


def test_a_loss_that_is_not_finite_is_of_its_own_step_and_in_no_checkpoint(tiny_folder, tmp_path, with_gpu, reads):
    workdir = Workdir(tmp_path / "run")
    reads.script[4] = (float("nan"), 1.0)
    with pytest.raises(UserError, match=r"not finite at step 4 .*The checkpoint of step 2 remains"):
        train(Run(tiny(steps=100, checkpoint_steps=2), tiny_folder), workdir)
    assert steps_of(workdir) == [2]
    assert finished(workdir) == {"step": 2, "reason": "the loss is not finite"}
    workdir = Workdir(tmp_path / "another")
    with pytest.raises(UserError, match=r"not finite at step 4 .*The checkpoint of step 3 remains"):
        train(Run(tiny(steps=100, checkpoint_steps=3), tiny_folder), workdir)
    assert reads.found[-2:] == [(3, 3), (4, 5)]  # when the step after it had been given


def test_a_step_converts_nothing_until_its_outcome_is_read(monkeypatch):
    model = linear_model(CONFIG)
    step = TrainStep(model, CONFIG, tf.distribute.get_strategy())
    batch = {name: tf.constant(value) for name, value in next(batches()).items()}
    step(batch)  # compiles

    def refuse(self):
        raise AssertionError("the host waits")

    base = next(kind for kind in type(tf.constant(0)).__mro__ if "numpy" in vars(kind))
    with monkeypatch.context() as patch:
        for name in ("numpy", "__array__", "__float__"):
            patch.setattr(base, name, refuse)
        with pytest.raises(AssertionError, match="the host waits"):
            float(tf.constant(0.0))
        read = step(batch)
    assert np.isfinite(read().loss)


def test_batches_are_copied_one_ahead_and_in_order():
    taken = []

    def source():
        for number in range(4):
            taken.append(number)
            yield {"frames": tf.fill([2], number), "epoch": tf.fill([1], 10 * number)}

    given = copied_ahead(source(), ("frames",), "CPU:0")
    for number in range(4):
        batch = next(given)
        assert batch["frames"].numpy().tolist() == [number] * 2
        assert batch["epoch"].numpy().tolist() == [10 * number]
        assert taken == list(range(min(number + 2, 4)))
    assert not list(given)
    assert not list(copied_ahead([], ("frames",), "CPU:0"))


def network(*cells):
    entrance = x = keras.Input((4, 3))
    for cell in cells:
        x = cell(x)
    return keras.Model(entrance, x)


def gru(reset_after):
    return keras.layers.GRU(2, return_sequences=True, reset_after=reset_after, name=f"gru_{reset_after}")


@pytest.mark.parametrize(
    ("choice", "cells", "devices", "gpus", "wanted"),
    [
        ("auto", (), 1, 1, True),
        ("auto", (gru(False),), 1, 1, True),
        ("auto", (gru(True),), 1, 1, True),
        ("false", (gru(True),), 1, 1, False),  # cuDNN's
        ("auto", (), 2, 2, False),
        ("auto", (), 1, 0, False),
        ("true", (gru(True),), 1, 0, True),
        ("false", (), 1, 1, False),
    ],
)
def test_xla_compiles_the_step_on_one_gpu(choice, cells, devices, gpus, wanted, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU"] * gpus)
    model = network(*cells)
    assert compilation.uses_xla(choice, devices) == wanted
    line = compilation.summary(choice, model, devices)
    assert line.startswith("XLA compiles" if wanted else "XLA does not compile")
    assert f"training.jit_compile={choice}" in line
    cudnn = cells != () and cells[0].reset_after
    assert ("cuDNN runs gru_True" in line) == (cudnn and not wanted)
    assert ("gru_True, which cuDNN runs in evaluation" in line) == (cudnn and wanted)
    assert ("model.reset_after=true" in line) == (cells != () and not cells[0].reset_after)


@pytest.mark.parametrize(("choice", "use_cudnn"), [("true", False), ("false", "auto")])
def test_a_step_that_xla_compiles_has_no_kernel_of_cudnn(choice, use_cudnn):
    """XLA refuses a graph with one: "unsupported operations ... CudnnRNNV3"."""
    layer = gru(True)
    model = network(layer)
    config = replace(TINY.training, jit_compile=choice)
    model.compile(optimizer=make_optimizer(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    TrainStep(model, config, tf.distribute.get_strategy())
    assert layer.use_cudnn == use_cudnn


@pytest.mark.slow
def test_a_step_that_xla_compiles_computes_the_same():
    """With batch normalisation, landmarks and GRU layers, clipping, a penalty and Adam."""
    rng = np.random.default_rng(0)
    batch = {
        "frames": rng.integers(0, 256, (2, 4, 32, 32, 3), np.uint8),
        "landmarks": rng.random((2, 4, 68, 2), np.float32),
        "labels": rng.uniform(-1, 1, (2, 4, 2)).astype(np.float32),
        "mask": np.ones((2, 4), np.float32),
    }
    found = {}
    for choice in ("true", "false"):
        keras.utils.set_random_seed(0)
        config = replace(TINY.training, jit_compile=choice, l2=1e-3)
        model = models.build(replace(TINY.model, width=0.01, hidden=(20,), recurrent_units=(8, 6), dropout=0.0,
                                     recurrent_dropout=0.0))  # fmt: skip
        model.compile(optimizer=make_optimizer(config), auto_scale_loss=False)
        model.optimizer.build(model.trainable_variables)
        step = TrainStep(model, config, tf.distribute.get_strategy())
        outcomes = [step({name: tf.constant(value) for name, value in batch.items()})() for _ in range(3)]
        found[choice] = [each[:2] for each in outcomes], model.get_weights()
    np.testing.assert_allclose(found["true"][0], found["false"][0], rtol=1e-3)
    for one, other in zip(found["true"][1], found["false"][1], strict=True):
        np.testing.assert_allclose(one, other, atol=3 * TINY.training.learning_rate * 0.05)


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    """There `training.jit_compile` was a bool; and how a step is compiled makes no other run."""
    run = Run(TINY, tmp_path)
    stored = json.loads(json.dumps(run.to_json()))
    stored["experiment"]["training"]["jit_compile"] = False
    before = Run.from_json(stored)
    assert before.experiment.training.jit_compile == "false"
    assert run.experiment.training.jit_compile == TrainingConfig().jit_compile == "auto"
    assert before.differences(run) == []
    assert overrides.override(TINY, ["training.jit_compile=true"]).training.jit_compile == "true"
