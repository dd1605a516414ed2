"""A tiny experiment, its corpus, and working directories in which it seems to have run."""

import json
from dataclasses import replace

import keras
import numpy as np

from affwildnet import models
from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, TrainingConfig
from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import step as training_step
from tests.helpers.corpora import landmarks_of, make_corpus

TINY = Experiment(
    name="tests/tiny",
    title="A network of a few thousand weights",
    model=ModelConfig(
        backbone="cnn_m",
        image_size=32,
        width=0.02,
        landmarks=True,
        hidden=(400,),
        dropout=0.3,
        recurrent="gru",
        recurrent_units=(300, 200),
        recurrent_dropout=0.3,
    ),
    training=TrainingConfig(
        batch_size=2,
        window=4,
        steps=6,
        learning_rate=3e-3,
        clip_norm=1.0,
        flip=True,
        colour_jitter=0.1,
        log_steps=1,
        checkpoint_steps=100,
    ),
    evaluation=EvaluationConfig(batch_size=2, window=6),
)


def tiny(**training):
    """The tiny experiment with other training settings."""
    return replace(TINY, training=replace(TINY.training, **training))


def learnable(video, frames):
    """Labels that are linear in the landmarks of `corpora`, for the video of that index."""
    points = np.array([landmarks_of(video, frame)[0] for frame in frames])
    return np.stack([1.6 * points[:, 1] - 0.8, 0.5 - points[:, 1]], axis=1)


def tiny_corpus(folder):
    """Write a corpus with gaps, missing labels and tails; return its folder."""
    numbers = [*range(1, 18), *range(21, 41)]
    videos = [
        {"frames": numbers, "labels": learnable(0, numbers)},
        {"frames": 30, "labels": learnable(1, range(1, 31))},
        {"frames": [*range(3, 12), *range(14, 27)], "split": "validation", "unlabelled": [5, 6, 20]},
        {"frames": 13, "split": "validation"},
        {"frames": 11, "split": "test", "unlabelled": range(1, 12)},
        {"frames": 10, "split": "test"},
    ]
    make_corpus(folder, videos)
    return folder


def tiny_model(experiment=TINY, seed=0):
    """The experiment's network with random weights, compiled, as the trainer begins with it."""
    keras.utils.set_random_seed(seed)
    model = models.build(experiment.model)
    model.compile(optimizer=training_step.make_optimizer(experiment.training), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model


def plain_model(seed=None, compiled=True):
    """A network of two layers that is quickly saved and loaded, with dropout and an optimizer."""
    if seed is not None:
        keras.utils.set_random_seed(seed)
    entrance = keras.Input((20,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(50, name="fc1")(entrance))
    model = keras.Model(entrance, keras.layers.Dense(2, name="out")(hidden))
    if compiled:
        model.compile(optimizer="adam")
        model.optimizer.build(model.trainable_variables)
    return model


def started(path, data_dir, experiment=TINY):
    """A working directory in which the experiment was started."""
    workdir = Workdir(path)
    workdir.start(Run(experiment, data_dir))
    return workdir


def add_checkpoint(workdir, step, seed=None, keep=100, experiment=TINY):
    """Save a network of random weights as the checkpoint of a step; return its path and the network."""
    model = tiny_model(experiment, step if seed is None else seed)
    return checkpoints.save(model, TrainingState(step, 0, 0, 0), workdir.checkpoints, keep), model


def truncate(path, share=0.5):
    """Cut a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def steps_of(workdir):
    return [checkpoints.step_of(path) for path in checkpoints.listed(workdir.checkpoints)]


def finished(workdir):
    return json.loads(workdir.finished.read_text())


def logged(workdir):
    return [line["step"] for line in read_lines(workdir.training_log)]
