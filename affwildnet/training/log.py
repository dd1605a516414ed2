"""The log of training: a line every few steps, `training.jsonl`, TensorBoard."""

import logging
import math
import time

import keras
import numpy as np
import tensorflow as tf

from affwildnet.metrics import Moments, Scores, scores
from affwildnet.runs.json_files import append_line
from affwildnet.runs.workdir import Workdir
from affwildnet.training.step import StepOutcome

_log = logging.getLogger(__name__)

# The norms of weights and gradients go to TensorBoard with the first line, and with every so many.
NORMS_EVERY = 10
# What the log shares with the scores of the validation split, under the same names.
METRICS = ("ccc", "mse")


class TrainingLog:
    """Logs the means over the steps since the line before, and the scores pooled over their frames.

    TensorBoard gives a value of training and of validation the same name (`loss`, `ccc/valence`), so that their curves
    lie over each other.
    """

    def __init__(self, workdir: Workdir, steps: int, frames_per_step: int, first_step: int):
        self._path = workdir.training_log
        self._writer = tf.summary.create_file_writer(workdir.tensorboard("train"))
        self._steps = steps
        self._frames_per_step = frames_per_step
        self._outcomes: list[StepOutcome] = []
        self._lines = 0
        self._first_step = first_step
        self._begin = self._since = time.monotonic()
        self._announced = 0  # the step that `started` has printed

    def add(self, outcome: StepOutcome) -> None:
        """Add what a step found."""
        self._outcomes.append(outcome)

    def started(self, step: int, next_line: int) -> None:
        """Log the first step, which compiles, and restart the clock: the time that is left is estimated without it.

        Args:
          step: the first one.
          next_line: the step of the next line.
        """
        now = time.monotonic()
        if next_line > step:
            self._announced = step
            _log.info(
                f"step {step:>6,}/{self._steps:,}  loss {self._outcomes[-1].loss:.4f}  {clock(now - self._begin)} to "
                f"compile and compute it; step {next_line:,} says how long the rest takes"
            )
        self._begin = self._since = now
        self._first_step += 1

    def write(self, step: int, epoch: int, model: keras.Model) -> None:
        """Log the steps since the last line, and the speed over them; of step 1, which compiles, the loss alone.

        Args:
          step: the last of them.
          epoch: in which it is.
          model: with its optimizer, after the step.
        """
        now = time.monotonic()
        outcomes, norm = self._outcomes, self._outcomes[-1].norm
        values = {
            "loss": sum(outcome.loss for outcome in outcomes) / len(outcomes),
            # With float16 a gradient overflows now and then: the loss scale is lowered, and JSON has no infinity.
            "gradient_norm": norm if math.isfinite(norm) else None,
            "learning_rate": outcomes[-1].learning_rate,
        }
        timed = min(len(outcomes), step - self._first_step)
        rate = timed * self._frames_per_step / max(now - self._since, 1e-9)
        if timed:
            values["frames_per_second"] = rate
        if step != self._announced:
            left = (self._steps - step) * (now - self._begin) / max(step - self._first_step, 1)
            speed = f"  {rate:7.0f} frames/s  {clock(left)} left" if timed else ""  # of the first step, which compiles
            _log.info(
                f"step {step:>6,}/{self._steps:,}  epoch {epoch:>3}  loss {values['loss']:.4f}  gradient {norm:7.3f}"
                f"{speed}"
            )
        found = _scores(outcomes)
        append_line(self._path, {"step": step, "epoch": epoch, **values, **found})
        with self._writer.as_default(step):
            for name, value in {**values, **_flat(found)}.items():
                if value is not None:
                    tf.summary.scalar(name, value)
            if self._lines % NORMS_EVERY == 0:
                for name, value in norms(model, outcomes[-1]).items():
                    tf.summary.scalar(name, value)
        self._writer.flush()
        self._lines += 1
        self._outcomes = []
        self._since = now


class NoLog:
    """Logs nothing; in place of a `TrainingLog` on workers other than the chief."""

    def add(self, outcome: StepOutcome) -> None:
        pass

    def started(self, step: int, next_line: int) -> None:
        pass

    def write(self, step: int, epoch: int, model: keras.Model) -> None:
        pass


def norms(model: keras.Model, outcome: StepOutcome) -> dict[str, float]:
    """Return the norms of each layer's weights and of their last gradient: `weights/LAYER`, `gradients/LAYER`.

    Args:
      model: of which the names are read, and nothing that a device would have to be waited for.
      outcome: of the step; what it does not know is left out.
    """
    squares: dict[str, float] = {}
    layers = [variable.path.split("/")[0] for variable in model.trainable_variables]
    for kind, values in (("weights", outcome.weights), ("gradients", outcome.gradients)):
        for layer, value in zip(layers, values, strict=True) if len(values) else ():
            squares[f"{kind}/{layer}"] = squares.get(f"{kind}/{layer}", 0.0) + float(value) ** 2
    return {name: float(np.sqrt(square)) for name, square in squares.items()}


def _scores(outcomes: list[StepOutcome]) -> Scores:
    """Return CCC and MSE pooled over the frames of the steps; nothing where they predict no valence and arousal."""
    total = Moments.empty()
    for outcome in outcomes:
        total = total.merge(outcome.moments or Moments.empty())
    if not total.count.all():
        return {}
    return {metric: row for metric, row in scores(total).items() if metric in METRICS}


def _flat(found: Scores) -> dict[str, float]:
    return {f"{metric}/{name}": value for metric, row in found.items() for name, value in row.items()}


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
