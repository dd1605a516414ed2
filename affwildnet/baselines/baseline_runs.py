"""The baselines one after the other, each trained, scored and reported in a working directory of its own."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import joblib

from affwildnet import experiments
from affwildnet.baselines import sift_svr as sift
from affwildnet.baselines.sift_svr import Settings
from affwildnet.data import Corpus
from affwildnet.evaluation import scored_run
from affwildnet.evaluation.reporting import report, score_tables
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.trained import Choices
from affwildnet.evaluation.watching import watch
from affwildnet.experiments.config import EvaluationConfig, Experiment
from affwildnet.experiments.overrides import override
from affwildnet.runs.folds import Fold
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tfrecords_tools.files import whole
from tfrecords_tools.records import manifest
from tfrecords_tools.records.schema import DIMENSIONS

# Checkpoints of CNN-M that the validation split chooses from.
CHECKPOINTS = 10

_SIFT_SVR = Experiment(
    name="baselines/sift_svr",
    title="SIFT descriptors of the face and support vector regression (cvprw2017 chapter 4)",
    notes="The paper gives no numbers of it. It does not say which descriptors and which settings: see sift_svr.py.",
)


def sift_svr(data_dir: Path, workdir: Workdir, split: str, settings: Settings, fold: Fold | None = None) -> dict:
    """Fit SIFT + SVR on the train split and score it; return the report, which is written with the regressors.

    Raises:
      UserError: as `sift_svr.fit`, or if there is no such split.
    """
    print("SIFT + SVR", flush=True)
    train_split, validation, scored = (
        Corpus.open(data_dir, name, fold=fold) for name in ("train", "validation", split)
    )
    fitted = sift.fit(train_split, validation, settings)
    workdir.path.mkdir(parents=True, exist_ok=True)
    path = workdir.path / "sift_svr.joblib"
    with whole(path) as partial:
        joblib.dump(fitted, partial)
    evaluation = sift.evaluate(fitted, scored)
    contents = report.contents(
        evaluation,
        protocols.score(evaluation, "frames", EvaluationConfig()),
        _SIFT_SVR,
        scored,
        path,
        None,
        scored_run.baselines(train_split, scored),
    )
    chosen = dict(zip(DIMENSIONS, fitted.penalties, strict=True))
    configuration = {**dataclasses.asdict(settings), "frames_fitted": fitted.frames, "chosen_penalty": chosen}
    contents = {**contents, "configuration": configuration}
    report.write(contents, evaluation, scored, workdir)
    return contents


def cnn_m(data_dir: Path, workdir: Workdir, split: str, settings: list[str], fold: Fold | None = None) -> dict:
    """Train the challenge's baseline CNN-M (ijcv2019 A.1), scores its checkpoints, and reports the best one.

    Args:
      settings: fields of the experiment that are other than the paper's; faces have the corpus's size in any case.
      fold: whose splits are used; None are the corpus's own.

    Raises:
      UserError: as `training.train` and `evaluation.run.once`.
    """
    print("CNN-M", flush=True)
    experiment = experiments.get("ijcv2019/cnn_m")
    size = manifest.load(data_dir).image_size
    experiment = override(replace(experiment, model=replace(experiment.model, image_size=size)), settings)
    # One process: the checkpoints are scored when all of them are there.
    every = -(-experiment.training.steps // CHECKPOINTS)
    training = replace(experiment.training, checkpoint_steps=every, keep_checkpoints=CHECKPOINTS)
    if status := train(replace(experiment, training=training), data_dir, workdir, fold=fold):
        raise SystemExit(status)
    watch(workdir, None, "validation", 0, 0)
    return scored_run.once(workdir, Choices(split)).report


def table(reports: dict[str, dict]) -> str:
    """Return the scores of several reports on one split as lines of text."""
    rows = []
    for name, contents in reports.items():
        own = score_tables.own_row(contents)
        rows += [replace(own, name=name), *score_tables.interval_rows(contents)]
    last = list(reports.values())[-1]
    rows += [score_tables.Row(name, scores, {}) for name, scores in last["baselines"].items()]
    return "\n".join(score_tables.lines(rows, score_tables.columns(last)))
