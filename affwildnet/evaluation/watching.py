"""Watching a training that may not have begun, and one in stages, stage after stage."""

import time
from pathlib import Path

from affwildnet.evaluation.watcher import POLL_SECONDS, Watcher
from affwildnet.experiments.config import Experiment
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError


def watch(workdir: Workdir, data_dir: Path | None, split: str, patience: int | None, timeout_minutes: float) -> int:
    """Score each new checkpoint of a training, which need not have begun; return the exit status.

    Of a training in stages, one stage after the other is watched until it is finished.

    Args:
      patience: None is what the experiment says.
      timeout_minutes: see `Watcher.run`.
    """
    _wait_until_begun(workdir, timeout_minutes)
    experiment, trained_on = workdir.open()
    patience = experiment.evaluation.patience if patience is None else patience
    if patience < 0:
        raise UserError(f"`--patience` must be at least 0. Received: {patience}")
    if experiment.training.stages:
        return _watch_stages(workdir, experiment, data_dir, split, patience, timeout_minutes)
    return Watcher(experiment, data_dir or trained_on, workdir, split, patience).run(timeout_minutes)


def _watch_stages(
    workdir: Workdir,
    experiment: Experiment,
    data_dir: Path | None,
    split: str,
    patience: int,
    timeout_minutes: float,
) -> int:
    waiting = [workdir.stage(stage.name) for stage in experiment.training.stages]
    since = time.monotonic()
    while waiting:
        # Looked at before the folders: a stage that was begun before the mark is then seen.
        finished = workdir.reason_finished()
        # The first that has begun: those before it were left out, as `train.py --stage` does.
        stage = next((stage for stage in waiting if stage.begun), None)
        if stage:
            print(f"stage {stage.path.name}", flush=True)
            watch(stage, data_dir, split, patience, timeout_minutes)
            waiting.remove(stage)
            since = time.monotonic()
        elif finished:
            break
        else:
            _wait(workdir, since, timeout_minutes)
    return 0


def _wait_until_begun(workdir: Workdir, timeout_minutes: float) -> None:
    since = time.monotonic()
    while not workdir.begun:
        _wait(workdir, since, timeout_minutes)


def _wait(workdir: Workdir, since: float, timeout_minutes: float) -> None:
    """Sleep a little; raises a `UserError` if that has gone on for too long."""
    if timeout_minutes and time.monotonic() - since > timeout_minutes * 60:
        workdir.open()  # says so if nothing has begun here at all
        raise UserError(f"{workdir.path}: no stage has begun for {timeout_minutes:g} minutes. Does train.py run?")
    time.sleep(POLL_SECONDS)
