"""The training loop: step after step until all are done, the evaluator stops the run, or a signal comes."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from affwildnet.data import Corpus, Position, training_batches
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.devices import allow_tf32, has_gpu
from affwildnet.runs import checkpoints, record_files, rehearsals
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir, versions
from affwildnet.training import compilation, feature_caching
from affwildnet.training import step as training_step
from affwildnet.training.freezing import held_weights
from affwildnet.training.gpu_input import Batch, copied_ahead
from affwildnet.training.log import NoLog, TrainingLog
from affwildnet.training.step import StepOutcome
from affwildnet.training.workers import Workers, alone
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest

_log = logging.getLogger(__name__)

ALL_DONE, STOPPED = "all steps are done", "the evaluator said stop"


class _Unread(NamedTuple):
    """A step whose outcome has not been read yet: its number, the epoch after it, its batch, and what reads it."""

    step: int
    epoch: int
    batch: Batch
    outcome: Callable[[], StepOutcome]


class Trainer:
    """Trains the network of one run on this worker.

    The loss of every step is checked. A checkpoint is saved every so many steps or minutes, at the end, and before
    leaving on a signal.

    A GPU computes a step while this process goes on. So there the outcome of a step is read when the next one has been
    given to it, and the GPU never waits for checks and log. The outcome of the first step, which compiles, is read at
    once, and that of the last one before a checkpoint is saved: no checkpoint holds a step that was not checked.
    """

    def __init__(self, run: Run, corpus: Corpus, workdir: Workdir, workers: Workers):
        self._run, self._corpus, self._workdir, self._workers = run, corpus, workdir, workers
        self._config = run.experiment.training
        self._reads_late = has_gpu()
        self._unread: _Unread | None = None
        self._features: FrozenFeatures | None = None

    def to_the_end(self, model: keras.Model, state: TrainingState, received: list[int]) -> int:
        """Train until there is a reason to stop; return the exit status.

        Args:
          model: compiled.
          state: of its training.
          received: signals; the first that appears in it ends the training.

        Raises:
          UserError: if the loss is not finite.
        """
        config, workers = self._config, self._workers
        self._model, self._step, self._position = model, state.step, Position(state.epoch, state.window)
        held = held_weights(model, self._run.stage)
        allow_tf32(config.precision == "tf32")
        strategy = tf.distribute.get_strategy()
        self._features = features = feature_caching.of_run(self._run, self._corpus, self._workdir, model)
        self._train_step = training_step.TrainStep(model, config, strategy, held, features and features.network)
        if has_gpu():
            _log.info(compilation.summary(config.jit_compile, model, strategy.num_replicas_in_sync))
        frames = config.batch_size * config.window
        self._log = TrainingLog(self._workdir, config.steps, frames, state.step) if workers.chief else NoLog()
        self._first_step = self._saved_step = state.step
        self._saved_at = time.monotonic()
        self._packed, self._files = _stamp(self._corpus), self._files_now()
        self._provenance = {**versions(), rehearsals.FIELD: list(rehearsals.of_experiment(self._run.experiment))}
        for batch in self._batches():
            if features and int(batch["epoch"].numpy()[-1]) > self._position.epoch:
                feature_caching.fill(features, self._run, lambda: not (received or self._workdir.stop.exists()))
            self._train_on(batch)
            notes = workers.gathered([received[0] if received else 0, self._workdir.stop.exists()])
            number, reason = int(notes[:, 0].max()), self._reason_to_stop(bool(notes[0, 1]))
            if reason or number or self._save_is_due():
                self._read()
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

    def _batches(self) -> Iterable[Batch]:
        place = self._workers.index, self._workers.number
        features = self._features
        batches = training_batches(self._corpus, self._config, self._position, place, features and features.cache)
        if features:
            batches = features.over(batches)
        if not has_gpu() or tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return batches
        return copied_ahead(batches, self._train_step.inputs, "GPU:0")

    def _train_on(self, batch: Batch) -> None:
        outcome = self._train_step(batch)
        self._step += 1
        last = [int(batch["epoch"].numpy()[-1]), int(batch["window"].numpy()[-1]) + 1]
        self._position = Position(*map(int, self._workers.gathered(last)[-1]))  # the last worker has the batch's last
        self._read()  # of the step before, while the device computes this one
        self._unread = _Unread(self._step, self._position.epoch, batch, outcome)
        if not self._reads_late or self._step == self._first_step + 1:
            self._read()

    def _read(self) -> None:
        """Check and log the step whose outcome has not been read yet, if there is one."""
        if self._unread is None:
            return
        step, epoch, batch, read = self._unread
        self._unread = None
        outcome = read()
        loss, norm = outcome.loss, outcome.norm
        # With float16 loss scaling deals with a gradient that overflows; otherwise nothing does.
        if not math.isfinite(loss) or not (math.isfinite(norm) or self._config.precision == "mixed_float16"):
            self._give_up(step, loss, norm, batch)
        self._log.add(outcome)
        every, last = self._config.log_steps, self._config.steps
        if step == self._first_step + 1:
            self._log.started(step, min(-(-step // every) * every, last))
        if step in (1, last) or step % every == 0:
            self._log.write(step, epoch, self._model)

    def _reason_to_stop(self, stopped: bool) -> str | None:
        if self._step >= self._config.steps:
            return ALL_DONE
        return STOPPED if stopped else None

    def _save_is_due(self) -> bool:
        minutes = (time.monotonic() - self._saved_at) / 60
        return self._step % self._config.checkpoint_steps == 0 or minutes >= self._config.checkpoint_minutes

    def _save(self) -> None:
        if self._workers.chief:
            self._check_corpus()
            state = TrainingState(self._step, *self._position, self._config.seed)
            card = Card.of(self._corpus.manifest, self._run.experiment.name, self._provenance)
            what = (self._model, state, self._workdir.checkpoints, self._config.keep_checkpoints, card)
            checkpoints.save(*what) if self._workers.number == 1 else alone(checkpoints.save, *what)
        self._saved_at, self._saved_step = time.monotonic(), self._step

    def _files_now(self) -> record_files.Stamps:
        """Return the stamps of the files that are read."""
        return record_files.stamps(self._corpus.folder, self._corpus.videos)

    def _check_corpus(self) -> None:
        """Raise a `UserError` if the corpus was packed again while training read it, or a file's contents changed."""
        if _stamp(self._corpus) == self._packed:
            try:
                self._files = record_files.check(self._corpus.folder, self._corpus.videos, self._files)
            except UserError as error:
                raise UserError(f"{error} The checkpoint of step {self._saved_step:,} is the last before.") from None
            return
        before = TrainingData.of(self._corpus.manifest, self._corpus.folder, self._corpus.videos)
        corpus = Corpus.of_run(self._run, "train")
        if difference := before.difference(TrainingData.of(corpus.manifest, corpus.folder, corpus.videos)):
            raise UserError(
                f"{self._corpus.folder}: must not change while a run trains on it. Received: a corpus packed since, "
                f"where {difference}. The checkpoint of step {self._saved_step:,} is the last of the data before."
            )
        self._packed, self._files = _stamp(self._corpus), self._files_now()

    def _give_up(self, step: int, loss: float, norm: float, batch: Batch) -> None:
        indices = self._workers.gathered(batch["video"].numpy()).ravel()
        videos = sorted({self._corpus.videos[index].video for index in indices})
        saved = (
            f"The checkpoint of step {self._saved_step} remains." if self._saved_step else "No checkpoint was saved."
        )
        if not np.isfinite(batch["landmarks"].numpy()).all():
            self._workdir.finish(self._saved_step, "the data are not finite")
            raise UserError(
                f"{self._corpus.folder}: landmarks must be finite. Received: others at step {step}, on the "
                f"{'video' if len(videos) == 1 else 'videos'} {', '.join(videos)}. {saved} "
                f"`python -m tfrecords_tools verify {self._corpus.folder}` names the records; pack the corpus again."
            )
        self._workdir.finish(self._saved_step, "the loss is not finite")
        stage = self._run.stage
        rate = f"stages.{stage.name}.learning_rate" if stage else "training.learning_rate"
        raise UserError(
            f"The loss or its gradient is not finite at step {step} (loss {loss}, gradient {norm}), on the "
            f"{'video' if len(videos) == 1 else 'videos'} {', '.join(videos)}. {saved} "
            f"Start in a new --workdir with a lower {rate}, or with training.clip_norm set."
        )


def _stamp(corpus: Corpus) -> tuple[int, int] | None:
    """Return what changes when a corpus is packed again; None while it is gone."""
    try:
        status = (corpus.folder / manifest.FILE_NAME).stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
