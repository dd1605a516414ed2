"""Which checkpoints the watcher scores, and which of them it keeps as the best."""

import json
import shutil
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation import watching
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.validation_board import ValidationBoard
from affwildnet.evaluation.watching import Watcher
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import append_line, read_lines
from affwildnet.runs.run import Run
from tests.helpers.evaluations import by_definition, random_utterances, utterance_by_loop
from tests.helpers.trainings import TINY, add_checkpoint, truncate
from tests.helpers.watching import finish, planned, score_in, scored, watch


def test_each_checkpoint_is_scored_once_as_it_comes(workdir, tiny_folder, trainer, scripted):
    def late():
        planned(workdir, 30, 0.3)
        finish(workdir)

    trainer.script = [
        lambda: None,
        lambda: planned(workdir, 10, 0.1),
        lambda: None,
        lambda: planned(workdir, 20, 0.2),
        late,
    ]
    assert watch(workdir, tiny_folder) == 0
    lines = read_lines(workdir.metrics)
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert [line["ccc"]["valence"] for line in lines] == [0.1, 0.2, 0.3]
    assert {line["split"] for line in lines} == {"validation"}
    assert {line["frames_scored"] for line in lines} == {5}
    assert list((workdir.path / "tensorboard" / "validation").glob("events.*"))


def test_a_restarted_watcher_scores_none_twice(workdir, tiny_folder, trainer, scripted):
    planned(workdir, 10, 0.5)
    planned(workdir, 20, 0.1)
    finish(workdir)
    watch(workdir, tiny_folder)
    planned(workdir, 30, 0.2)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10, 20, 30]
    assert score_in(workdir.best / "best_mean.keras") == [0.5, 0.0]  # the restarted one knows what it must beat


def test_a_watcher_killed_while_scoring_scores_that_checkpoint_again(workdir, tiny_folder, trainer, scripted):
    path = planned(workdir, 10, 0.1)
    workdir.best.mkdir()
    (workdir.best / ".held-step-00000010.keras").write_bytes(path.read_bytes())
    (workdir.best / ".partial-best_mean.keras").write_bytes(b"half")
    workdir.metrics.write_text('{"step": 10, "split": "valid')
    planned(workdir, 20, 0.2)
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10, 20]
    assert [path for path in workdir.best.iterdir() if path.name.startswith(".")] == []
    assert score_in(workdir.best / "best_mean.keras") == [0.2, 0.0]


def test_a_checkpoint_kept_but_not_noted_by_a_killed_watcher_stays_the_best(
    workdir, tiny_folder, trainer, scripted, monkeypatch
):
    path = planned(workdir, 10, 0.5)
    finish(workdir)
    with monkeypatch.context() as patched:
        patched.setattr(watching, "append_line", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watch(workdir, tiny_folder)
    path.unlink()  # as the trainer does in the meantime
    planned(workdir, 20, 0.1)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10, 20]
    assert score_in(workdir.best / "best_mean.keras") == [0.5, 0.0]


def test_a_checkpoint_deleted_before_its_turn_is_noted(workdir, tiny_folder, trainer, scripted, shown):
    planned(workdir, 10, 0.1)
    gone = planned(workdir, 20, 0.2)
    planned(workdir, 30, 0.3)
    finish(workdir)
    scripted[0.1, 0.0] = gone.unlink
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10, 30]
    assert scored(workdir, "passed_over") == [20]
    assert f"skipped: {gone}: deleted before it could be scored" in shown()


@pytest.mark.parametrize("with_note", [True, False])
def test_a_copy_under_another_steps_name_is_passed_over(with_note, workdir, tiny_folder, trainer, scripted, shown):
    path = planned(workdir, 10, 0.1)
    copy = checkpoints.path_of(workdir.checkpoints, 20)
    shutil.copy(path, copy)
    if with_note:
        shutil.copy(checkpoints.state_path(path), checkpoints.state_path(copy))
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10]
    assert scored(workdir, "passed_over") == [20]
    assert f"skipped: {copy}: must " in shown()


def test_a_checkpoint_deleted_while_it_is_scored_can_still_be_the_best(workdir, tiny_folder, trainer, scripted):
    path = planned(workdir, 10, 0.1)
    finish(workdir)
    scripted[0.1, 0.0] = path.unlink
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10]
    assert score_in(workdir.best / "best_mean.keras") == [0.1, 0.0]


@pytest.mark.parametrize("broken", [10, 20])
def test_a_truncated_checkpoint_is_named_and_skipped(broken, workdir, tiny_folder, trainer, scripted, shown):
    paths = {step: planned(workdir, step, step / 100) for step in (10, 20, 30)}
    truncate(paths[broken])
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [step for step in paths if step != broken]
    (line,) = (line for line in read_lines(workdir.metrics) if "passed_over" in line)
    assert line["step"] == broken
    assert line["passed_over"].startswith(f"{paths[broken]}: not a whole checkpoint")
    assert f"skipped: {paths[broken]}: not a whole checkpoint" in shown()
    assert not list(workdir.best.glob(".*"))


def test_a_broken_checkpoint_is_scored_once_it_is_written_again(workdir, tiny_folder, trainer, scripted):
    truncate(planned(workdir, 10, 0.1))
    finish(workdir)
    watch(workdir, tiny_folder)
    assert scored(workdir) == []
    planned(workdir, 10, 0.4)
    watch(workdir, tiny_folder)
    assert scored(workdir) == [10]
    assert score_in(workdir.best / "best_mean.keras") == [0.4, 0.0]


def test_a_network_that_diverged_is_skipped(workdir, tiny_folder, trainer, scripted):
    planned(workdir, 10, 0.1)
    planned(workdir, 20, np.nan)
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10]
    assert scored(workdir, "passed_over") == [20]
    assert score_in(workdir.best / "best_mean.keras") == [0.1, 0.0]


def test_the_best_ones_are_those_of_the_metrics_and_survive_the_trainer(workdir, tiny_folder, trainer, scripted):
    values = {10: (0.1, 0.3), 20: (0.5, -0.2), 30: (0.3, 0.2), 40: (0.2, 0.1)}
    trainer.script = [
        *(lambda step=step: planned(workdir, step, *values[step], keep=1) for step in values),
        lambda: finish(workdir),
    ]
    assert watch(workdir, tiny_folder) == 0
    lines = read_lines(workdir.metrics)
    assert [path.name for path in checkpoints.listed(workdir.checkpoints)] == ["step-00000040.keras"]
    found = set()
    for name in ("mean", "valence", "arousal"):
        top = max(lines, key=lambda line, name=name: line["ccc"][name])
        noted = json.loads((workdir.best / f"best_{name}.json").read_text())
        assert noted.pop("contents")
        assert noted == top
        assert score_in(workdir.best / f"best_{name}.keras") == pytest.approx(values[top["step"]])
        found.add(top["step"])
    assert found == {10, 20, 30}


def test_lines_of_earlier_versions_without_a_ranking_count_by_their_ccc(workdir, tiny_folder, trainer, scripted):
    old = {"valence": 0.4, "arousal": 0.4, "mean": 0.4}
    append_line(workdir.metrics, {"step": 10, "split": "validation", "frames_scored": 5, "ccc": old})
    planned(workdir, 10, 0.4, 0.4)
    planned(workdir, 20, 0.3, 0.3)
    planned(workdir, 30, 0.5, 0.1)
    finish(workdir)
    assert watch(workdir, tiny_folder, patience=2) == 0
    assert [path.name for path in workdir.best.glob("*.keras")] == ["best_valence.keras"]
    assert json.loads(workdir.stop.read_text())["best_step"] == 10


def test_checkpoints_are_ranked_by_the_protocols_measure(workdir, tiny_folder, trainer, scripted):
    planned(workdir, 10, 0.4)
    planned(workdir, 20, 0.6)
    planned(workdir, 30, 0.5)
    finish(workdir)
    scripted.accuracy = True
    assert watch(workdir, tiny_folder, patience=1) == 0
    assert [line["ranking"] for line in read_lines(workdir.metrics)] == [{"mean": 0.4}, {"mean": 0.6}, {"mean": 0.5}]
    assert {path.name for path in workdir.best.iterdir()} == {"best_mean.keras", "best_mean.json"}
    assert score_in(workdir.best / "best_mean.keras") == [0.6, 0.0]
    reason = json.loads(workdir.stop.read_text())["reason"]
    assert reason == "no better total accuracy in 1 checkpoint since step 20"


def test_the_experiments_protocol_decides(workdir, tiny_folder, trainer, monkeypatch):
    evaluation = random_utterances(np.random.default_rng(0), [[9, 4], [5, 13, 8]])
    evaluator = Mock(return_value=evaluation)
    monkeypatch.setattr(watching, "Evaluator", lambda tiny_folder, config, features: evaluator)
    monkeypatch.setattr(ValidationBoard, "add", lambda *_: None)  # whose faces are of other videos
    planned(workdir, 10, 0.1)
    finish(workdir)
    experiment = replace(TINY, protocol="utterances", evaluation=replace(TINY.evaluation, sequence=4))
    Watcher(Run(experiment, tiny_folder), workdir).run()
    (line,) = read_lines(workdir.metrics)
    labels = [video.labels[0] for video in evaluation.videos]
    expected = by_definition(labels, [utterance_by_loop(video, 4, np.median) for video in evaluation.videos])
    assert line["ccc"] == line["ranking"] == pytest.approx(expected["ccc"], abs=1e-6)
    assert abs(line["ccc"]["mean"] - evaluation.scores["ccc"]["mean"]) > 1e-3  # which is by frame


@pytest.mark.slow
def test_scores_are_those_of_the_evaluator(workdir, tiny_folder, trainer):
    # Here nothing but the clock is scripted: weights are loaded into one network, which is compiled once.
    for step in (10, 20):
        add_checkpoint(workdir, step)
    append_line(workdir.metrics, {"step": 5, "passed_over": "deleted before it could be scored"})
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    evaluator = Evaluator(Corpus.open(tiny_folder, "validation"), TINY.evaluation)
    lines = read_lines(workdir.metrics)[1:]
    assert [line["step"] for line in lines] == [10, 20]
    for line in lines:
        evaluation = evaluator(checkpoints.load(checkpoints.path_of(workdir.checkpoints, line["step"])))
        assert line["frames_scored"] == evaluation.frames_scored == 32
        for metric in ("ccc", "pearson", "mse"):
            assert line[metric] == pytest.approx(evaluation.scores[metric], abs=1e-6)
    assert lines[0]["ccc"] != lines[1]["ccc"]
