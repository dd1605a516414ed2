"""The training loop: from where a run stands until its steps are done, the evaluator stops it, or a signal comes."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from affwildnet.data import Corpus, Position, training_batches
from affwildnet.runs import checkpoints
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir, versions
from affwildnet.training import step as training_step
from affwildnet.training.log import NoLog, TrainingLog
from affwildnet.training.start import Earlier, resumed_or_new
from affwildnet.training.workers import Workers, alone
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)

ALL_DONE, STOPPED = "all steps are done", "the evaluator said stop"


def train_one(run: Run, workdir: Workdir, earlier: Callable[[str], Earlier] | None = None) -> int:
    """Train a run in one go, or one stage of a run; return the exit status.

    The working directory becomes the run's, or is checked to be. The latest whole checkpoint is loaded: weights,
    optimizer, random states of dropout, position in the data. Without one, a network is built from the seed and given
    the weights that it starts from. The loss of every step is checked. A checkpoint is saved every so many steps or
    minutes, at the end, and before leaving on SIGINT or SIGTERM. A resumed run computes what the uninterrupted one
    would have computed.

    Training runs under the current `tf.distribute` strategy, on one device or on several, with the same outcome but for
    dropout. All workers call this; the chief alone writes, and a signal to one of them ends them all.

    Args:
      run: without stages, or as `Run.of_stage` returns it.
      workdir: in which it is trained.
      earlier: see `start.begin`.

    Raises:
      UserError: for settings, data or checkpoints that cannot be used, and when the loss is not finite; the last good
        checkpoint then stands.
    """
    strategy = tf.distribute.get_strategy()
    training_step.check(run.experiment.training, strategy.num_replicas_in_sync)
    workers = Workers(strategy)
    trainer = _Trainer(run, workers.shared(workdir), workers)
    if trainer.was_stopped():
        return 0
    trainer.start(earlier)
    if trainer.is_done():
        return 0
    with _signals() as received, _user_errors(run, workers):
        return trainer.to_the_end(received)


class _Trainer:
    """Trains one run on this worker."""

    def __init__(self, run: Run, workdir: Workdir, workers: Workers):
        self._run, self._workdir, self._workers = run, workdir, workers
        self._config = run.experiment.training
        self._corpus = Corpus.of_run(run, "train")
        workdir.start(run)

    def was_stopped(self) -> bool:
        """Return whether the evaluator has stopped this run earlier, and see to it that the run is marked finished."""
        workers, workdir = self._workers, self._workdir
        if not workers.of_chief(workdir.stop.exists()):
            return False
        _log.info(f"training was stopped by the evaluator. To train on, delete {workdir.stop}")
        if not workers.of_chief(bool(workdir.reason_finished())):
            # The trainer was killed before it could obey, and a watcher waits for the mark.
            workdir.finish(max(map(checkpoints.step_of, checkpoints.listed(workdir.checkpoints)), default=0), STOPPED)
        return True

    def start(self, earlier: Callable[[str], Earlier] | None) -> None:
        """Load the latest checkpoint, or build the network; see `start.begin`."""
        strategy = tf.distribute.get_strategy()
        with strategy.scope():
            self._model, state = self._workers.agreed(
                self._workdir.checkpoints, lambda: resumed_or_new(self._run, self._workdir, self._corpus, earlier)
            )
        self._step = self._first_step = self._saved_step = state.step
        self._position = Position(state.epoch, state.window)

    def is_done(self) -> bool:
        """Return whether no step is left, and see to it that the run is marked finished if so, and not otherwise."""
        if self._step < self._config.steps:
            self._workdir.finished.unlink(missing_ok=True)
            return False
        _log.info(f"training is done: step {self._step:,} of {self._config.steps:,}. To train on, raise training.steps")
        self._workdir.finish(self._step, ALL_DONE)
        return True

    def to_the_end(self, received: list[int]) -> int:
        """Train until there is a reason to stop, or a signal in `received`; return the exit status."""
        config, workers = self._config, self._workers
        self._train_step = training_step.TrainStep(self._model, config, tf.distribute.get_strategy())
        frames = config.batch_size * config.window
        self._log = TrainingLog(self._workdir, config.steps, frames, self._step) if workers.chief else NoLog()
        self._saved_at = time.monotonic()
        for batch in training_batches(self._corpus, config, self._position, (workers.index, workers.number)):
            self._train_on(batch)
            notes = workers.gathered([received[0] if received else 0, self._workdir.stop.exists()])
            number, reason = int(notes[:, 0].max()), self._reason_to_stop(bool(notes[0, 1]))
            if reason or number or self._save_is_due():
                self._save()
            if reason:
                _log.info(f"finished at step {self._step:,}: {reason}")
                self._workdir.finish(self._step, reason)
                return 128 + number if number else 0
            if number:
                workers.wait()  # for the chief's checkpoint: the end of one worker is the end of all
                name = signal.Signals(number).name
                _log.info(f"{name}: saved step {self._step:,} and left. The same command goes on from there.")
                return 128 + number
        raise AssertionError("the training data have no end")

    def _train_on(self, batch: dict[str, tf.Tensor]) -> None:
        loss, norm = self._train_step(batch)
        # With float16 loss scaling deals with a gradient that overflows; otherwise nothing does.
        if not math.isfinite(loss) or not (math.isfinite(norm) or self._config.precision == "mixed_float16"):
            self._give_up(loss, norm, batch)
        self._step += 1
        last = [int(batch["epoch"][-1]), int(batch["window"][-1]) + 1]
        self._position = Position(*map(int, self._workers.gathered(last)[-1]))  # the last worker has the batch's last
        self._log.add(loss)
        if self._step == self._first_step + 1:
            self._log.started()
        if self._step % self._config.log_steps == 0 or self._step == self._config.steps:
            rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
            self._log.write(self._step, self._position.epoch, norm, rate)

    def _reason_to_stop(self, stopped: bool) -> str | None:
        if self._step >= self._config.steps:
            return ALL_DONE
        return STOPPED if stopped else None

    def _save_is_due(self) -> bool:
        minutes = (time.monotonic() - self._saved_at) / 60
        return self._step % self._config.checkpoint_steps == 0 or minutes >= self._config.checkpoint_minutes

    def _save(self) -> None:
        if self._workers.chief:
            state = TrainingState(self._step, *self._position, self._config.seed)
            card = Card.of(self._corpus.manifest, self._run.experiment.name, versions())
            what = (self._model, state, self._workdir.checkpoints, self._config.keep_checkpoints, card)
            checkpoints.save(*what) if self._workers.number == 1 else alone(checkpoints.save, *what)
        self._saved_at, self._saved_step = time.monotonic(), self._step

    def _give_up(self, loss: float, norm: float, batch: dict[str, tf.Tensor]) -> None:
        indices = self._workers.gathered(batch["video"].numpy()).ravel()
        videos = sorted({self._corpus.videos[index].video for index in indices})
        saved = f"The checkpoint of step {self._saved_step} stands." if self._saved_step else "No checkpoint was saved."
        self._workdir.finish(self._saved_step, "the loss is not finite")
        stage = self._run.stage
        rate = f"learning_rate of stage {stage.name}" if stage else "training.learning_rate"
        raise UserError(
            f"The loss or its gradient is not finite at step {self._step + 1} (loss {loss}, gradient {norm}), on the "
            f"{'video' if len(videos) == 1 else 'videos'} {', '.join(videos)}. {saved} "
            f"Start in a new --workdir with a lower {rate}, or with training.clip_norm set."
        )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Gather SIGINT and SIGTERM in a list instead of dying of them; a second SIGINT kills as usual."""
    received: list[int] = []

    def note(number, _frame):
        received.append(number)
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _user_errors(run: Run, workers: Workers) -> Iterator[None]:
    """Raise what TensorFlow says of a bad record, or of a worker that is gone, as a `UserError`."""
    try:
        yield
    except tf.errors.DataLossError as error:
        raise UserError(
            f"{run.data_dir}: a record is corrupt or cut off ({error.message.strip().splitlines()[0]}). "
            f"`python -m tfrecords_tools verify {run.data_dir}` names it; pack that corpus again."
        ) from None
    except tf.errors.OpError as error:
        if workers.number == 1 or "Collective ops is aborted" not in error.message:
            raise
        raise UserError(
            "Another worker has ended or cannot be reached. The checkpoints stand. "
            "Start the same command again on all workers: it goes on from the latest."
        ) from None
