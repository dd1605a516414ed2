"""One process that comes to the first training step, and writes how many seconds each part took as a line of JSON.

    PYTHONPATH=. python benchmarks/sides/first_step.py train EXPERIMENT DATA_DIR    # as train.py does, part by part
    PYTHONPATH=. python benchmarks/sides/first_step.py bare EXPERIMENT DATA_DIR     # the least that a script does

The bare script imports TensorFlow and Keras, builds the same network, and has `keras.Model.train_on_batch` take one
step on a batch of zeros: no corpus, no checks, no log.
"""

import json
import sys
import time
from pathlib import Path

_BEGAN = time.perf_counter()


class _Clock:
    def __init__(self):
        self.parts: dict[str, float] = {}
        self._since = _BEGAN

    def note(self, part: str) -> None:
        now = time.perf_counter()
        self.parts[part] = now - self._since
        self._since = now


def train(name: str, data_dir: Path) -> dict[str, float]:
    """Return the seconds of each part of what train.py does up to its second step."""
    clock = _Clock()
    from affwildnet.commands import backend, train_command

    clock.note("own modules without TensorFlow")
    backend.start_tensorflow()
    clock.note("importing TensorFlow and Keras")
    import tensorflow as tf

    from affwildnet.training import loop, one_run, start

    clock.note("own modules with TensorFlow")
    experiment = train_command.override(train_command.experiments.get(name), [f"model.image_size={side_of(data_dir)}"])
    run = train_command.Run(experiment, data_dir)
    corpus = one_run.Corpus.of_run(run, "train")
    model, _ = start.resumed_or_new(run, data_dir / "no_checkpoints", corpus)
    clock.note("building the network")
    batches = loop.training_batches(corpus, experiment.training)
    clock.note("planning and reading's graph")
    batch = next(iter(batches))
    clock.note("the first batch")
    step = loop.training_step.TrainStep(model, experiment.training, tf.distribute.get_strategy())
    step.trace(batch)
    clock.note("tracing the step")
    step(batch)()
    clock.note("optimising its graph, and the first step")
    step(batch)()
    clock.note("the second step")
    return clock.parts


def bare(name: str, data_dir: Path) -> dict[str, float]:
    """Return the seconds of the parts of the least that a script of Keras does up to its second step."""
    clock = _Clock()
    import keras
    import tensorflow  # noqa: F401

    clock.note("importing TensorFlow and Keras")
    import numpy as np

    from affwildnet import experiments, losses, models
    from affwildnet.experiments.overrides import override

    clock.note("own modules with TensorFlow")
    experiment = override(experiments.get(name), [f"model.image_size={side_of(data_dir)}"])
    model = models.build(experiment.model)
    model.compile(optimizer="adam", loss=losses.ccc)
    clock.note("building the network")
    rows = experiment.training.batch_size, experiment.training.window
    shapes = {tensor.name: (tensor.shape[2:], tensor.dtype) for tensor in model.inputs}
    inputs = {tensor: np.zeros((*rows, *shape), kind) for tensor, (shape, kind) in shapes.items()}
    labels = np.random.default_rng(0).uniform(-1, 1, (*rows, 2)).astype("float32")
    keras.utils.set_random_seed(0)
    model.train_on_batch(inputs, labels)
    clock.note("tracing, optimising, and the first step")
    model.train_on_batch(inputs, labels)
    clock.note("the second step")
    return clock.parts


def side_of(data_dir: Path) -> int:
    return json.loads((data_dir / "manifest.json").read_text("utf-8"))["image_size"]


if __name__ == "__main__":
    print(json.dumps({"train": train, "bare": bare}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))))
