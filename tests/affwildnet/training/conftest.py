"""Fixtures of the tests of stages."""

from dataclasses import replace

import pytest

from affwildnet import models
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop
from tests.helpers.small_network import SMALL, build_small, quick_batches, save_with_weights_of_its_own
from tests.helpers.staged import C0, C2, C3, QuickStep
from tests.helpers.trainings import TINY


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The file that the stages start from, and the network in it."""
    path = tmp_path_factory.mktemp("given") / "init.keras"
    return path, save_with_weights_of_its_own(build_small(replace(TINY.model, **SMALL)), path)


@pytest.fixture
def staged(given):
    training = replace(TINY.training, init=str(given[0]), stages=(C0, C2, C3), steps=3, seed=5)
    return replace(TINY, model=replace(TINY.model, **SMALL), training=training)


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "workdir")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(models, "build", build_small)


@pytest.fixture
def quick(monkeypatch, small):
    """Train the small network with quick steps; `quick.events[learning rate, step]` is called in that step."""
    monkeypatch.setattr(loop, "training_batches", quick_batches)
    monkeypatch.setattr(loop.training_step, "TrainStep", QuickStep)
    monkeypatch.setattr(QuickStep, "events", {})
    monkeypatch.setattr(QuickStep, "began", [])
    return QuickStep
