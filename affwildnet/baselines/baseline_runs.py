"""The baselines, each trained, scored and reported in a working directory of its own."""

import dataclasses
import logging
from dataclasses import replace
from pathlib import Path

import joblib

from affwildnet.baselines import sift_svr as sift
from affwildnet.baselines.sift_svr import Settings
from affwildnet.data import Corpus
from affwildnet.evaluation import reference_scores, scored_run
from affwildnet.evaluation.reporting import report_files, score_rows, score_tables
from affwildnet.evaluation.reporting.assembly import Source, assemble
from affwildnet.evaluation.reporting.report import Report
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.selection import Choices
from affwildnet.evaluation.watching import watch
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tfrecords_tools.files import whole
from tfrecords_tools.records.schema import DIMENSIONS

_log = logging.getLogger(__name__)


def sift_svr(run: Run, workdir: Workdir | Path | str, split: str, settings: Settings) -> Report:
    """Fit SIFT + SVR on the train split, score it, write regressors and report, and return the report.

    Args:
      run: of `baseline_experiments.SIFT_SVR`.

    Raises:
      UserError: as `sift_svr.fit`, or if there is no such split.
    """
    _log.info("SIFT + SVR")
    workdir = Workdir.at(workdir)
    train_split, validation, scored = (
        Corpus.open(run.data_dir, name, fold=run.fold) for name in ("train", "validation", split)
    )
    fitted = sift.fit(train_split, validation, settings)
    workdir.path.mkdir(parents=True, exist_ok=True)
    path = workdir.path / "sift_svr.joblib"
    with whole(path) as partial:
        joblib.dump(fitted, partial)
    evaluation = sift.evaluate(fitted, scored)
    scores = protocols.score(evaluation, "frames", EvaluationConfig())
    baselines = reference_scores.baselines(train_split, scored)
    chosen = dict(zip(DIMENSIONS, fitted.penalties, strict=True))
    configuration = {**dataclasses.asdict(settings), "frames_fitted": fitted.frames, "chosen_penalty": chosen}
    report = assemble(Source(run.experiment, scored, path), evaluation, scores, baselines=baselines)
    report = replace(report, configuration=configuration)
    report_files.write(report, evaluation, scored, workdir)
    return report


def cnn_m(run: Run, workdir: Workdir | Path | str, split: str) -> Report:
    """Train CNN-M, score its checkpoints, and return the report of the best one.

    Args:
      run: of `baseline_experiments.cnn_m`.

    Raises:
      UserError: as `training.train` and `scored_run.once`.
    """
    _log.info("CNN-M")
    if status := train(run, workdir):
        raise SystemExit(status)
    watch(workdir, patience=0)
    return scored_run.once(workdir, Choices(split)).report


def table(reports: dict[str, Report]) -> str:
    """Return the scores of several reports on one split as lines of text."""
    rows = []
    for name, report in reports.items():
        rows += [score_rows.own_row(report, name), *score_rows.interval_rows(report)]
    last = list(reports.values())[-1]
    rows += [score_rows.ScoreRow(name, scores) for name, scores in last.baselines.items()]
    return "\n".join(score_tables.lines(rows, score_rows.columns(last)))
