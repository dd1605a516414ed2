"""Stages: what each of them freezes and starts from, their order, and how they go on after a stop."""

import json
import os
import signal
from dataclasses import replace
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.data import Corpus
from affwildnet.experiments import get
from affwildnet.experiments.config import Stage
from affwildnet.experiments.overrides import from_json, override, to_json
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, stages, train
from affwildnet.training import step as training_step
from affwildnet.training.freezing import held_weights
from affwildnet.training.start import begin
from affwildnet.training.step import StepOutcome
from tests.helpers.networks import numpy
from tests.helpers.small_network import SMALL, build_small, quick_batches, same, save_with_weights_of_its_own, weights
from tests.helpers.trainings import TINY, finished, logged, steps_of
from tfrecords_tools.errors import UserError

HEAD = ("fc*", "valence_arousal")
FROM_INIT = (("*", "init"), ("fc*", "random"), ("valence_arousal", "random"))
C0 = Stage("c0", HEAD, FROM_INIT, learning_rate=0.01)
C2 = Stage("c2", ("*",), FROM_INIT, learning_rate=0.02, steps=2)
C3 = Stage("c3", ("*",), (("*", "c2"), ("conv*", "init"), ("standardise_landmarks", "init")), learning_rate=0.03)
CNN_LAYERS = ("conv1", "conv1_bn", "conv2", "conv2_bn")
HEAD_LAYERS = ("fc1", "fc2", "valence_arousal")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The file that the stages start from, and the network in it."""
    path = tmp_path_factory.mktemp("given") / "init.keras"
    return path, save_with_weights_of_its_own(build_small(replace(TINY.model, **SMALL)), path)


@pytest.fixture
def staged(given):
    training = replace(TINY.training, init=str(given[0]), stages=(C0, C2, C3), steps=3, seed=5)
    return replace(TINY, model=replace(TINY.model, **SMALL), training=training)


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "workdir")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(models, "build", build_small)


class QuickStep:
    """Adds 1 to every weight that is trained, and remembers the weights that each training started with."""

    events: ClassVar[dict] = {}
    began: ClassVar[list] = []

    def __init__(self, model, config, strategy, held=(), network=None):
        self.model, self.rate, self.steps = model, config.learning_rate, 0
        self.began.append((self.rate, {layer.name: weights(model, layer.name) for layer in model.layers}))

    def __call__(self, batch):
        self.steps += 1
        for variable in self.model.trainable_variables:
            variable.assign_add(np.ones(variable.shape))
        self.events.pop((self.rate, self.steps), lambda: None)()
        return lambda: StepOutcome(1.0, 1.0)


@pytest.fixture
def quick(monkeypatch, small):
    """Train the small network with quick steps; `quick.events[learning rate, step]` is called in that step."""
    monkeypatch.setattr(loop, "training_batches", quick_batches)
    monkeypatch.setattr(loop.training_step, "TrainStep", QuickStep)
    monkeypatch.setattr(QuickStep, "events", {})
    monkeypatch.setattr(QuickStep, "began", [])
    return QuickStep


def last(workdir):
    return checkpoints.resume(workdir.checkpoints)[0]


def with_stages(experiment, *changed):
    return replace(experiment, training=replace(experiment.training, stages=changed))


# What a stage freezes, starts from, and leaves.


def test_stages_run_in_order_each_in_a_working_directory_of_its_own(staged, given, tiny_folder, workdir, quick, shown):
    assert train(Run(staged, tiny_folder), workdir) == 0
    assert [rate for rate, _ in quick.began] == [0.01, 0.02, 0.03]
    random = begun(staged, C0, tiny_folder)  # the seed's
    for stage, steps in ((C0, 3), (C2, 2), (C3, 3)):
        own = workdir.of_stage(stage.name)
        run = own.open()
        experiment = run.experiment
        assert run == Run(staged, tiny_folder.resolve()).of_stage(stage)
        assert run.stage == stage
        assert (experiment.training.steps, experiment.training.learning_rate) == (steps, stage.learning_rate)
        assert experiment.training.stages == ()
        assert finished(own) == {"step": steps, "reason": "all steps are done"}
        assert steps_of(own) == [steps]
        assert float(last(own).optimizer.learning_rate) == pytest.approx(stage.learning_rate)
    assert workdir.open().experiment == staged
    assert finished(workdir)["reason"] == "all stages are done"
    assert not (workdir.path / "checkpoints").exists()

    _, source = given
    _, (c0, c2, c3) = zip(*quick.began, strict=True)
    for name in (*CNN_LAYERS, "standardise_landmarks"):
        assert same(c0[name], weights(source, name))
        assert same(c2[name], weights(source, name))
        assert same(c3[name], weights(source, name))
    for name in HEAD_LAYERS:
        assert same(c0[name], weights(random, name))
        assert same(c2[name], weights(random, name))
        assert same(c3[name], weights(last(workdir.of_stage("c2")), name))
        assert not same(c3[name], c2[name])
    end = last(workdir.of_stage("c0"))
    assert same(weights(end, *CNN_LAYERS), weights(source, *CNN_LAYERS))
    for mine, before in zip(weights(end, *HEAD_LAYERS), weights(random, *HEAD_LAYERS), strict=True):
        np.testing.assert_allclose(mine, before + 3, rtol=1e-6)

    printed = shown()
    assert "trained: fc1, fc2, valence_arousal; frozen: " in printed
    latest = workdir.of_stage("c2").checkpoints / "step-00000002.keras"
    assert f"from the latest checkpoint of c2, as no evaluator has chosen a best, {latest}: fc1, fc2, " in printed


def begun(experiment, stage, corpus, earlier=None):
    """The network with which a stage begins."""
    keras.utils.set_random_seed(experiment.training.seed)
    model = build_small(experiment.model)
    begin(model, Run(experiment, corpus).of_stage(stage), Corpus.open(corpus, "train"), earlier)
    return model


def inputs():
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (2, 3, 32, 32, 3)).astype(np.uint8)
    return {"frames": frames, "landmarks": rng.random((2, 3, 68, 2), np.float32)}


def test_frozen_batch_normalisation_is_in_inference_mode(staged, tiny_folder):
    without_dropout = replace(staged, model=replace(staged.model, dropout=0.0))
    frozen, free = (begun(without_dropout, stage, tiny_folder) for stage in (C0, C2))
    before = weights(frozen)
    assert same(before, weights(free))
    predictions = numpy(frozen(inputs(), training=False))
    np.testing.assert_array_equal(numpy(frozen(inputs(), training=True)), predictions)
    assert same(weights(frozen), before)
    assert np.abs(numpy(free(inputs(), training=True)) - predictions).max() > 1e-3
    assert not same(weights(free, "conv1_bn"), weights(frozen, "conv1_bn"))
    assert same(weights(free, "conv1"), weights(frozen, "conv1"))


def test_frozen_batch_normalisation_may_take_the_batchs_statistics(staged, tiny_folder):
    """As TF-Slim's with `is_training`: the batch's moments normalise and move the statistics; its weights stay."""
    stage = replace(C0, frozen_normalisation="training")
    without_dropout = replace(staged, model=replace(staged.model, dropout=0.0))
    frozen, free = (begun(without_dropout, each, tiny_folder) for each in (stage, C2))
    moved = numpy(frozen(inputs(), training=True))
    np.testing.assert_allclose(moved, numpy(free(inputs(), training=True)), rtol=1e-6)
    assert same(weights(frozen, "conv1_bn"), weights(free, "conv1_bn"))  # the moving statistics moved alike
    held = held_weights(frozen, stage)
    assert [weight.name for weight in held] == ["gamma", "beta"] * 2
    assert held_weights(begun(staged, C0, tiny_folder), C0) == held_weights(free, None) == []

    frozen.compile(optimizer=training_step.make_optimizer(staged.training), auto_scale_loss=False)
    frozen.optimizer.build(frozen.trainable_variables)
    update = training_step.TrainStep(frozen, staged.training, tf.distribute.get_strategy(), held)
    before = {name: weights(frozen, name) for name in (*CNN_LAYERS, *HEAD_LAYERS)}
    rng = np.random.default_rng(0)
    labels = {"labels": rng.uniform(-1, 1, (2, 3, 2)).astype("float32"), "mask": np.ones((2, 3), "float32")}
    for _ in range(3):
        update({name: tf.constant(value) for name, value in {**inputs(), **labels}.items()})
    for name in ("conv1", "conv2"):
        assert same(weights(frozen, name), before[name])
    for name in ("conv1_bn", "conv2_bn"):
        gamma, beta, *statistics = weights(frozen, name)
        assert same([gamma, beta], before[name][:2])
        assert not same(statistics, before[name][2:])
    for name in HEAD_LAYERS:
        assert not same(weights(frozen, name), before[name]), name


def test_a_fusion_of_decisions_is_not_trained(tiny_folder, workdir):
    with pytest.raises(UserError, match=r"not trained: its members are.*Received: omg2019/decision_fusion\..*--fuse="):
        train(Run(get("omg2019/decision_fusion"), tiny_folder), workdir)
    assert not workdir.path.exists()


def test_dropout_stays_where_its_layers_neighbours_are_frozen(staged, tiny_folder):
    model = begun(staged, replace(C0, trainable=("valence_arousal",)), tiny_folder)
    one, other = (numpy(model(inputs(), training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 0


@pytest.mark.slow
def test_training_for_real_changes_what_is_trained_and_nothing_else(staged, given, tiny_folder, workdir, small):
    assert train(Run(staged, tiny_folder), workdir, stage="c0") == 0
    model, start = last(workdir.of_stage("c0")), begun(staged, C0, tiny_folder)
    assert same(weights(model, *CNN_LAYERS), weights(given[1], *CNN_LAYERS))
    for name in HEAD_LAYERS:
        for mine, before in zip(weights(model, name), weights(start, name), strict=True):
            assert np.abs(mine - before).max() > 1e-3, name
    # The checkpoint is of a network with these layers frozen, and an optimizer of the others alone.
    assert [layer.name for layer in model.layers if layer.trainable_variables] == list(HEAD_LAYERS)
    assert not model.get_layer("conv1_bn").trainable
    assert len(model.optimizer.variables) == 2 + 2 * 6  # count and rate; two moments of each kernel and bias


def test_an_evaluators_best_is_what_a_later_stage_starts_from(staged, given, tiny_folder, workdir, quick, shown):
    train(Run(staged, tiny_folder), workdir, stage="c2")
    own = workdir.of_stage("c2")
    best = last(own)
    best.get_layer("fc1").kernel.assign(numpy(best.get_layer("fc1").kernel) - 7)
    own.best.mkdir()
    best.save(own.best / "best_mean.keras")
    write_json(own.best / "best_mean.json", {"step": 1})
    train(Run(staged, tiny_folder), workdir, stage="c3")
    c3 = quick.began[-1][1]
    assert same([array for name in HEAD_LAYERS for array in c3[name]], weights(best, *HEAD_LAYERS))
    assert not same(c3["fc1"], weights(last(own), "fc1"))
    assert same(c3["conv2_bn"], weights(given[1], "conv2_bn"))
    printed = shown()
    assert (
        f"from the best checkpoint of c2, step 1, {own.best / 'best_mean.keras'}: fc1, fc2, valence_arousal" in printed
    )
    assert finished(workdir)["reason"] == "stage c3 is done"
    assert not workdir.of_stage("c0").begun


def test_the_last_pair_that_matches_a_layer_wins(staged, given, tiny_folder):
    stage = replace(C0, starts=(("fc1", "random"), ("*", "init"), ("fc2", "random")))
    model = begun(staged, stage, tiny_folder)
    assert same(weights(model, "fc1"), weights(given[1], "fc1"))
    assert not same(weights(model, "fc2"), weights(given[1], "fc2"))


def test_skipped_layers_of_the_file_are_random_in_stages_too(staged, given, tiny_folder):
    skipping = replace(staged, training=replace(staged.training, init_skip=("conv2",)))
    model = begun(skipping, C0, tiny_folder)
    assert not same(weights(model, "conv2"), weights(given[1], "conv2"))
    assert same(weights(model, "conv1"), weights(given[1], "conv1"))


def test_a_stage_survives_being_written_to_json(staged):
    assert from_json(json.loads(json.dumps(to_json(staged)))) == staged


# Going on.


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


# What does not fit.


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trainable": ("gru*",)}, r"Stage c0: `trainable` must match layers.*Received: gru\*\. The nearest layers: "),
        ({"trainable": ()}, r"Stage c0: `trainable` must name layers"),
        ({"trainable": ("features",)}, r"Stage c0: `trainable` must match layers with weights\. Received: features"),
        ({"starts": (*FROM_INIT, ("cnv2", "init"))}, r"Stage c0: `starts` must.*cnv2\. The nearest layers: conv2, "),
        ({"starts": FROM_INIT[1:]}, r"Stage c0: `starts` must match every layer .*: conv1, conv1_bn, conv2, "),
        ({"starts": (("*", "c2"),)}, r"`starts of stage c0` must be one of random, init\. Received: c2"),
        ({"starts": (("*", "c0"),)}, r"`starts of stage c0` must be one of random, init\. Received: c0"),
        (
            {"starts": (*FROM_INIT, ("conv2*", "random"))},
            r"c0: `starts` must take the whole backbone .* for 2 of its 4 layers; not matched are conv2, conv2_bn",
        ),
        ({"frozen_normalisation": "off"}, r"`stages\.c0\.frozen_normalisation` must be one of inference, training"),
        ({"learning_rate": 0.0}, r"`training\.learning_rate` must be above 0"),
        ({"steps": -1}, r"`training\.steps` must be at least 1"),
        ({"name": "init"}, r"A stage's name must .* Received: 'init'"),
        ({"name": "c3"}, r"A stage's name must .* Received: 'c3'"),
        ({"name": "../c0"}, r"A stage's name must "),
    ],
)
def test_a_stage_that_does_not_fit_is_found_beforehand(changed, message, staged, tiny_folder, workdir, small):
    with pytest.raises(UserError, match=message) as caught:
        train(Run(with_stages(staged, replace(C0, **changed), C2, C3), tiny_folder), workdir)
    assert "\n" not in str(caught.value)
    assert not workdir.path.exists()


def test_layers_without_trainable_weights_are_refused(staged, tiny_folder):
    with pytest.raises(UserError, match=r"must match layers that can be trained.*standardise_landmarks"):
        begun(staged, replace(C0, trainable=("standardise_*",)), tiny_folder)


def test_the_weights_that_the_paper_starts_from_are_asked_for(staged, tiny_folder, workdir, small):
    none = replace(staged, training=replace(staged.training, init="", pretrained="VGG-Face"))
    with pytest.raises(UserError, match=r"c0 starts from the weights of a file; the paper's are VGG-Face\..*--set"):
        train(Run(none, tiny_folder), workdir)
    with pytest.raises(UserError, match=r"must be a \.keras file\. Received: no\.keras, which is not there"):
        train(Run(replace(none, training=replace(none.training, init="no.keras")), tiny_folder), workdir)
    assert not workdir.path.exists()


def test_a_stage_cannot_start_from_one_that_was_not_run(staged, tiny_folder, workdir, quick):
    with pytest.raises(UserError, match=r"c2: stage c2, .*has no checkpoint\. Train it first, with --stage=c2"):
        train(Run(staged, tiny_folder), workdir, stage="c3")


def test_a_stage_may_start_from_an_unfinished_one(staged, workdir, shown):
    folder = workdir.of_stage("c2").checkpoints
    folder.mkdir(parents=True)
    checkpoints.path_of(folder, 4).touch()
    assert stages._checkpoint_of(workdir, "c2").path == checkpoints.path_of(folder, 4)
    assert "stage c2 has not finished; the next one starts from what it has so far" in shown()


def test_an_unknown_stage_is_refused(staged, tiny_folder, workdir, small):
    with pytest.raises(UserError, match=r"`stage` must be one of c0, c2, c3\. Received: c1\."):
        train(Run(staged, tiny_folder), workdir, stage="c1")
    with pytest.raises(UserError, match=r"needs an experiment with stages\. Received: c1; tests/tiny has none"):
        train(Run(TINY, tiny_folder), workdir, stage="c1")


def test_a_stage_that_was_changed_is_refused(staged, tiny_folder, workdir, quick):
    train(Run(staged, tiny_folder), workdir, stage="c2")
    with pytest.raises(UserError, match=r"c2: belongs to another.*stage's trainable is \('\*',\) there, not \('fc"):
        train(Run(with_stages(staged, C0, replace(C2, trainable=HEAD), C3), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"training\.learning_rate is 0\.02 there, not 1\.0"):
        train(Run(with_stages(staged, C0, replace(C2, learning_rate=1.0), C3), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"training\.stages is c0, c2, c3 there, not empty"):
        train(Run(with_stages(staged), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"it holds the stage c2, this run no stage"):
        train(replace(Run(staged, tiny_folder).of_stage(C2), stage=None), workdir.of_stage("c2"))
    assert train(Run(with_stages(staged, C0, replace(C2, steps=3), C3), tiny_folder), workdir, stage="c2") == 0
