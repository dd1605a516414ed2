"""Runs fused at decision level, against the weighted mean of the predictions that they wrote."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation import fused_run
from affwildnet.evaluation.selection import Choices
from affwildnet.evaluation.trained import Trained
from affwildnet.experiments import EXPERIMENTS
from affwildnet.runs import card, checkpoints
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.workdir import Workdir
from tests.helpers.evaluations import by_definition
from tests.helpers.trainings import TINY, add_checkpoint, started, tiny_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest

LATEST = Choices(checkpoint="latest")


def member(path, folder, seed, experiment=TINY, upside_down=False):
    """A working directory with a network whose validation CCC is above 0, or below it."""
    workdir = started(path, folder, experiment)
    saved, model = add_checkpoint(workdir, seed, experiment=experiment)
    predictions = Trained(workdir, LATEST).predictions("validation").videos
    labels, values = (np.concatenate([getattr(video, name)[video.labelled] for video in predictions]) for name in (
        "labels", "predictions"))  # fmt: skip
    # The output layer is turned so that predictions go with the labels, or against them.
    kernel, bias = model.get_layer("valence_arousal").get_weights()
    signs = np.sign([np.cov(x, y)[0, 1] for x, y in zip(labels.T, values.T, strict=True)])
    signs = -signs if upside_down else signs
    model.get_layer("valence_arousal").set_weights([kernel * signs, bias * signs])
    card, state = Card.of(manifest.load(folder), experiment.name), TrainingState(checkpoints.step_of(saved), 0, 0, 0)
    checkpoints.save(model, state, saved.parent, 1, card)
    return workdir


@pytest.fixture(scope="module")
def members(tiny_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("members")
    return [member(root / str(seed), tiny_folder, seed) for seed in (1, 2)]


def pooled(evaluation):
    parts = [(video.labels[video.labelled], video.predictions[video.labelled]) for video in evaluation.videos]
    return (np.concatenate(part) for part in zip(*parts, strict=True))


@pytest.mark.slow
def test_the_fused_network_is_the_mean_weighted_by_validation_ccc(members, tiny_folder, tmp_path):
    into = Workdir(tmp_path / "fused")
    fused_run.fuse([each.path for each in members], into, LATEST)
    weights, values = [], []
    for each in members:
        trained = Trained(each, LATEST)
        labels, predictions = pooled(trained.predictions("validation"))
        ccc = by_definition(labels, predictions)["ccc"]
        weights.append([ccc["valence"], ccc["arousal"]])
        values.append(next(iter(trained.predictions("test").videos)).predictions)
    assert np.ptp(weights) > 0.01
    expected = sum(w * x for w, x in zip(np.float64(weights), values, strict=True)) / np.sum(weights, axis=0)
    fused = Trained(into, Choices(split="test"))
    assert fused.checkpoint.name == "best_mean.keras"
    np.testing.assert_allclose(next(iter(fused.predictions("test").videos)).predictions, expected, atol=1e-5)
    stored = json.loads((into.best / "best_mean.json").read_text())["fused"]
    np.testing.assert_allclose([list(each["validation_ccc"].values()) for each in stored], weights, atol=1e-5)


@pytest.mark.slow
def test_the_fused_network_has_a_working_directory_of_its_own(members, tmp_path):
    into = Workdir(tmp_path / "fused")
    for _ in range(2):  # again over an earlier one
        fused_run.fuse([each.path for each in members], into, LATEST)
    experiment = into.open().experiment
    assert experiment.model.members == (TINY.model, TINY.model)
    assert experiment.evaluation == TINY.evaluation
    own = card.read(into.best / "best_mean.keras")
    assert own.image_size == 32
    assert len(own.provenance["fused"]) == 2
    assert isinstance(keras.saving.load_model(into.best / "best_mean.keras"), keras.Model)


def test_the_fusion_of_a_papers_networks_is_the_papers(tmp_path):
    published = EXPERIMENTS["omg2019/decision_fusion"]
    parts = [EXPERIMENTS[f"omg2019/{name}"] for name in ("cnn_1rnn", "cnn_3rnn")]

    class Known:
        def __init__(self, experiment):
            self.experiment = experiment

    members = [fused_run.Member(Known(part), np.ones(2)) for part in parts]
    assert fused_run._experiment(members) == published
    assert fused_run._experiment(members[::-1]).published == ()


def test_too_few_runs_or_a_trained_workdir_are_refused(members, tiny_folder, tmp_path):
    into = Workdir(tmp_path / "fused")
    with pytest.raises(UserError, match=r"at least two working directories. Received: 1"):
        fused_run.fuse([members[0].path], into, LATEST)
    with pytest.raises(UserError, match="must be a new one"):
        fused_run.fuse([each.path for each in members], members[0], LATEST)
    assert not into.begun


@pytest.mark.slow
def test_networks_that_do_not_fit_together_are_refused(members, tiny_folder, tmp_path):
    into = Workdir(tmp_path / "fused")
    worse = member(tmp_path / "worse", tiny_folder, 3, upside_down=True)
    with pytest.raises(UserError, match=r"worse.*validation CCC above 0.*Leave it out"):
        fused_run.fuse([members[0].path, worse.path], into, LATEST)
    other = member(tmp_path / "other", tiny_folder, 4, replace(TINY, protocol="folds"))
    with pytest.raises(UserError, match=r"for one protocol. Received: folds, frames"):
        fused_run.fuse([members[0].path, other.path], into, LATEST)
    elsewhere = member(tmp_path / "elsewhere", tiny_corpus(tmp_path / "corpus"), 5)
    with pytest.raises(UserError, match="on one corpus"):
        fused_run.fuse([members[0].path, elsewhere.path], into, LATEST)
    assert not into.begun


def test_corpora_are_opened_for_the_network(members, tiny_folder):
    trained = Trained(members[0], LATEST)
    assert trained.corpus("test").videos == Corpus.open(tiny_folder, "test", 32).videos
