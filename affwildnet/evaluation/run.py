"""The two ways to evaluate: once, with a report; or beside the trainer, each new checkpoint."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import keras

from affwildnet import checkpoints
from affwildnet.data import Corpus
from affwildnet.evaluation import best, report
from affwildnet.evaluation.baselines import baselines
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.watcher import POLL_SECONDS, Watcher
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

    Args:
      data_dir: the packed corpus; None is the one that the training used.
      checkpoint: see `best.find`.

    Raises:
      UserError: if there is no such training, checkpoint or split, or something in them cannot be used.
    """
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


def watch(workdir: Workdir, data_dir: Path | None, split: str, patience: int | None, timeout_minutes: float) -> int:
    """Scores each new checkpoint of a training, which need not have begun; returns the exit status.

    Args:
      patience: None is what the experiment says.
      timeout_minutes: see `Watcher.run`.
    """
    began = time.monotonic()
    while not (workdir.path / "experiment.json").exists():
        if timeout_minutes and time.monotonic() - began > timeout_minutes * 60:
            workdir.open()  # says what is missing
        time.sleep(POLL_SECONDS)
    experiment, trained_on = workdir.open()
    patience = experiment.evaluation.patience if patience is None else patience
    if patience < 0:
        raise UserError(f"`--patience` must be at least 0. Received: {patience}")
    return Watcher(experiment, data_dir or trained_on, workdir, split, patience).run(timeout_minutes)


def _step(path: Path) -> int | None:
    try:
        return json.loads(checkpoints.state_path(path).read_text("utf-8"))["step"]
    except (OSError, ValueError, KeyError):
        return None  # a .keras file from elsewhere
