"""A run in one go, or one stage of a run: from its latest checkpoint, or a new network, to its end."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.runs import checkpoints, record_files, training_data
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from affwildnet.training.loop import ALL_DONE, STOPPED, Trainer
from affwildnet.training.start import Earlier, resumed_or_new
from affwildnet.training.workers import Workers
from tfrecords_tools.errors import UserError, message_of

_log = logging.getLogger(__name__)


def train_one(
    run: Run, workdir: Workdir, earlier: Callable[[str], Earlier] | None = None, accept_data: bool = False
) -> int:
    """Train a run in one go, or one stage of a run; return the exit status.

    The working directory becomes the run's, or is checked to be. The latest whole checkpoint is loaded: weights,
    optimizer, random states of dropout, position in the data. Without one, a network is built from the seed and given
    the weights that it starts from. A resumed run computes what the uninterrupted one would have computed.

    Training runs under the current `tf.distribute` strategy, on one device or on several, with the same outcome but for
    dropout. All workers call this; the chief alone writes, and a signal to one of them ends them all.

    Args:
      run: without stages, or as `Run.of_stage` returns it; its settings have been checked by `step.check`.
      workdir: in which it is trained.
      earlier: see `start.begin`.
      accept_data: see `training_data.note`.

    Raises:
      UserError: for data or checkpoints that cannot be used, and when the loss is not finite; the last good checkpoint
        remains.
    """
    workers = Workers(tf.distribute.get_strategy())
    workdir = workers.shared(workdir)
    corpus = Corpus.of_run(run, "train")
    workdir.check(run)
    with workdir.locked("trainer") if workers.chief else nullcontext():
        workdir.start(run)
        if workers.chief:
            training_data.note(workdir, _data(corpus, workdir), accept_data)
        if _was_stopped(workdir, workers):
            return 0
        return _trained(run, workdir, corpus, workers, earlier)


def _data(corpus: Corpus, workdir: Workdir) -> TrainingData:
    """Return the data that a run is trained on; their files are compared with the manifest, see `record_files`."""
    known = training_data.stored(workdir)
    files = record_files.check(corpus.folder, corpus.videos, known and known.files)
    return replace(TrainingData.of(corpus.manifest, corpus.folder, corpus.videos), files=files)


def _trained(
    run: Run, workdir: Workdir, corpus: Corpus, workers: Workers, earlier: Callable[[str], Earlier] | None
) -> int:
    with tf.distribute.get_strategy().scope():
        model, state = workers.agreed(
            workdir.checkpoints, lambda: resumed_or_new(run, workdir.checkpoints, corpus, earlier)
        )
    steps = run.experiment.training.steps
    if state.step >= steps:
        _log.info(f"training is done: step {state.step:,} of {steps:,}. To train on, raise training.steps")
        workdir.finish(state.step, ALL_DONE)
        return 0
    if workers.chief:
        checkpoints.check_room(model, workdir.checkpoints, run.experiment.training.keep_checkpoints)
    workdir.finished.unlink(missing_ok=True)
    with _signals() as received, _user_errors(run, corpus, workers):
        return Trainer(run, corpus, workdir, workers).to_the_end(model, state, received)


def _was_stopped(workdir: Workdir, workers: Workers) -> bool:
    """Return whether the evaluator has stopped this run before; the run is marked as finished then."""
    if not workers.of_chief(workdir.stop.exists()):
        return False
    _log.info(f"training was stopped by the evaluator. To train on, delete {workdir.stop}")
    if not workers.of_chief(bool(workdir.reason_finished())):
        # The trainer was killed before it could obey, and a watcher waits for the mark.
        workdir.finish(max(map(checkpoints.step_of, checkpoints.listed(workdir.checkpoints)), default=0), STOPPED)
    return True


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
def _user_errors(run: Run, corpus: Corpus, workers: Workers) -> Iterator[None]:
    """Turn TensorFlow's errors about a bad record, or about a worker that has ended, into a `UserError`."""
    try:
        yield
    except tf.errors.DataLossError as error:
        raise UserError(
            f"{corpus.folder}: a record is corrupt or cut off ({message_of(error)}). "
            f"`python -m tfrecords_tools verify {corpus.folder}` names it; pack that corpus again."
        ) from None
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError):
        Corpus.of_run(run, "train")  # these name the file where it is one of theirs
        record_files.check(corpus.folder, corpus.videos)
        raise
    except tf.errors.OpError as error:
        if workers.number == 1 or "Collective ops is aborted" not in error.message:
            raise
        raise UserError(
            "Another worker has ended or cannot be reached. The checkpoints remain. "
            "Start the same command again on all workers: it goes on from the latest."
        ) from None
