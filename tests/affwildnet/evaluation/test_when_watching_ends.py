"""How long the watcher waits, and when it stops the trainer or ends."""

import json
from dataclasses import replace

import pytest

from affwildnet.evaluation import watching
from affwildnet.evaluation.watching import Watcher
from affwildnet.runs import checkpoints
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tests.helpers.trainings import TINY, started, truncate
from tests.helpers.watching import finish, planned, score_in, scored, watch
from tfrecords_tools.errors import UserError


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
