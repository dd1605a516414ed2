"""Stages: what each of them freezes and starts from, and their order."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.overrides import from_json, to_json
from affwildnet.runs.json_files import write_json
from affwildnet.runs.run import Run
from affwildnet.training import step as training_step
from affwildnet.training import train
from affwildnet.training.freezing import held_weights
from tests.helpers.networks import numpy
from tests.helpers.small_network import same, weights
from tests.helpers.staged import (
    C0,
    C2,
    C3,
    CNN_LAYERS,
    HEAD_LAYERS,
    begun,
    last,
)
from tests.helpers.trainings import finished, steps_of


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
