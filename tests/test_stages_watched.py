"""Stages and the watcher, which watches one after the other; the trainer waits for the checkpoint that it chooses."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from affwildnet.evaluation import scored_run, selection, waiting, watching
from affwildnet.evaluation.selection import Choices
from affwildnet.experiments.config import Stage
from affwildnet.runs import best, checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.json_files import append_line, read_lines, write_json
from affwildnet.runs.run import Run
from affwildnet.training import stages
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY, plain_model, started
from tests.helpers.watching import score_by
from tfrecords_tools.errors import UserError

STAGES = tuple(Stage(name, ("*",), (("*", "random"),), 0.01) for name in ("c0", "c2", "c3"))
STAGED = replace(TINY, training=replace(TINY.training, stages=STAGES))


@pytest.fixture
def workdir(tmp_path, tiny_folder):
    return started(tmp_path / "workdir", tiny_folder, STAGED)


def begin(workdir, name, corpus):
    stage = next(stage for stage in STAGES if stage.name == name)
    own = workdir.of_stage(name)
    own.start(Run(STAGED, corpus).of_stage(stage))
    return own


def planned(own, step, valence):
    """Save a checkpoint that the scripted evaluator gives this score."""
    model = plain_model(step)
    model.get_layer("out").bias.assign([valence, valence])
    return checkpoints.save(model, TrainingState(step, 0, 0, 0), own.checkpoints, 100)


def scored(workdir):
    return {stage.name: [line["step"] for line in read_lines(workdir.of_stage(stage.name).metrics)] for stage in STAGES}


# The evaluator.


class Clock:
    """Time that passes only while somebody sleeps; what is in `script` is called then, one after the other."""

    def __init__(self):
        self.now, self.script = 0.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        if self.script:
            self.script.pop(0)()
        assert self.now < 1e5, "waits for what will not come"


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (stages, waiting, watching):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def scripted(monkeypatch):
    """An evaluator whose scores are the network's output biases."""

    def evaluate(model):
        values = dict(zip(("valence", "arousal"), map(float, numpy(model.get_layer("out").bias)), strict=True))
        values["mean"] = np.mean(list(values.values()))
        scores = dict.fromkeys(("ccc", "pearson", "mse"), values)
        return SimpleNamespace(frames_scored=5, scores=scores, ranking=values)

    score_by(monkeypatch, evaluate)


def test_stages_are_watched_one_after_the_other(workdir, tiny_folder, clock, scripted, shown):
    own = {}

    def start(name, step):
        own[name] = begin(workdir, name, tiny_folder)
        planned(own[name], step, step / 100)

    clock.script = [
        lambda: start("c0", 10),
        lambda: planned(own["c0"], 20, 0.2),
        lambda: start("c2", 30),
        lambda: own["c0"].finish(20, "all steps are done"),
        lambda: own["c2"].finish(30, "all steps are done"),
        lambda: None,
        lambda: start("c3", 40),
        lambda: own["c3"].finish(40, "all steps are done"),
    ]
    assert watching.watch(workdir) == 0
    assert clock.script == []
    assert scored(workdir) == {"c0": [10, 20], "c2": [30], "c3": [40]}
    assert (own["c2"].best / "best_mean.keras").is_file()
    printed = [line for line in shown().splitlines() if line.startswith("stage ")]
    assert printed == ["stage c0", "stage c2", "stage c3"]


def test_a_stage_that_is_trained_alone_is_watched_alone(workdir, tiny_folder, clock, scripted):
    own = begin(workdir, "c2", tiny_folder)
    planned(own, 10, 0.1)
    own.finish(10, "all steps are done")
    clock.script = [lambda: None, lambda: workdir.finish(10, "stage c2 is done")]
    assert watching.watch(workdir) == 0
    assert scored(workdir) == {"c0": [], "c2": [10], "c3": []}


def test_an_earlier_stage_that_begins_later_is_watched_too(workdir, tiny_folder, clock, scripted):
    begin(workdir, "c2", tiny_folder).finish(0, "all steps are done")

    def earlier():
        own = begin(workdir, "c0", tiny_folder)
        planned(own, 10, 0.1)
        own.finish(10, "all steps are done")

    clock.script = [earlier, lambda: workdir.finish(10, "stage c0 is done")]
    assert watching.watch(workdir) == 0
    assert scored(workdir) == {"c0": [10], "c2": [], "c3": []}


def test_patience_stops_the_stage(workdir, tiny_folder, clock, scripted):
    own = begin(workdir, "c0", tiny_folder)
    for step, score in ((10, 0.4), (20, 0.3)):
        planned(own, step, score)
    clock.script = [lambda: own.finish(20, "the evaluator said stop"), lambda: workdir.finish(20, "all")]
    watching.watch(workdir, patience=1)
    assert own.stop.exists()
    assert not workdir.stop.exists()


def test_the_watcher_gives_up_on_a_stage_that_does_not_begin(workdir, tiny_folder, clock, scripted):
    begin(workdir, "c0", tiny_folder).finish(0, "all steps are done")
    with pytest.raises(UserError, match="workdir: no stage has begun for 2 minutes"):
        watching.watch(workdir, timeout_minutes=2)
    assert 120 < clock.now < 130


def chosen(workdir, checkpoint):
    """The stage that `evaluate.py --workdir --checkpoint` scores; None is the staged directory itself."""
    found = selection._stage_with(workdir, checkpoint)
    return None if found == workdir else found.path.name


def test_the_last_stage_that_has_such_a_checkpoint_is_scored(workdir, tiny_folder, tmp_path):
    assert chosen(workdir, "latest") is None
    for name in ("c0", "c2", "c3"):
        own = begin(workdir, name, tiny_folder)
    paths = {name: planned(workdir.of_stage(name), 10, 0.1) for name in ("c0", "c2")}
    assert chosen(workdir, "latest") == "c2"
    assert chosen(workdir, "best_mean") is None
    best.keep(
        best.hold(paths["c0"], workdir.of_stage("c0")),
        {"ccc": dict.fromkeys(best.MEASURES, 0)},
        [],
        workdir.of_stage("c0"),
    )
    assert chosen(workdir, "best_mean") == "c0"
    assert chosen(workdir, str(paths["c0"])) == "c0"
    planned(own, 10, 0.1)
    assert chosen(workdir, "latest") == "c3"
    assert chosen(workdir, str(paths["c0"])) == "c0"
    (tmp_path / "other.keras").touch()
    assert chosen(workdir, str(tmp_path / "other.keras")) is None


@pytest.mark.slow
def test_its_report_is_written_where_the_stage_is(workdir, tiny_folder, shown):
    own = begin(workdir, "c2", tiny_folder)
    frames = keras.Input((None, 32, 32, 3), dtype="uint8", name="frames")
    landmarks = keras.Input((None, 68, 2), name="landmarks")
    predictions = keras.layers.Dense(2, name="valence_arousal")(keras.layers.Reshape((-1, 136))(landmarks))
    model = keras.Model([frames, landmarks], predictions)
    path = checkpoints.save(model, TrainingState(7, 0, 0, 0), own.checkpoints, 3)
    written = scored_run.once(workdir, Choices(checkpoint="latest"))
    assert "stage c2\n" in shown()
    assert written.report.checkpoint == path
    assert written.report.step == 7
    assert (own.path / "report-validation-latest.json").is_file()
    assert not list(workdir.path.glob("report-*"))


def test_nothing_to_score_is_an_error(workdir):
    with pytest.raises(UserError, match="best_mean, which is not there yet"):
        scored_run.once(workdir, Choices())


# The trainer.


def ended(workdir, name, steps=(1, 2)):
    """A finished stage with empty files for checkpoints."""
    own = workdir.of_stage(name)
    own.checkpoints.mkdir(parents=True)
    for step in steps:
        checkpoints.path_of(own.checkpoints, step).touch()
    own.finish(steps[-1], "all steps are done")
    return own


def test_without_an_evaluator_the_trainer_does_not_wait(workdir, clock):
    own = ended(workdir, "c2")
    assert stages._checkpoint_of(workdir, "c2").path == own.checkpoints / "step-00000002.keras"
    assert clock.now == 0


@pytest.mark.parametrize("fate", ["ccc", "passed_over"])
def test_the_trainer_waits_until_the_evaluator_has_scored_the_last_checkpoint(fate, workdir, clock, shown):
    own = ended(workdir, "c2")
    workdir.of_stage("c0").path.mkdir()
    append_line(workdir.of_stage("c0").metrics, {"step": 2, "ccc": {}})  # it is still at an earlier stage
    own.best.mkdir()
    best = own.best / "best_mean.keras"

    def pause(minutes):
        clock.now += minutes * 60

    def choose():
        pause(29)
        best.touch()
        write_json(own.best / "best_mean.json", {"step": 1})
        append_line(own.metrics, {"step": 1, "ccc": {}})

    def score_last():
        append_line(own.metrics, {"step": 2, fate: {}})

    # Longer than the patience from the start, but not from the last news.
    clock.script = [lambda: None, choose, lambda: pause(25), score_last]
    assert stages._checkpoint_of(workdir, "c2").path == best
    assert clock.script == []
    assert shown().count("waiting for the evaluator, which has not scored step 2 of c2 yet") == 1


def test_the_trainer_does_not_wait_for_ever_for_an_evaluator_that_has_gone(workdir, clock, shown):
    own = ended(workdir, "c2")
    own.metrics.touch()
    assert stages._checkpoint_of(workdir, "c2").path == own.checkpoints / "step-00000002.keras"
    assert stages.EVALUATOR_MINUTES * 60 <= clock.now < stages.EVALUATOR_MINUTES * 60 + 10
    assert "going on with what there is" in shown()
