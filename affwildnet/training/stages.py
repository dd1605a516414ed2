"""Training, in one go or in stages, each in a working directory of its own (thesis table 6.3)."""

import json
import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from affwildnet import models
from affwildnet.data import Corpus
from affwildnet.experiments.config import Experiment, Stage
from affwildnet.runs import checkpoints, folds
from affwildnet.runs.folds import Fold
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, patterns, weight_copies
from affwildnet.training import step as training_step
from affwildnet.training.start import Earlier, check_init
from tfrecords_tools.errors import UserError, check_choice

POLL_SECONDS = 2.0
# Without a newly scored checkpoint for so long, the evaluator is taken to have gone.
EVALUATOR_MINUTES = 30.0
_TAKEN_NAMES = (patterns.RANDOM, patterns.INIT, "checkpoints", "best", "tensorboard")


def train(experiment: Experiment, data_dir: Path, workdir: Workdir, only: str = "", fold: Fold | None = None) -> int:
    """Train an experiment, its stages in order where it has any; return the exit status.

    A stage that is done is not run again, and one that was stopped or killed goes on where it was.

    Args:
      only: the name of the one stage to run; empty runs them all.
      fold: the one that is trained, in the working directory `Workdir.of_fold`; None trains on the split `train`.

    Raises:
      UserError: as `loop.train_one`; for stages that do not fit each other or the network; and if `only` is none of
        them. All that can be known beforehand is found before anything is trained.
    """
    _check_labels(experiment)
    if fold:
        print(fold.told(), flush=True)
    elif experiment.protocol == "folds":
        print(
            f"{experiment.name} is scored by folds: for each, --fold=1 and so on, of {folds.how_to_make(data_dir)} "
            "This run trains on the split train.",
            flush=True,
        )
    stages = experiment.training.stages
    if not stages:
        if only:
            raise UserError(f"`--stage` needs an experiment with stages. Received: {only}; {experiment.name} has none.")
        return loop.train_one(experiment, data_dir, workdir, fold=fold)
    if only:
        check_choice("--stage", only, [stage.name for stage in stages])
    chosen = [stage for stage in stages if only in ("", stage.name)]
    _check(experiment)
    Corpus.for_experiment(data_dir, "train", experiment, fold)
    workdir.check(experiment, fold=fold)
    for stage in chosen:
        own = workdir.stage(stage.name)
        own.check(of_stage(experiment, stage), stage, fold)
        if not checkpoints.listed(own.checkpoints):
            check_init(experiment.training, stage)
    workdir.start(experiment, data_dir, fold=fold)
    workdir.finished.unlink(missing_ok=True)
    for stage in chosen:
        status = _train_stage(experiment, data_dir, workdir, stage, fold)
        if status:
            return status
    _finish(workdir, chosen[-1], f"stage {only} is done" if only else "all stages are done")
    return 0


def of_stage(experiment: Experiment, stage: Stage) -> Experiment:
    """Return the experiment that one stage is: without stages, with the stage's learning rate and steps."""
    training = experiment.training
    steps = stage.steps or training.steps
    return replace(experiment, training=replace(training, stages=(), learning_rate=stage.learning_rate, steps=steps))


def _check_labels(experiment: Experiment) -> None:
    """Raise a `UserError` if the network's output, the loss and the balance are not of the same kind of label."""
    head, loss, balance = experiment.model.head, experiment.training.loss, experiment.training.balance
    if (head == "expression") != (loss == "cross_entropy"):
        raise UserError(
            "`model.head` expression goes with `training.loss` cross_entropy, valence_arousal with ccc or mse. "
            f"Received: {head} with {loss}. Change one with --set, or choose another experiment than {experiment.name}."
        )
    if head == "expression" and balance:
        raise UserError(
            "`training.balance` is of the quadrants of valence and arousal, and must be empty for expressions. "
            f"Received: {', '.join(f'{share:g}' for share in balance)}. Leave it out with --set training.balance="
        )


def _check(experiment: Experiment) -> None:
    """Check every stage by itself, against those before it, and against the network."""
    layers = list(weight_copies.weighted_layers(models.build(experiment.model)))
    earlier: list[str] = []
    for stage in experiment.training.stages:
        if not re.fullmatch(r"\w[\w.-]*", stage.name) or stage.name in (*earlier, *_TAKEN_NAMES):
            raise UserError(
                "A stage's name must be that of a folder, no other stage's, and none of "
                f"{', '.join(_TAKEN_NAMES)}. Received: {stage.name!r}"
            )
        training_step.check(of_stage(experiment, stage).training)
        for _, source in stage.starts:
            check_choice(f"starts of stage {stage.name}", source, [patterns.RANDOM, patterns.INIT, *earlier])
        patterns.sources_of(layers, experiment.training, stage)
        patterns.trained_by(stage, layers)
        earlier.append(stage.name)


def _train_stage(experiment: Experiment, data_dir: Path, workdir: Workdir, stage: Stage, fold: Fold | None) -> int:
    own, config = workdir.stage(stage.name), of_stage(experiment, stage)
    reason, last = own.reason_finished(), own.step_finished()
    if reason and (own.stop.exists() or last >= config.training.steps):
        print(f"stage {stage.name} is done: step {last:,}, {reason}", flush=True)
        return 0
    print(
        f"stage {stage.name}: learning rate {stage.learning_rate:g}, {config.training.steps:,} steps, in {own.path}",
        flush=True,
    )
    try:
        earlier = partial(_checkpoint_of, workdir, experiment)
        return loop.train_one(config, data_dir, own, stage, earlier, fold)
    except UserError:
        if failed := own.reason_finished():  # no later stage will come either
            _finish(workdir, stage, f"stage {stage.name}: {failed}")
        raise


def _finish(workdir: Workdir, last: Stage, reason: str) -> None:
    workdir.finish(workdir.stage(last.name).step_finished() or 0, reason)


def _checkpoint_of(workdir: Workdir, experiment: Experiment, name: str) -> Earlier:
    """Return a stage's best checkpoint by the mean CCC if an evaluator has kept one, else its latest.

    Raises:
      UserError: if the stage has none.
    """
    own = workdir.stage(name)
    saved = checkpoints.listed(own.checkpoints)
    if saved and own.reason_finished():
        _wait_for_the_evaluator(workdir, experiment, name, checkpoints.step_of(saved[-1]))
    elif saved:
        print(f"stage {name} has not finished; what it has so far is used")
    best = own.best / "best_mean.keras"
    if best.is_file():
        step = json.loads(checkpoints.state_path(best).read_text("utf-8"))["step"]
        return Earlier(best, f"the best checkpoint of {name}, step {step:,}, {best}")
    if not saved:
        raise UserError(
            f"{own.path}: stage {name}, from which a later one starts, has no checkpoint. Run --stage={name} first."
        )
    return Earlier(saved[-1], f"the latest checkpoint of {name}, as no evaluator has chosen a best, {saved[-1]}")


def _wait_for_the_evaluator(workdir: Workdir, experiment: Experiment, name: str, last: int) -> None:
    """Wait until the last checkpoint of a stage is scored, if an evaluator watches this training.

    That is told by the `metrics.jsonl` of any stage, as an evaluator may still be at an earlier one. It may have been
    ended since, so that the wait ends too when for `EVALUATOR_MINUTES` nothing new is scored.
    """
    logs = [workdir.stage(stage.name).metrics for stage in experiment.training.stages]
    before, since = None, time.monotonic()
    while any(log.exists() for log in logs):
        if last in (line["step"] for line in read_lines(workdir.stage(name).metrics)):
            return
        scored = sum(log.stat().st_size for log in logs if log.exists())
        if before is None:
            print(
                f"waiting for the evaluator, which has not scored step {last:,} of {name} yet; "
                f"for at most {EVALUATOR_MINUTES:g} minutes without a newly scored checkpoint",
                flush=True,
            )
        if scored != before:
            before, since = scored, time.monotonic()
        elif time.monotonic() - since > EVALUATOR_MINUTES * 60:
            print(f"no checkpoint was scored in {EVALUATOR_MINUTES:g} minutes: going on with what there is", flush=True)
            return
        time.sleep(POLL_SECONDS)
