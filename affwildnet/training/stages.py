"""A run trained in one go, or in stages, each in a working directory of its own (thesis table 6.3)."""

import logging
import re
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import tensorflow as tf

from affwildnet import models
from affwildnet.data import Corpus, corpus_needs
from affwildnet.runs import best, checkpoints, folds
from affwildnet.runs.json_files import read_json, read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import feature_caching, memory, one_run, patterns, preconditions, weight_copies
from affwildnet.training import step as training_step
from affwildnet.training.freezing import FROZEN_NORMALISATION
from affwildnet.training.start import Earlier, check_backbone
from affwildnet.training.workers import Workers
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records import manifest

_log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
# An evaluator that has scored no further checkpoint for so long is taken to have ended.
EVALUATOR_MINUTES = 30.0
_RESERVED_NAMES = (patterns.RANDOM, patterns.INIT, "checkpoints", "best", "tensorboard")


def train(run: Run, workdir: Workdir | Path | str, stage: str = "", accept_data: bool = False) -> int:
    """Train a run, its stages in order if it has any; return the exit status.

    A stage that is done is not run again, and one that was stopped or killed goes on where it was. Several workers all
    call this, under one `tf.distribute` strategy.

    Args:
      run: what to train; a fold is trained on the fold's videos, anything else on the split `train`.
      workdir: where the run and its checkpoints are kept; a run that was begun there goes on.
      stage: the name of the one stage to train; empty trains them all.
      accept_data: go on although the training videos are others than before; the reports say so.

    Raises:
      UserError: as `one_run.train_one`; for stages that do not fit each other or the network; and if no stage has that
        name. All that can be checked beforehand is checked before any training.

    Example:
      >>> train(Run(experiments.get("sample/affwildnet"), "data/sample"), "runs/demo")
    """
    strategy = tf.distribute.get_strategy()
    workers = Workers(strategy)
    workdir = workers.shared(Workdir.at(workdir))
    preconditions.check_labels(run.experiment)
    corpus_needs.check(run.experiment, manifest.load(run.data_dir), run.data_dir)
    if run.fold:
        _log.info(run.fold.summary())
    elif run.experiment.protocol == "folds":
        _log.info(
            f"{run.experiment.name} is scored by folds: make them with {folds.how_to_make(run.data_dir)} and train "
            "each of them with --fold=1 and so on. This run trains on the split train."
        )
    feature_caching.check(run.experiment, strategy.num_replicas_in_sync)
    memory.check(run.experiment, strategy.num_replicas_in_sync)
    chosen = preconditions.chosen(run, stage)
    if not run.stages:
        training_step.check(run.experiment.training, strategy.num_replicas_in_sync)
        return one_run.train_one(run, workdir, accept_data=accept_data)
    _check_stages(run, strategy.num_replicas_in_sync)
    Corpus.of_run(run, "train")
    workdir.check(run)
    for each in chosen:
        own = workdir.of_stage(each.stage.name)
        own.check(each)
        if not checkpoints.listed(own.checkpoints):
            preconditions.check_init(each)
    with workdir.locked("trainer") if workers.chief else nullcontext():
        workdir.start(run)
        workdir.finished.unlink(missing_ok=True)
        for each in chosen:
            status = _train_stage(each, workdir, accept_data)
            if status:
                return status
        _finish(workdir, chosen[-1], f"stage {stage} is done" if stage else "all stages are done")
    return 0


def _check_stages(run: Run, devices: int) -> None:
    """Check every stage by itself, against those before it, and against the network and the number of devices."""
    model = models.build(run.experiment.model)
    layers = list(weight_copies.weighted_layers(model))
    earlier: list[str] = []
    for stage in run.stages:
        if not re.fullmatch(r"\w[\w.-]*", stage.name) or stage.name in (*earlier, *_RESERVED_NAMES):
            raise UserError(
                "A stage's name must be that of a folder, no other stage's, and none of "
                f"{', '.join(_RESERVED_NAMES)}. Received: {stage.name!r}"
            )
        own = run.of_stage(stage)
        training_step.check(own.experiment.training, devices)
        for _, source in stage.starts:
            check_choice(f"starts of stage {stage.name}", source, [patterns.RANDOM, patterns.INIT, *earlier])
        check_choice(f"stages.{stage.name}.frozen_normalisation", stage.frozen_normalisation, FROZEN_NORMALISATION)
        check_backbone(model, patterns.sources_of(layers, own), own)
        patterns.trained_by(stage, layers)
        earlier.append(stage.name)
    feature_caching.check_stages(model, [run.of_stage(stage) for stage in run.stages], layers)


def _train_stage(run: Run, workdir: Workdir, accept_data: bool) -> int:
    """Train the run of one stage, within the working directory of all; return the exit status."""
    name, steps = run.stage.name, run.experiment.training.steps
    own = workdir.of_stage(name)
    reason, last = own.reason_finished(), own.step_finished()
    if reason and (own.stop.exists() or last >= steps):
        _log.info(f"stage {name} is done: step {last:,}, {reason}")
        return 0
    _log.info(f"stage {name}: learning rate {run.stage.learning_rate:g}, {steps:,} steps, in {own.path}")
    try:
        return one_run.train_one(run, own, partial(_checkpoint_of, workdir), accept_data)
    except UserError:
        if failed := own.reason_finished():  # no later stage will come either
            _finish(workdir, run, f"stage {name}: {failed}")
        raise


def _finish(workdir: Workdir, last: Run, reason: str) -> None:
    workdir.finish(workdir.of_stage(last.stage.name).step_finished() or 0, reason)


def _checkpoint_of(workdir: Workdir, name: str) -> Earlier:
    """Return a stage's best checkpoint by the mean CCC if an evaluator has kept one, else its latest.

    Raises:
      UserError: if the stage has none.
    """
    own = workdir.of_stage(name)
    saved = checkpoints.listed(own.checkpoints)
    if saved and own.reason_finished():
        _wait_for_the_evaluator(workdir, name, checkpoints.step_of(saved[-1]))
    elif saved:
        _log.info(f"stage {name} has not finished; the next one starts from what it has so far")
    path = best.path_of(own)
    if path.is_file():
        step = (read_json(checkpoints.state_path(path)) or {}).get("step")
        at = f", step {step:,}" if isinstance(step, int) else ""
        return Earlier(path, f"the best checkpoint of {name}{at}, {path}")
    if not saved:
        raise UserError(
            f"{own.path}: stage {name}, from which a later one starts, has no checkpoint. "
            f"Train it first, with --stage={name}."
        )
    return Earlier(saved[-1], f"the latest checkpoint of {name}, as no evaluator has chosen a best, {saved[-1]}")


def _wait_for_the_evaluator(workdir: Workdir, name: str, last: int) -> None:
    """Wait until the last checkpoint of a stage is scored, if an evaluator watches this run.

    One does if any stage has a `metrics.jsonl`, as it may still be at an earlier stage. It may have ended since, so the
    wait ends as well when nothing new is scored for `EVALUATOR_MINUTES`.
    """
    logs = [workdir.of_stage(stage.name).metrics for stage in workdir.open().stages]
    before, since = None, time.monotonic()
    while any(log.exists() for log in logs):
        if last in (line["step"] for line in read_lines(workdir.of_stage(name).metrics)):
            return
        scored = sum(log.stat().st_size for log in logs if log.exists())
        if before is None:
            _log.info(
                f"waiting for the evaluator, which has not scored step {last:,} of {name} yet; "
                f"for at most {EVALUATOR_MINUTES:g} minutes without a newly scored checkpoint"
            )
        if scored != before:
            before, since = scored, time.monotonic()
        elif time.monotonic() - since > EVALUATOR_MINUTES * 60:
            _log.info(f"no checkpoint was scored in {EVALUATOR_MINUTES:g} minutes: going on with what there is")
            return
        time.sleep(POLL_SECONDS)
