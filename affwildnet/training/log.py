"""The log of training: a line every few steps, `training.jsonl`, TensorBoard."""

import logging
import time

import tensorflow as tf

from affwildnet.runs.json_files import append_line
from affwildnet.runs.workdir import Workdir

_log = logging.getLogger(__name__)


class TrainingLog:
    """Logs the mean over the steps since the line before."""

    def __init__(self, workdir: Workdir, steps: int, frames_per_step: int, first_step: int):
        self._path = workdir.training_log
        self._writer = tf.summary.create_file_writer(workdir.tensorboard("train"))
        self._steps = steps
        self._frames_per_step = frames_per_step
        self._losses: list[float] = []
        self._first_step = first_step
        self._begin = self._since = time.monotonic()

    def add(self, loss: float) -> None:
        """Add the loss of a step."""
        self._losses.append(loss)

    def started(self, step: int, next_line: int) -> None:
        """Log the first step, which compiles, and restart the clock: the time that is left is estimated without it.

        Args:
          step: the first one.
          next_line: the step of the next line.
        """
        now = time.monotonic()
        if next_line > step:
            _log.info(
                f"step {step:>6,}/{self._steps:,}  loss {self._losses[-1]:.4f}  {clock(now - self._begin)} to compile "
                f"and compute it; step {next_line:,} says how long the rest takes"
            )
        self._begin = self._since = now
        self._first_step += 1

    def write(self, step: int, epoch: int, norm: float, learning_rate: float) -> None:
        """Log the mean loss since the last line, and the speed over the same steps."""
        now = time.monotonic()
        loss = sum(self._losses) / len(self._losses)
        counted = min(len(self._losses), step - self._first_step)
        rate = counted * self._frames_per_step / max(now - self._since, 1e-9)
        left = (self._steps - step) * (now - self._begin) / max(step - self._first_step, 1)
        _log.info(
            f"step {step:>6,}/{self._steps:,}  epoch {epoch:>3}  loss {loss:.4f}  gradient {norm:7.3f}  "
            f"{rate:7.0f} frames/s  {clock(left)} left"
        )
        values = {"loss": loss, "gradient_norm": norm, "learning_rate": learning_rate, "frames_per_second": rate}
        append_line(self._path, {"step": step, "epoch": epoch, **values})
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        self._losses.clear()
        self._since = now


class NoLog:
    """Logs nothing; in place of a `TrainingLog` on workers other than the chief."""

    def add(self, loss: float) -> None:
        pass

    def started(self, step: int, next_line: int) -> None:
        pass

    def write(self, step: int, epoch: int, norm: float, learning_rate: float) -> None:
        pass


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
