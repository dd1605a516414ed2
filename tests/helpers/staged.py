"""Three stages as those of the thesis, on a small network, and a step that is quick."""

from dataclasses import replace
from typing import ClassVar

import keras
import numpy as np

from affwildnet.data import Corpus
from affwildnet.experiments.config import Stage
from affwildnet.runs import checkpoints
from affwildnet.runs.run import Run
from affwildnet.training.start import begin
from affwildnet.training.step import StepOutcome
from tests.helpers.small_network import build_small, weights

HEAD = ("fc*", "valence_arousal")
FROM_INIT = (("*", "init"), ("fc*", "random"), ("valence_arousal", "random"))
C0 = Stage("c0", HEAD, FROM_INIT, learning_rate=0.01)
C2 = Stage("c2", ("*",), FROM_INIT, learning_rate=0.02, steps=2)
C3 = Stage("c3", ("*",), (("*", "c2"), ("conv*", "init"), ("standardise_landmarks", "init")), learning_rate=0.03)
CNN_LAYERS = ("conv1", "conv1_bn", "conv2", "conv2_bn")
HEAD_LAYERS = ("fc1", "fc2", "valence_arousal")


class QuickStep:
    """Adds 1 to every weight that is trained, and remembers the weights that each training started with."""

    events: ClassVar[dict] = {}
    began: ClassVar[list] = []

    def __init__(self, model, config, strategy, held=(), network=None):
        self.model, self.rate, self.steps = model, config.learning_rate, 0
        self.began.append((self.rate, {layer.name: weights(model, layer.name) for layer in model.layers}))

    def __call__(self, batch):
        self.steps += 1
        for variable in self.model.trainable_variables:
            variable.assign_add(np.ones(variable.shape))
        self.events.pop((self.rate, self.steps), lambda: None)()
        return lambda: StepOutcome(1.0, 1.0)


def last(workdir):
    return checkpoints.resume(workdir.checkpoints)[0]


def with_stages(experiment, *changed):
    return replace(experiment, training=replace(experiment.training, stages=changed))


def begun(experiment, stage, corpus, earlier=None):
    """The network with which a stage begins."""
    keras.utils.set_random_seed(experiment.training.seed)
    model = build_small(experiment.model)
    begin(model, Run(experiment, corpus).of_stage(stage), Corpus.open(corpus, "train"), earlier)
    return model
