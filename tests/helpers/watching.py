"""A trainer whose every move is scripted, its checkpoints, and the watcher beside it."""

from affwildnet.evaluation import watching
from affwildnet.evaluation.validation_board import ValidationBoard
from affwildnet.evaluation.watching import Watcher
from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.json_files import read_lines, write_json
from affwildnet.runs.run import Run
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY, plain_model


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


def score_by(monkeypatch, evaluate):
    """Have a watcher take what `evaluate` returns for a network as its evaluation and its scores."""
    evaluate.begin = lambda: None
    monkeypatch.setattr(watching, "Evaluator", lambda corpus, config, features: evaluate)
    monkeypatch.setattr(watching, "score", lambda evaluation, *_, **__: evaluation)
    monkeypatch.setattr(watching, "loss_of", lambda *_: 0.5)
    monkeypatch.setattr(ValidationBoard, "add", lambda *_: None)  # it draws the predictions, and there are none
