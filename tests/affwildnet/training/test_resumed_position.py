"""Where in the data a resumed run goes on: each step trains on the windows of the uninterrupted run."""

import keras
import pytest

from affwildnet import models
from affwildnet.runs.run import Run
from affwildnet.training import loop, train
from affwildnet.training.step import StepOutcome
from tests.helpers.trainings import plain_model, tiny, tiny_corpus


@pytest.fixture
def seen(monkeypatch):
    """Train a network of two layers by steps that count and do nothing else; list the windows that each is given."""
    windows = []

    class Step:
        def __init__(self, model, config, strategy, held=(), network=None):
            self.model = model

        def __call__(self, batch):
            windows.append((batch["epoch"].numpy().tolist(), batch["window"].numpy().tolist()))
            self.model.optimizer.iterations.assign_add(1)
            return lambda: StepOutcome(1.0, 1.0)

    monkeypatch.setattr(models, "build", lambda config, window: plain_model(compiled=False))
    monkeypatch.setattr(loop.training_step, "TrainStep", Step)
    return windows


def test_a_resumed_run_goes_on_with_the_next_window(seen, tmp_path):
    corpus = tiny_corpus(tmp_path / "corpus")

    def train_to(steps, folder):
        assert train(Run(tiny(steps=steps), corpus), tmp_path / folder) == 0

    train_to(13, "whole")
    whole = seen.copy()
    assert whole[-1][0][-1] >= 1  # an epoch has ended between
    assert len({tuple(windows) for _, windows in whole}) > 4
    seen.clear()
    for steps in (3, 9, 10, 13):
        keras.utils.set_random_seed(steps)  # what is read depends on the run's own seed alone
        train_to(steps, "parts")
    assert seen == whole
