"""The two ways to evaluate: once, with a report; or beside the trainer, each new checkpoint."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import keras

from affwildnet import checkpoints
from affwildnet.data import Corpus
from affwildnet.evaluation import best, report
from affwildnet.evaluation.baselines import baselines
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.watcher import POLL_SECONDS, Watcher
from affwildnet.experiments.config import Experiment
from affwildnet.workdir import Workdir
from tfrecords_tools.errors import UserError


@dataclass(frozen=True)
class Scored:
    """What one evaluation leaves.

    Attributes:
      model: the scored network.
      report: as it was written.
      paths: the files that were written, by what they hold: `report`, `page`, `estimates` and the plots.
    """

    model: keras.Model
    report: dict
    paths: dict[str, Path]


def once(workdir: Workdir, data_dir: Path | None, split: str, checkpoint: str) -> Scored:
    """Scores one checkpoint on one split and writes its report into the working directory.

    Of a training in stages it is the last stage that has such a checkpoint, and the report is written into that one's.

    Args:
      data_dir: the packed corpus; None is the one that the training used.
      checkpoint: see `best.find`.

    Raises:
      UserError: if there is no such training, checkpoint or split, or something in them cannot be used.
    """
    experiment, trained_on = workdir.open()
    if experiment.training.stages:
        workdir = _stage_with(workdir, experiment, checkpoint)
        experiment, trained_on = workdir.open()
    path = best.find(workdir, checkpoint)
    folder = data_dir or trained_on
    corpus = Corpus.open(folder, split, experiment.model.image_size)
    evaluator = Evaluator(corpus, experiment.evaluation)
    model = checkpoints.load(path)
    evaluation = evaluator(model)
    written = report.contents(evaluation, experiment, path, _step(path), _baselines(corpus))
    return Scored(model, written, report.write(written, evaluation, workdir))


def _baselines(corpus: Corpus) -> dict[str, dict]:
    # A corpus to score on only has nothing to fit them on.
    if not any(entry.split == "train" and entry.frames_labelled for entry in corpus.manifest.videos):
        return {}
    return baselines(Corpus.open(corpus.folder, "train"), corpus)


def _stage_with(workdir: Workdir, experiment: Experiment, checkpoint: str) -> Workdir:
    """Returns the working directory of the last stage that has such a checkpoint; of a file, that in which it lies."""
    stages = [workdir.stage(stage.name) for stage in reversed(experiment.training.stages)]
    file = Path(checkpoint).resolve()
    for stage in (stage for stage in stages if stage.begun):
        with suppress(UserError):
            best.find(stage, checkpoint)
            if not file.is_file() or file.is_relative_to(stage.path.resolve()):
                print(f"stage {stage.path.name}")
                return stage
    return workdir  # which has none, or the file is from elsewhere


def watch(workdir: Workdir, data_dir: Path | None, split: str, patience: int | None, timeout_minutes: float) -> int:
    """Scores each new checkpoint of a training, which need not have begun; returns the exit status.

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
    """Sleeps a little; raises a `UserError` if that has gone on for too long."""
    if timeout_minutes and time.monotonic() - since > timeout_minutes * 60:
        workdir.open()  # says so if nothing has begun here at all
        raise UserError(f"{workdir.path}: no stage has begun for {timeout_minutes:g} minutes. Does train.py run?")
    time.sleep(POLL_SECONDS)


def _step(path: Path) -> int | None:
    try:
        return json.loads(checkpoints.state_path(path).read_text("utf-8"))["step"]
    except (OSError, ValueError, KeyError):
        return None  # a .keras file from elsewhere
