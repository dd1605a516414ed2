"""The watcher, beside a trainer whose every move is scripted and with a clock that does not wait."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation import waiting, watching
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.validation_board import ValidationBoard
from affwildnet.evaluation.watching import Watcher
from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.json_files import append_line, read_lines, write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tests.helpers.evaluations import by_definition, random_utterances, utterance_by_loop
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY, add_checkpoint, plain_model, started, truncate
from tfrecords_tools.errors import UserError


@pytest.fixture
def workdir(tmp_path, tiny_folder):
    return started(tmp_path / "workdir", tiny_folder)


class Trainer:
    """Does the next thing of its script whenever the watcher sleeps."""

    def __init__(self):
        self.now = 0.0
        self.script = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        assert self.script, "the watcher waits for something that will not come"
        self.script.pop(0)()


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(watching, "time", trainer)
    monkeypatch.setattr(waiting, "time", trainer)
    return trainer


@pytest.fixture
def scripted(monkeypatch):
    """An evaluator whose scores are the network's output biases, which show the weights that were scored."""

    class Events(dict):
        accuracy = False

    events = Events()

    def evaluate(model):
        valence, arousal = (round(float(value), 3) for value in numpy(model.get_layer("out").bias))
        events.pop((valence, arousal), lambda: None)()
        values = {"valence": valence, "arousal": arousal, "mean": (valence + arousal) / 2}
        if np.isnan(valence):
            raise UserError("The network's predictions for the video v2 are not finite: training diverged.")
        scores = {"ccc": values, "pearson": dict.fromkeys(values), "mse": dict.fromkeys(values, 0.1)}
        if events.accuracy:
            scores, values = {"accuracy": {"fear": None, "total": valence}}, {"mean": valence}
        return SimpleNamespace(frames_scored=5, scores=scores, ranking=values)

    evaluate.begin = lambda: None
    monkeypatch.setattr(watching, "Evaluator", lambda corpus, config, features: evaluate)
    monkeypatch.setattr(watching, "score", lambda evaluation, *_, **__: evaluation)
    monkeypatch.setattr(watching, "loss_of", lambda *_: 0.5)
    monkeypatch.setattr(ValidationBoard, "add", lambda *_: None)  # it draws the predictions, and there are none
    return events


def planned(workdir, step, valence, arousal=0.0, keep=100):
    """Save a checkpoint that the scripted evaluator gives these scores."""
    model = plain_model(step)
    model.get_layer("out").bias.assign([valence, arousal])
    return checkpoints.save(model, TrainingState(step, 0, 0, 0), workdir.checkpoints, keep)


def finish(workdir):
    write_json(workdir.finished, {"step": 0, "reason": "all steps are done"})


def watch(workdir, corpus, patience=0, timeout=0):
    return Watcher(Run(TINY, corpus), workdir, patience).run(timeout)


def scored(workdir, field="ccc"):
    return [line["step"] for line in read_lines(workdir.metrics) if field in line]


def score_in(path):
    return [round(float(value), 3) for value in numpy(checkpoints.load(path).get_layer("out").bias)]


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


def test_patience_stops_the_trainer_after_so_many_without_a_better_one(workdir, tiny_folder, trainer, scripted, shown):
    for step, valence in ((10, 0.1), (20, 0.4), (30, 0.3), (40, 0.4)):
        planned(workdir, step, valence)
    seen = []
    trainer.script = [
        lambda: seen.append(workdir.stop.exists()),
        lambda: planned(workdir, 50, 0.2),
        lambda: seen.append(json.loads(workdir.stop.read_text())),
        lambda: planned(workdir, 60, 0.9),
        lambda: finish(workdir),
    ]
    assert watch(workdir, tiny_folder, patience=3) == 0
    stop = {"step": 50, "best_step": 20, "reason": "no better mean CCC in 3 checkpoints since step 20"}
    assert seen == [False, stop]
    assert json.loads(workdir.stop.read_text()) == stop
    assert scored(workdir) == [10, 20, 30, 40, 50, 60]  # those that came before the trainer saw it
    assert shown().count("stop: no better mean CCC in 3 checkpoints since step 20") == 1


def test_patience_goes_on_counting_after_a_restart(workdir, tiny_folder, trainer, scripted):
    planned(workdir, 10, 0.4)
    planned(workdir, 20, 0.3)
    finish(workdir)
    watch(workdir, tiny_folder, patience=2)
    assert not workdir.stop.exists()
    planned(workdir, 30, 0.3)
    watch(workdir, tiny_folder, patience=2)
    assert json.loads(workdir.stop.read_text())["best_step"] == 10


def test_patience_does_not_count_skipped_checkpoints(workdir, tiny_folder, trainer, scripted):
    planned(workdir, 10, 0.4)
    for step in (20, 30, 40):
        truncate(planned(workdir, step, 0.1))
    finish(workdir)
    watch(workdir, tiny_folder, patience=2)
    assert not workdir.stop.exists()


def test_without_patience_it_never_stops_the_trainer(workdir, tiny_folder, trainer, scripted):
    for step in range(1, 9):
        planned(workdir, step, 1 - step / 10)
    finish(workdir)
    watch(workdir, tiny_folder)
    assert not workdir.stop.exists()


def test_the_last_checkpoint_is_scored_though_the_trainer_ends_right_after_it(
    workdir, tiny_folder, trainer, scripted, monkeypatch
):
    listed, rest = checkpoints.listed, [lambda: finish(workdir), lambda: planned(workdir, 10, 0.1)]

    def then_it_ends(folder):
        before = listed(folder)
        while rest:  # saving lists the folder too
            rest.pop()()
        return before

    monkeypatch.setattr(checkpoints, "listed", then_it_ends)
    trainer.script = [lambda: None]
    assert watch(workdir, tiny_folder) == 0
    assert scored(workdir) == [10]


def test_a_finished_trainer_without_checkpoints_ends_it(workdir, tiny_folder, trainer, scripted, shown):
    finish(workdir)
    assert watch(workdir, tiny_folder) == 0
    assert "the trainer has finished; 0 checkpoints were scored" in shown()


def test_the_watcher_gives_up_after_the_timeout_since_the_last_checkpoint(workdir, tiny_folder, trainer, scripted):
    def pause(seconds):
        trainer.now += seconds

    trainer.script = [lambda: pause(50), lambda: planned(workdir, 10, 0.1), lambda: pause(50), lambda: pause(20)]
    with pytest.raises(UserError, match=r"no new checkpoint for 1 minutes\. Does it run\?"):
        watch(workdir, tiny_folder, timeout=1)
    assert scored(workdir) == [10]
    assert trainer.script == []


def test_the_watcher_may_start_before_the_trainer(tmp_path, tiny_folder, trainer, scripted):
    workdir = started(tmp_path / "other", tiny_folder)
    held_back = (workdir.path / "experiment.json").read_text()
    (workdir.path / "experiment.json").unlink()
    trainer.script = [
        lambda: None,
        lambda: (workdir.path / "experiment.json").write_text(held_back),
        lambda: planned(workdir, 10, 0.1),
        lambda: finish(workdir),
    ]
    assert watching.watch(workdir, patience=None, timeout_minutes=0) == 0
    assert scored(workdir) == [10]


def test_the_watcher_gives_up_on_a_trainer_that_never_starts(tmp_path, trainer):
    def pause():
        trainer.now += 100

    trainer.script = [pause, pause]
    with pytest.raises(UserError, match="no run was started here"):
        watching.watch(Workdir(tmp_path / "nowhere"), timeout_minutes=2)


def test_a_negative_patience_is_refused(workdir):
    with pytest.raises(UserError, match=r"`patience` must be at least 0\. Received: -1"):
        watching.watch(workdir, patience=-1, timeout_minutes=0)


@pytest.mark.parametrize(("flag", "stops"), [(None, True), (0, False), (9, False)])
def test_the_experiments_patience_counts_unless_one_is_given(flag, stops, tmp_path, tiny_folder, trainer, scripted):
    patient = replace(TINY, evaluation=replace(TINY.evaluation, patience=1))
    workdir = started(tmp_path / "patient", tiny_folder, patient)
    planned(workdir, 10, 0.4)
    planned(workdir, 20, 0.3)
    finish(workdir)
    watching.watch(workdir, patience=flag, timeout_minutes=0)
    assert workdir.stop.exists() == stops


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


def test_networks_of_their_own_have_a_best_each_and_are_watched_until_neither_improves(
    workdir, tiny_folder, trainer, scripted, monkeypatch, shown
):
    composed = []
    monkeypatch.setattr(watching.best_each, "compose", lambda workdir: composed.append(1) or len(composed) > 1)
    run = Run(replace(TINY, model=replace(TINY.model, separate=True)), tiny_folder)
    # The mean is best at step 10, yet valence improves at 20 and arousal at 30.
    scores = {10: (0.3, 0.5), 20: (0.4, 0.2), 30: (0.0, 0.6), 40: (0.1, 0.1), 50: (0.39, 0.59)}
    trainer.script = [lambda step=step, own=own: planned(workdir, step, *own) for step, own in scores.items()]
    trainer.script.append(lambda: finish(workdir))
    assert Watcher(run, workdir, 2).run() == 0
    assert not (workdir.best / "best_mean.keras").exists()  # it is composed
    assert score_in(workdir.best / "best_valence.keras") == [0.4, 0.2]
    assert score_in(workdir.best / "best_arousal.keras") == [0.0, 0.6]
    stop = json.loads(workdir.stop.read_text())
    assert (stop["step"], stop["best_step"]) == (50, 30)
    assert "no better CCC of valence or arousal in 2 checkpoints since step 30" in shown()
