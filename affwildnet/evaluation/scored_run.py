"""Scoring a run, or all folds of a cross-validation, with a report."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from affwildnet.data import Corpus
from affwildnet.evaluation import fused_members
from affwildnet.evaluation.reference_scores import baselines
from affwildnet.evaluation.reporting import report_files
from affwildnet.evaluation.reporting.assembly import Source, assemble
from affwildnet.evaluation.reporting.plots import Plots
from affwildnet.evaluation.reporting.report import Against, FusedMember, PostProcessed, Report
from affwildnet.evaluation.scoring import postprocessing, protocols
from affwildnet.evaluation.scoring.postprocessing import Chosen
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.selection import (
    Choices,
    Selected,
    check_against,
    check_resamples,
    check_same_videos,
    folds_in,
    protocol_of_folds,
)
from affwildnet.evaluation.trained import Trained
from affwildnet.experiments.config import Experiment
from affwildnet.metrics import Scores
from affwildnet.runs import best
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import check_choice
from tfrecords_tools.errors.room import needing
from tfrecords_tools.files import folder_at
from tfrecords_tools.records.schema import SPLITS

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of a run, or of all its folds, for one split.

    Attributes:
      workdir: of the run.
      experiment: how they are scored.
      corpus: the split.
      checkpoint: the network's file; for folds, the folder of all of them.
      step: training step of the checkpoint; None where it is not known.
      plain: as the network predicts them.
      final: after post-processing.
      post_processing: what was chosen; None where the experiment has no such step.
      model: the network; None for folds.
      training_data: what the network was trained on; None for folds, whose own parts differ, and where it is not known.
      trained_on: folder of the corpus that the network was trained on.
      configured: the experiment with all its stages, and `stage` the one that is scored; None and "" without stages.
      rehearsal: why the run, or one of its folds, is a rehearsal; empty where it is none.
      members: of a fusion of decisions.
    """

    workdir: Workdir
    experiment: Experiment
    corpus: Corpus
    checkpoint: Path
    step: int | None
    plain: Evaluation
    final: Evaluation
    post_processing: Chosen | None
    model: keras.Model | None = None
    training_data: TrainingData | None = None
    trained_on: Path = Path()
    configured: Experiment | None = None
    stage: str = ""
    rehearsal: tuple[str, ...] = ()
    members: tuple[FusedMember, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What scoring a run gives.

    Attributes:
      predicted: the predictions that were scored.
      report: what was written.
      paths: the files that were written, by what they hold: `report`, `page`, `predictions` and the plots.
    """

    predicted: RunPredictions
    report: Report
    paths: dict[str, Path]


def evaluate(
    workdir: Workdir | Path | str,
    split: str = "validation",
    checkpoint: str = best.MEAN,
    *,
    data_dir: Path | str | None = None,
    settings: Sequence[str] = (),
    resamples: int = 1000,
) -> Report:
    """Score one checkpoint of a run on one split; return the report, which is also written into the working directory.

    Args:
      split: "train", "validation" or "test".
      checkpoint: "best_mean", "best_valence", "best_arousal", "latest", or a `.keras` file.
      data_dir: the packed corpus; None is the one that the network was trained on.
      settings: overridden fields of `EvaluationConfig`, such as "evaluation.overlap=40".
      resamples: of the bootstrap, 40 or more; 0 leaves intervals out.

    Raises:
      UserError: as `once`, and if an argument is not one of those named here.

    Example:
      >>> evaluate("runs/demo", split="test").summary()
    """
    check_choice("split", split, SPLITS)
    check_resamples(resamples)
    folder = None if data_dir is None else folder_at(data_dir)
    return once(workdir, Choices(split, checkpoint, folder, settings, resamples)).report


def once(
    workdir: Workdir | Path | str,
    choices: Choices,
    against: Workdir | Path | str | None = None,
) -> Outcome:
    """Score one checkpoint of a run on one split and write a report into its working directory.

    All that can be known to be wrong is found before the scoring, which may take hours.

    Args:
      against: a working directory whose checkpoint of the same name is scored as well, on the same frames; the report
        has the difference.

    Raises:
      UserError: if there is no such run, checkpoint or split, or something in them cannot be used.
    """
    if against:
        check_against(Workdir.at(against), Workdir.at(workdir))
    trained = Trained(Workdir.at(workdir), choices)
    corpus = trained.corpus(choices.split)
    second = Trained(Workdir.at(against), choices) if against else None
    if second:
        check_same_videos([corpus], [second.corpus(choices.split)])
    predicted = _predicted(trained, choices.split)
    with report_files.begin_plots(predicted.final, trained.workdir, trained.step, second and second.workdir) as plots:
        references = _references(trained, corpus)
        other = _predicted(second, choices.split) if second else None
        return _reported(predicted, choices, references, other, plots)


def folds(
    workdir: Workdir | Path | str,
    choices: Choices,
    against: Workdir | Path | str | None = None,
) -> Outcome:
    """Score the network of each fold on the fold's own part, and all parts together (ijcv2019 section 5.1.2).

    Args:
      against: a working directory with the same folds.

    Raises:
      UserError: as `once`, and if a fold has not been trained.
    """
    if against:
        check_against(Workdir.at(against), Workdir.at(workdir))
    corpora = [Selected(own, choices).corpus(choices.split) for own in folds_in(Workdir.at(workdir))]
    if against:
        others = [Selected(own, choices).corpus(choices.split) for own in folds_in(Workdir.at(against))]
        check_same_videos(corpora, others)
    predicted = _of_folds(Workdir.at(workdir), choices)
    with report_files.begin_plots(predicted.final, workdir, predicted.step, against) as plots:
        other = _of_folds(Workdir.at(against), choices) if against else None
        return _reported(predicted, choices, {}, other, plots)


def _predicted(trained: Trained, split: str) -> RunPredictions:
    plain = trained.predictions(split)
    post = trained.post_processing
    return RunPredictions(
        workdir=trained.workdir,
        experiment=trained.experiment,
        corpus=trained.corpus(split),
        checkpoint=trained.checkpoint,
        step=trained.step,
        plain=plain,
        final=post.apply(plain),
        post_processing=post.chosen() if trained.experiment.evaluation.post_process else None,
        model=trained.model,
        training_data=trained.training_data,
        trained_on=trained.trained_on,
        configured=trained.configured,
        stage=trained.run.stage.name if trained.run.stage else "",
        rehearsal=trained.rehearsal,
        members=fused_members.stored(trained.checkpoint),
    )


def _of_folds(workdir: Workdir, choices: Choices) -> RunPredictions:
    every, workdirs = [], folds_in(workdir)
    for number, own in enumerate(workdirs, start=1):
        _log.info(f"fold {number} of {len(workdirs)}")
        every.append(_predicted(Trained(own, choices), choices.split))
        keras.backend.clear_session()
    corpora = [each.corpus for each in every]
    together = replace(corpora[0], videos=tuple(entry for corpus in corpora for entry in corpus.videos))
    chosen = [each.post_processing for each in every]
    return RunPredictions(
        workdir=workdir,
        experiment=replace(every[0].experiment, protocol=protocol_of_folds(every[0].experiment.protocol)),
        corpus=together,
        checkpoint=workdir.path,
        step=None,
        plain=protocols.gather([each.plain for each in every]),
        final=protocols.gather([each.final for each in every]),
        post_processing=postprocessing.over_folds(chosen) if chosen[0] else None,
        trained_on=every[0].trained_on,
        rehearsal=tuple(dict.fromkeys(reason for each in every for reason in each.rehearsal)),
    )


def _reported(
    predicted: RunPredictions,
    choices: Choices,
    references: dict[str, Scores],
    other: RunPredictions | None,
    plots: Plots,
) -> Outcome:
    protocol, config = predicted.experiment.protocol, predicted.experiment.evaluation
    scored = protocols.score(predicted.final, protocol, config, choices.resamples)
    post = against = None
    if predicted.post_processing:
        without = protocols.score(predicted.plain, protocol, config, 0).scores
        post = PostProcessed(predicted.post_processing, without)
    if other:
        difference = protocols.paired(predicted.final, other.final, protocol, config, choices.resamples or 1000)
        against = Against(other.workdir.path, other.checkpoint, difference)
    source = Source(
        predicted.experiment,
        predicted.corpus,
        predicted.checkpoint,
        predicted.step,
        predicted.training_data,
        predicted.configured,
        predicted.stage,
        predicted.rehearsal,
        predicted.members,
    )
    report = assemble(source, predicted.final, scored, baselines=references, post_processing=post, against=against)
    _log.info("writing the report")
    with needing(report_files.size_of(predicted.corpus)):
        paths = report_files.write(
            report, predicted.final, predicted.corpus, predicted.workdir, choices.label(predicted.trained_on), plots
        )
    return Outcome(predicted, report, paths)


def _references(trained: Trained, corpus: Corpus) -> dict[str, Scores]:
    # A corpus without a train split has nothing to fit them on; expressions have other measures.
    if trained.experiment.model.head != "valence_arousal":
        return {}
    if trained.run.fold is None and not any(entry.split == "train" for entry in corpus.manifest.videos):
        return {}
    train = trained.corpus("train")
    if train.frames_labelled == 0:
        return {}
    return baselines(train, corpus, trained.experiment.protocol, trained.experiment.evaluation)
