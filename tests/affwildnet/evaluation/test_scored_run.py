"""Scoring a run: with settings, against another run on the same frames, and the folds of a cross-validation."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.commands import evaluate_command
from affwildnet.evaluation import scored_run
from affwildnet.evaluation.reporting import plots, score_tables
from affwildnet.evaluation.selection import Choices
from affwildnet.evaluation.trained import Trained
from affwildnet.runs.folds import Fold
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tests.helpers.corpora import make_corpus
from tests.helpers.evaluations import by_definition
from tests.helpers.trainings import TINY, add_checkpoint, started
from tfrecords_tools.errors import UserError

LATEST = Choices(checkpoint="latest", resamples=50)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Leave out the plots, which take seconds and are tested by themselves."""
    monkeypatch.setattr(plots, "_drawings", lambda *_: {})


def trained(path, folder, seed, experiment=TINY):
    workdir = started(path, folder, experiment)
    add_checkpoint(workdir, seed, experiment=experiment)
    return workdir


def written(path):
    """(N, 2) labels and (N, 2) predictions of the labelled frames of a report's CSV."""
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["valence_label"]]
    columns = [[float(row[name]) for row in rows] for name in ("valence_label", "arousal_label", "valence", "arousal")]
    return np.array(columns[:2]).T, np.array(columns[2:]).T


@pytest.mark.slow
def test_the_difference_is_that_of_both_reports(tiny_folder, tmp_path):
    one, two = (trained(tmp_path / str(seed), tiny_folder, seed) for seed in (1, 2))
    done = scored_run.once(one, LATEST, two)
    other = scored_run.once(two, LATEST)
    found = done.report.against.difference
    for metric in ("ccc", "mse", "sagr"):
        for name in ("valence", "arousal", "mean"):
            expected = done.report.scored.scores[metric][name] - other.report.scored.scores[metric][name]
            assert found[metric][name].value == pytest.approx(expected, abs=1e-12)
    assert done.report.against.workdir == two.path
    table = " ".join(score_tables.score_table(done.report).split())
    assert f"on the same frames: valence {found['ccc']['valence'].value:+.3f} (" in table


def test_settings_change_the_evaluation_alone(tiny_folder, tmp_path):
    workdir = trained(tmp_path, tiny_folder, 1)
    plain, other = (
        scored_run.once(workdir, replace(LATEST, settings=settings)).report
        for settings in ((), ("evaluation.carry_state=True", "evaluation.window=3"))
    )
    assert other.configuration["evaluation"]["window"] == 3
    assert plain.configuration["evaluation"]["window"] == 6
    assert other.scored.scores["ccc"] != plain.scored.scores["ccc"]
    assert other.counts.frames_scored == plain.counts.frames_scored == 32
    with pytest.raises(UserError, match=r"must name a field of evaluation here. Received: training.steps=1"):
        scored_run.once(workdir, replace(LATEST, settings=["training.steps=1"]))


@pytest.mark.slow
def test_post_processing_is_chosen_on_validation_and_reported(tiny_folder, tmp_path):
    asked = replace(TINY, evaluation=replace(TINY.evaluation, post_process=("median_filter",)))
    done = scored_run.once(trained(tmp_path, tiny_folder, 1, asked), replace(LATEST, split="test")).report
    post = done.post_processing
    assert post.chosen.after["mean"] >= post.chosen.before["mean"]
    chosen = Trained(Workdir(tmp_path), LATEST).post_processing
    assert post.chosen == chosen.chosen()
    assert tuple(post.chosen.steps[0].sizes.values()) == chosen.median_filter
    assert set(post.without) == {"ccc", "pearson", "mse", "rmse", "sagr"}


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A corpus of six videos, packed as one split, in three folds; and the networks of the folds."""
    root = tmp_path_factory.mktemp("folds")
    make_corpus(root / "corpus", [{"frames": 8 + number} for number in range(6)])
    parts = {f"train/v{number}": f"fold-{number % 3 + 1}" for number in range(6)}
    experiment = replace(TINY, protocol="folds")
    run_in = Workdir(root / "run")
    for number in (1, 2, 3):
        own = run_in.of_fold(number)
        own.start(Run(experiment, root / "corpus", fold=Fold(number, parts)))
        add_checkpoint(own, number, experiment=experiment)
    return run_in


@pytest.mark.slow
def test_each_fold_is_scored_by_the_network_that_has_not_seen_it(folds):
    done = scored_run.folds(folds, replace(LATEST, split="test"))
    assert done.report.folds == (2, 2, 2)
    assert done.report.counts.frames_scored == sum(range(8, 14))
    assert done.report.protocol == "folds"
    labels, predictions = written(folds.path / "report-test-latest.csv")
    expected = by_definition(labels, predictions)
    for metric in ("ccc", "pearson", "mse"):
        assert done.report.scored.scores[metric] == pytest.approx(expected[metric], abs=1e-6)
    for number in (1, 2, 3):
        own = Trained(folds.of_fold(number), LATEST)
        for video in own.predictions("test").videos:
            (same,) = [each for each in done.predicted.plain.videos if each.video == video.video]
            np.testing.assert_array_equal(video.predictions, same.predictions)
            assert int(video.video[1:]) % 3 + 1 == number


def test_what_cannot_be_had_of_folds_is_found_before_they_are_scored(folds, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(Trained, "predictions", lambda *_: pytest.fail("the network was run"))
    flags = [f"--workdir={folds.path}", "--all_folds", "--checkpoint=latest", "--gpu=-1"]
    (tmp_path / "mine.json").write_text("{}")
    make_corpus(tmp_path / "other", [{"frames": 8, "video": f"w{number}"} for number in range(6)])
    for number in (1, 2, 3):
        parts = {f"train/w{index}": f"fold-{index % 3 + 1}" for index in range(6)}
        own = Workdir(tmp_path / "second").of_fold(number)
        own.start(Run(replace(TINY, protocol="folds"), tmp_path / "other", fold=Fold(number, parts)))
        shutil.copytree(folds.of_fold(number).checkpoints, own.checkpoints, dirs_exist_ok=True)
    for flag, message in (
        ("--predictions=omg", "The format omg needs videos named"),
        (f"--report={tmp_path / 'mine.json'}", "`--report` must be a new file"),
        (f"--against={tmp_path / 'second'}", "`--against` must be scored on the same videos"),
    ):
        assert evaluate_command.main([*flags, flag]) == 2
        assert message in capfd.readouterr().err.splitlines()[-1]


def test_a_fold_that_is_missing_is_named(folds, tmp_path):
    with pytest.raises(UserError, match="no fold was trained here"):
        scored_run.folds(Workdir(tmp_path), LATEST)
    parts = folds.of_fold(1).open().fold.parts
    lone = Workdir(tmp_path).of_fold(2)
    lone.start(Run(replace(TINY, protocol="folds"), folds.path.parent / "corpus", fold=Fold(2, parts)))
    with pytest.raises(UserError, match=r"all 3 folds must be trained. Missing: 1, 3"):
        scored_run.folds(Workdir(tmp_path), LATEST)
