"""The training loop."""

import math
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet import checkpoints, models
from affwildnet.checkpoints import TrainingState
from affwildnet.data import START, Corpus, Position, training_batches
from affwildnet.experiments.config import Experiment
from affwildnet.training import step as training_step
from affwildnet.training.log import TrainingLog
from affwildnet.workdir import Workdir, write_json
from tfrecords_tools.errors import UserError


def train(experiment: Experiment, data_dir: Path, workdir: Workdir) -> int:
    """Trains until the steps are done, the evaluator says stop, or a signal comes; returns the exit status.

    In this order: the working directory is made this experiment's or checked to be; the latest whole checkpoint is
    loaded (weights, optimiser, dropout's random states, position in the data), or a network is built from the seed;
    the data continue at that position; every step's loss is looked at; a checkpoint is saved every so many steps or
    minutes, at the end, and before leaving on SIGINT or SIGTERM. What a resumed run computes is what the uninterrupted
    one would have computed.

    Raises:
      UserError: for settings, data or checkpoints that cannot be used, and when the loss is not finite; the last good
        checkpoint then stands.
    """
    config = experiment.training
    training_step.check(config)
    corpus = Corpus.open(data_dir, "train", experiment.model.image_size)
    workdir.start(experiment, data_dir)
    if workdir.stop.exists():
        print(f"training was stopped by the evaluator. To train on, delete {workdir.stop}")
        return 0
    strategy = tf.distribute.get_strategy()
    with strategy.scope():
        model, state = _resumed_or_new(experiment, workdir, corpus)
    if state.step >= config.steps:
        print(f"training is done: step {state.step:,} of {config.steps:,}. To train on, raise training.steps")
        _finish(workdir, state.step, "all steps are done")
        return 0
    workdir.finished.unlink(missing_ok=True)
    try:
        with _signals() as received:
            return _loop(experiment, corpus, workdir, model, state, strategy, received)
    except tf.errors.DataLossError as error:
        raise UserError(
            f"{data_dir}: a record is corrupt or cut off ({_first_line(error)}). "
            f"`python -m tfrecords_tools verify {data_dir}` names it; pack that corpus again."
        ) from None


def _loop(experiment, corpus, workdir, model, state, strategy, received) -> int:
    config = experiment.training
    step, position = state.step, Position(state.epoch, state.window)
    run_step = training_step.TrainStep(model, config, strategy)
    log = TrainingLog(workdir, config.steps, config.batch_size * config.window, step)
    saved_at, saved_step, reason = time.monotonic(), step, None

    def save() -> None:
        nonlocal saved_at, saved_step
        if step > saved_step:
            state = TrainingState(step, position.epoch, position.window, config.seed)
            checkpoints.save(model, state, workdir.checkpoints, config.keep_checkpoints)
            saved_at, saved_step = time.monotonic(), step

    for batch in training_batches(corpus, config, position):
        loss, norm = run_step(batch)
        # Dropout of float16's overflowing gradients is the loss scaling's business; a loss that is not finite is ours.
        if not math.isfinite(loss) or not (math.isfinite(norm) or config.precision == "mixed_float16"):
            videos = sorted({corpus.videos[index].video for index in batch["video"].numpy()})
            workdir_says = f"The checkpoint of step {saved_step} stands." if saved_step else "No checkpoint was saved."
            _finish(workdir, saved_step, "the loss is not finite")
            raise UserError(
                f"The loss or its gradient is not finite at step {step + 1} (loss {loss}, gradient {norm}), on the "
                f"videos {', '.join(videos)}. {workdir_says} Lower training.learning_rate, or set training.clip_norm."
            )
        step += 1
        position = Position(int(batch["epoch"][-1]), int(batch["window"][-1]) + 1)
        log.add(loss)
        if step == state.step + 1:
            log.started()
        if step % config.log_steps == 0 or step == config.steps:
            log.write(step, position.epoch, norm, float(model.optimizer.learning_rate))
        if step >= config.steps:
            reason = "all steps are done"
        elif workdir.stop.exists():
            reason = "the evaluator said stop"
        minutes = (time.monotonic() - saved_at) / 60
        if step % config.checkpoint_steps == 0 or minutes >= config.checkpoint_minutes or reason or received:
            save()
        if reason:
            print(f"finished at step {step:,}: {reason}", flush=True)
            _finish(workdir, step, reason)
            return 0
        if received:
            name = signal.Signals(received[0]).name
            print(f"{name}: saved step {step:,} and left. The same command goes on from there.", flush=True)
            return 128 + received[0]
    raise AssertionError("the training data have no end")


def _resumed_or_new(experiment: Experiment, workdir: Workdir, corpus: Corpus) -> tuple[keras.Model, TrainingState]:
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
    if experiment.model.standardise_landmarks:
        models.fit_landmarks(model, corpus.landmarks())
    model.compile(optimizer=training_step.optimiser(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    print(f"{experiment.name}: {model.count_params():,} weights, from random ones")
    return model, TrainingState(0, START.epoch, START.window, config.seed)


def _finish(workdir: Workdir, step: int, reason: str) -> None:
    write_json(workdir.finished, {"step": step, "reason": reason})


@contextmanager
def _signals():
    """Gathers SIGINT and SIGTERM in a list instead of dying of them; a second SIGINT kills as usual."""
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
