"""Training: the time of train.py's step against a bare compiled step on a constant batch.

    python -m benchmarks.training --data_dir=data/sample_packed [--experiment=sample/affwildnet] [--output=...]

train.py's step is everything from one step of the loop to the next: reading, decoding, the step, the check of the loss,
the log. The bare step is forward, loss, gradients and update of the same network, on one batch in memory.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet import experiments, losses, models
from affwildnet.data import Corpus, training_batches
from affwildnet.experiments.overrides import override
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from affwildnet.training.step import make_optimizer
from benchmarks.results import as_script, show
from tfrecords_tools.files import folder_at


def bare_seconds(experiment, corpus: Corpus, steps: int) -> float:
    """Return the seconds of a bare step, mean over `steps`."""
    config = experiment.training
    keras.utils.set_random_seed(config.seed)
    model = models.build(experiment.model)
    adam = make_optimizer(config)
    adam.build(model.trainable_variables)
    loss_of = losses.get(config.loss)
    batch = next(iter(training_batches(corpus, config)))
    inputs = {tensor.name: batch[tensor.name] for tensor in model.inputs}

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(batch["labels"], model(inputs, training=True), batch["mask"])
        adam.apply(
            tape.gradient(loss, [weight.value for weight in model.trainable_variables]), model.trainable_variables
        )
        return loss

    step()
    began = time.perf_counter()
    for _ in range(steps):
        loss = step()
    float(loss)
    return (time.perf_counter() - began) / steps


def loop_seconds(experiment, data_dir: Path, steps: int) -> float:
    """Return the seconds of a step of `train`, mean over `steps` after the first, from its own log."""
    experiment = override(
        experiment,
        [f"training.{field}={steps + 1}" for field in ("steps", "log_steps", "checkpoint_steps")],
    )
    with tempfile.TemporaryDirectory() as folder:
        workdir = Workdir(Path(folder) / "run")
        train(Run(experiment, data_dir), workdir)
        line = json.loads(workdir.training_log.read_text().splitlines()[-1])  # the first is that of step 1
    return experiment.training.batch_size * experiment.training.window / line["frames_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=folder_at, required=True)
    parser.add_argument("--experiment", default="sample/affwildnet")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    corpus = Corpus.open(options.data_dir, "train")
    experiment = experiments.get(options.experiment)
    experiment = override(experiment, [f"model.image_size={corpus.manifest.image_size}"])
    bare, loop = [], []
    for _ in range(options.rounds):
        bare.append(bare_seconds(experiment, corpus, options.steps))
        loop.append(loop_seconds(experiment, options.data_dir, options.steps))
    frames = experiment.training.batch_size * experiment.training.window
    rows = [
        {"step": name, "ms": 1000 * min(times), "frames/s": round(frames / min(times)), "ratio": min(times) / min(bare)}
        for name, times in (("bare, constant batch", bare), ("train.py", loop))
    ]
    show(f"training {options.experiment}", rows, options.output)


if __name__ == "__main__":
    as_script(main)
