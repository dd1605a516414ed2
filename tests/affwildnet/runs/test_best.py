"""Best checkpoints: held while they are scored, kept if they are the best, found by name."""

import json
import os
from dataclasses import replace

import pytest

from affwildnet.experiments.config import Stage
from affwildnet.runs import best
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError


@pytest.fixture
def workdir(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.checkpoints.mkdir()
    return workdir


def checkpoint(workdir, step):
    path = workdir.checkpoints / f"step-{step:08d}.keras"
    path.write_text(f"weights of {step}")
    return path


def line(step, valence, arousal):
    return {"step": step, "ccc": {"valence": valence, "arousal": arousal, "mean": (valence + arousal) / 2}}


def kept(workdir, step, line, earlier):
    held = best.hold(checkpoint(workdir, step), workdir)
    beaten = best.keep(held, line, earlier, workdir)
    held.unlink()
    return beaten


def contents(workdir):
    return {path.name: path.read_text() for path in workdir.best.iterdir() if path.suffix == ".keras"}


def without_links(monkeypatch):
    def refuse(*_):
        raise OSError("the file system has no hard links")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("links", [True, False])
def test_each_score_has_its_own_best(links, workdir, monkeypatch):
    if not links:
        without_links(monkeypatch)
    lines = [line(1, 0.1, 0.1), line(2, 0.3, -0.4), line(3, 0.2, 0.3), line(4, 0.1, 0.35)]
    beaten = [kept(workdir, scored["step"], scored, lines[:i]) for i, scored in enumerate(lines)]
    assert beaten == [["mean", "valence", "arousal"], ["valence"], ["mean", "arousal"], ["arousal"]]
    assert contents(workdir) == {
        "best_mean.keras": "weights of 3",
        "best_valence.keras": "weights of 2",
        "best_arousal.keras": "weights of 4",
    }
    for name, step in (("mean", 3), ("valence", 2), ("arousal", 4)):
        assert json.loads((workdir.best / f"best_{name}.json").read_text()) == lines[step - 1]


def test_a_tie_leaves_the_earlier_one(workdir):
    first, second = line(1, 0.1, 0.2), line(2, 0.1, 0.2)
    kept(workdir, 1, first, [])
    assert kept(workdir, 2, second, [first]) == []
    assert set(contents(workdir).values()) == {"weights of 1"}


def test_a_skipped_checkpoint_beats_nothing(workdir):
    assert kept(workdir, 2, line(2, -0.5, -0.5), [{"step": 1, "passed_over": "truncated"}]) == list(best.MEASURES)


def test_the_ranking_counts_before_the_ccc(workdir):
    def ranked(step, value):
        return {**line(step, 0.9 - value, 0.9 - value), "ranking": {"mean": value, "valence": value, "arousal": -value}}

    lines = [ranked(1, 0.1), ranked(2, 0.3), line(3, 0.2, 0.2), ranked(4, 0.25)]
    beaten = [kept(workdir, scored["step"], scored, lines[:i]) for i, scored in enumerate(lines)]
    assert beaten == [["mean", "valence", "arousal"], ["mean", "valence"], ["arousal"], []]


def test_expressions_have_one_best_checkpoint(workdir):
    lines = [
        {"step": step, "accuracy": {"total": value}, "ranking": {"mean": value}} for step, value in ((1, 0.2), (2, 0.4))
    ]
    assert [kept(workdir, scored["step"], scored, lines[:i]) for i, scored in enumerate(lines)] == [["mean"], ["mean"]]
    assert contents(workdir) == {"best_mean.keras": "weights of 2"}


@pytest.mark.parametrize("links", [True, False])
def test_a_held_checkpoint_outlives_the_trainers_clean_up(links, workdir, monkeypatch):
    if not links:
        without_links(monkeypatch)
    path = checkpoint(workdir, 7)
    held = best.hold(path, workdir)
    path.unlink()
    assert held.read_text() == "weights of 7"
    best.keep(held, line(7, 0.1, 0.1), [], workdir)
    assert held.read_text() == "weights of 7"  # until it is noted
    assert contents(workdir)["best_mean.keras"] == "weights of 7"


def test_a_deleted_checkpoint_cannot_be_held(workdir):
    with pytest.raises(FileNotFoundError):
        best.hold(workdir.checkpoints / "step-00000001.keras", workdir)


def test_checkpoints_held_by_a_killed_watcher_are_found(workdir):
    held = best.hold(checkpoint(workdir, 1), workdir)
    kept(workdir, 2, line(2, 0.1, 0.1), [])
    assert best.held(workdir) == [held]
    assert best.step_of(held) == 1
    assert best.hold(held, workdir) == held  # to be scored again, though the trainer has deleted it


def test_the_same_checkpoint_twice_leaves_nothing_behind(workdir):
    # Killed after keeping it, before noting it: the next watcher keeps it again.
    path = checkpoint(workdir, 1)
    for _ in range(2):
        held = best.hold(path, workdir)
        best.keep(held, line(1, 0.1, 0.1), [], workdir)
    held.unlink()
    assert sorted(path.name for path in workdir.best.iterdir()) == [
        f"best_{name}.{kind}" for name in ("arousal", "mean", "valence") for kind in ("json", "keras")
    ]


def test_checkpoints_are_found_by_name(workdir, tmp_path):
    for step in (3, 100_000_000, 20):
        newest = checkpoint(workdir, step)
        kept(workdir, step, line(step, step, -step), [])
    assert best.find(workdir, "latest") == workdir.checkpoints / "step-100000000.keras"
    assert best.find(workdir, "best_arousal") == workdir.best / "best_arousal.keras"
    assert best.find(workdir, str(newest)) == newest


@pytest.mark.parametrize("name", ["best_mean", "best_valence", "best_arousal"])
def test_a_missing_best_checkpoint_names_the_command_that_chooses_it(name, workdir):
    with pytest.raises(UserError, match=f"Received: {name}, which is not there yet: `evaluate.py --watch` chooses it"):
        best.find(workdir, name)


@pytest.mark.parametrize("name", ["best_man", "step-1.keras", "/nowhere/x.keras", "", "."])
def test_an_unknown_name_is_refused_with_the_rule(name, workdir):
    with pytest.raises(UserError, match=r"must be one of best_mean, best_valence, best_arousal, latest, or a \.keras"):
        best.find(workdir, name)


def test_without_a_checkpoint_the_message_says_what_to_do(workdir):
    with pytest.raises(UserError, match=r"no checkpoint yet\. Run train\.py"):
        best.find(workdir, "latest")


def test_the_file_of_a_run_in_stages_is_that_of_its_last_stage_with_a_checkpoint(tmp_path):
    stages = tuple(Stage(name, ("*",), (), 1e-3) for name in ("first", "second", "third"))
    workdir = Workdir(tmp_path / "run")
    workdir.start(Run(replace(TINY, training=replace(TINY.training, stages=stages)), tmp_path))
    with pytest.raises(UserError, match="no checkpoint yet"):
        best.model_file(workdir.path)
    for name in ("first", "second"):
        own = workdir.of_stage(name)
        own.checkpoints.mkdir(parents=True)
        latest = checkpoint(own, 7)
        assert best.model_file(workdir.path) == latest


@pytest.mark.parametrize(
    ("name", "what"),
    [("vgg_face.mat", "another file; `python -m affwildnet.weights import`"), ("none.keras", "which is not there")],
)
def test_a_network_is_a_keras_file_or_a_run(name, what, tmp_path):
    (tmp_path / "vgg_face.mat").write_bytes(b"MATLAB")
    with pytest.raises(UserError, match=f"`model` must be a .keras file.*Received: .*{name}, {what}"):
        best.model_file(tmp_path / name)
