"""A watcher's surroundings: a run, a trainer whose every move is scripted, a clock that does not wait, and scores."""

from types import SimpleNamespace

import numpy as np
import pytest

from affwildnet.evaluation import waiting, watching
from tests.helpers.networks import numpy
from tests.helpers.trainings import started
from tests.helpers.watching import Trainer, score_by
from tfrecords_tools.errors import UserError


@pytest.fixture
def workdir(tmp_path, tiny_folder):
    return started(tmp_path / "workdir", tiny_folder)


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

    score_by(monkeypatch, evaluate)
    return events
