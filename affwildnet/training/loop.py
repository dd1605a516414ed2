"""The training loop."""

import math
import signal
import time
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet import models
from affwildnet.data import START, Corpus, Position, training_batches
from affwildnet.experiments.config import Experiment, Stage
from affwildnet.runs import checkpoints
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.folds import Fold
from affwildnet.runs.workdir import Workdir, versions
from affwildnet.training import step as training_step
from affwildnet.training.log import NoLog, TrainingLog
from affwildnet.training.start import Earlier, begin
from affwildnet.training.workers import Workers, alone, fingerprint
from tfrecords_tools.errors import UserError

ALL_DONE, STOPPED = "all steps are done", "the evaluator said stop"


def train_one(
    experiment: Experiment,
    data_dir: Path,
    workdir: Workdir,
    stage: Stage | None = None,
    earlier: Callable[[str], Earlier] | None = None,
    fold: Fold | None = None,
) -> int:
    """Train until the steps are done, the evaluator says stop, or a signal comes; return the exit status.

    In this order: the working directory is made this experiment's or checked to be; the latest whole checkpoint is
    loaded (weights, optimizer, dropout's random states, position in the data), or a network is built from the seed and
    given the weights that it starts from; the data continue at that position; every step's loss is looked at; a
    checkpoint is saved every so many steps or minutes, at the end, and before leaving on SIGINT or SIGTERM. What a
    resumed run computes is what the uninterrupted one would have computed.

    It runs under the current `tf.distribute` strategy, on one device or on several, with the same outcome but for
    dropout. Several workers all call this; the first alone writes, and what one of them is told, all obey.

    Args:
      experiment: without stages, or as `stages.of_stage` makes it of one.
      stage, earlier: see `start.begin`.
      fold: whose training videos are used; None is the split `train` of the corpus.

    Raises:
      UserError: for settings, data or checkpoints that cannot be used, and when the loss is not finite; the last good
        checkpoint then stands.
    """
    config = experiment.training
    training_step.check(config)
    strategy = tf.distribute.get_strategy()
    training_step.check_devices(config, strategy.num_replicas_in_sync)
    workers = Workers(strategy)
    workdir = workers.shared(workdir)
    corpus = Corpus.for_experiment(data_dir, "train", experiment, fold)
    workdir.start(experiment, data_dir, stage, fold)
    if workers.of_chief(workdir.stop.exists()):
        print(f"training was stopped by the evaluator. To train on, delete {workdir.stop}")
        if not workers.of_chief(
            bool(workdir.reason_finished())
        ):  # it was killed before it could obey; a watcher waits for the mark
            workdir.finish(max(map(checkpoints.step_of, checkpoints.listed(workdir.checkpoints)), default=0), STOPPED)
        return 0
    with strategy.scope():
        model, state = _the_same(workers, workdir, lambda: _resumed_or_new(experiment, workdir, corpus, stage, earlier))
    if state.step >= config.steps:
        print(f"training is done: step {state.step:,} of {config.steps:,}. To train on, raise training.steps")
        workdir.finish(state.step, ALL_DONE)
        return 0
    workdir.finished.unlink(missing_ok=True)
    run = _Run(experiment, corpus, workdir, model, state, strategy, stage, workers)
    try:
        with _signals() as received:
            return run.to_the_end(received)
    except tf.errors.DataLossError as error:
        raise UserError(
            f"{data_dir}: a record is corrupt or cut off ({_first_line(error)}). "
            f"`python -m tfrecords_tools verify {data_dir}` names it; pack that corpus again."
        ) from None
    except tf.errors.OpError as error:
        if workers.number == 1 or "Collective ops is aborted" not in error.message:
            raise
        raise UserError(
            "Another worker has ended or cannot be reached. The checkpoints stand. "
            "Start the same command again on all workers: it goes on from the latest."
        ) from None


class _Run:
    """One training, from where it stands on."""

    def __init__(self, experiment, corpus, workdir, model, state, strategy, stage, workers):
        self._config = config = experiment.training
        self._corpus, self._workdir, self._model, self._stage = corpus, workdir, model, stage
        self._card = Card.of(corpus.manifest, experiment.name, versions())
        self._step, self._position = state.step, Position(state.epoch, state.window)
        self._workers = workers
        self._train_step = training_step.TrainStep(model, config, strategy)
        frames = config.batch_size * config.window
        self._log = TrainingLog(workdir, config.steps, frames, state.step) if workers.chief else NoLog()
        self._first_step = self._saved_step = state.step
        self._saved_at = time.monotonic()

    def to_the_end(self, received: list[int]) -> int:
        """Train until there is a reason to stop, or a signal in `received`; return the exit status."""
        share = (self._workers.index, self._workers.number)
        for batch in training_batches(self._corpus, self._config, self._position, share):
            self._train_on(batch)
            told = self._workers.gathered([received[0] if received else 0, self._workdir.stop.exists()])
            number, reason = int(told[:, 0].max()), self._reason_to_stop(bool(told[0, 1]))
            if reason or number or self._save_is_due():
                self._save()
            if reason:
                print(f"finished at step {self._step:,}: {reason}", flush=True)
                self._workdir.finish(self._step, reason)
                return 128 + number if number else 0
            if number:
                self._workers.wait()  # for the chief's checkpoint: the end of one worker is the end of all
                name = signal.Signals(number).name
                print(f"{name}: saved step {self._step:,} and left. The same command goes on from there.", flush=True)
                return 128 + number
        raise AssertionError("the training data have no end")

    def _train_on(self, batch: dict[str, tf.Tensor]) -> None:
        loss, norm = self._train_step(batch)
        # An overflowing gradient is the loss scaling's business with float16, and ours otherwise.
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
            what = (self._model, state, self._workdir.checkpoints, self._config.keep_checkpoints, self._card)
            checkpoints.save(*what) if self._workers.number == 1 else alone(checkpoints.save, *what)
        self._saved_at, self._saved_step = time.monotonic(), self._step

    def _give_up(self, loss: float, norm: float, batch: dict[str, tf.Tensor]) -> None:
        indices = self._workers.gathered(batch["video"].numpy()).ravel()
        videos = sorted({self._corpus.videos[index].video for index in indices})
        stands = (
            f"The checkpoint of step {self._saved_step} stands." if self._saved_step else "No checkpoint was saved."
        )
        self._workdir.finish(self._saved_step, "the loss is not finite")
        rate = f"learning_rate of stage {self._stage.name}" if self._stage else "training.learning_rate"
        raise UserError(
            f"The loss or its gradient is not finite at step {self._step + 1} (loss {loss}, gradient {norm}), on the "
            f"videos {', '.join(videos)}. {stands} "
            f"Start in a new --workdir with a lower {rate}, or with training.clip_norm set."
        )


def _the_same(
    workers: Workers, workdir: Workdir, make: Callable[[], tuple[keras.Model, TrainingState]]
) -> tuple[keras.Model, TrainingState]:
    """Make a network on all workers; raise a `UserError` on all unless it is the same on all, bit for bit."""
    if workers.number == 1:
        return make()
    folder = workdir.checkpoints
    found = [(path.name, path.stat().st_size) for path in checkpoints.listed(folder)]
    workers.check_same(zlib.crc32(repr(found).encode()), f"see the same checkpoints in {folder}")
    model, state = make()
    workers.check_same(fingerprint(model, state), "start with the same weights")
    return model, state


def _resumed_or_new(
    experiment: Experiment,
    workdir: Workdir,
    corpus: Corpus,
    stage: Stage | None,
    earlier: Callable[[str], Earlier] | None,
) -> tuple[keras.Model, TrainingState]:
    config = experiment.training
    resumed = checkpoints.resume(workdir.checkpoints)
    if resumed:
        model, state = resumed
        print(f"resumed from {checkpoints.path_of(workdir.checkpoints, state.step)}")
        return model, state
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    model = models.build(experiment.model)
    keras.config.set_dtype_policy("float32")
    begin(model, experiment, corpus, stage, earlier)
    model.compile(optimizer=training_step.make_optimizer(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model, TrainingState(0, START.epoch, START.window, config.seed)


@contextmanager
def _signals():
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


def _first_line(error: tf.errors.OpError) -> str:
    return error.message.strip().splitlines()[0]
