"""Scoring a working directory, or the folds of a cross-validation in it, with a report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.reference_scores import baselines
from affwildnet.evaluation.reporting import report
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.trained import Choices, Trained
from affwildnet.experiments.config import Experiment
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError


@dataclass(frozen=True)
class SplitPredictions:
    """The predictions of a working directory for one split.

    Attributes:
      experiment: how they are scored.
      corpus: the split.
      checkpoint: the network's file; of folds, the folder of all of them.
      step: its training step, None where it is not known.
      plain: as the network gives them.
      final: after post-processing.
      post_processing: what was chosen, as JSON can hold it; None where nothing was asked for.
      model: the network; None for folds.
    """

    experiment: Experiment
    corpus: Corpus
    checkpoint: Path
    step: int | None
    plain: Evaluation
    final: Evaluation
    post_processing: dict | None
    model: keras.Model | None = None


@dataclass(frozen=True)
class Outcome:
    """What one evaluation leaves.

    Attributes:
      predicted: what was scored.
      report: as it was written.
      paths: the files that were written, by what they hold: `report`, `page`, `predictions` and the plots.
    """

    predicted: SplitPredictions
    report: dict
    paths: dict[str, Path]


def once(workdir: Workdir, choices: Choices, against: Workdir | None = None) -> Outcome:
    """Score one checkpoint on one split and write its report beside it.

    Args:
      against: a working directory whose checkpoint of the same name is scored too, on the same frames; the report
        has the difference.

    Raises:
      UserError: if there is no such training, checkpoint or split, or something in them cannot be used.
    """
    trained = Trained(workdir, choices)
    predicted = _predicted(trained, choices.split)
    known = _baselines(trained, predicted.corpus)
    other = (against, _predicted(Trained(against, choices), choices.split)) if against else None
    return _reported(predicted, trained.workdir, choices, known, other)


def folds(workdir: Workdir, choices: Choices, against: Workdir | None = None) -> Outcome:
    """Score each fold's network on its own part, and all of them together (ijcv2019 section 5.1.2).

    Args:
      against: a working directory with the same folds.

    Raises:
      UserError: as `once`, and if a fold has not been trained.
    """
    other = (against, _of_folds(against, choices)) if against else None
    return _reported(_of_folds(workdir, choices), workdir, choices, {}, other)


def _predicted(trained: Trained, split: str) -> SplitPredictions:
    plain = trained.predictions(split)
    post = trained.post_processing
    return SplitPredictions(
        trained.experiment,
        trained.corpus(split),
        trained.checkpoint,
        trained.step,
        plain,
        post.apply(plain),
        post.contents() if trained.experiment.evaluation.post_process else None,
        trained.model,
    )


def _of_folds(workdir: Workdir, choices: Choices) -> SplitPredictions:
    begun = sorted(path for path in workdir.path.glob("fold-*") if Workdir(path).begun)
    if not begun:
        raise UserError(f"{workdir.path}: no fold was trained here. Train them with `train.py --fold=1` and so on.")
    count = Workdir(begun[0]).fold().count
    missing = [number for number in range(1, count + 1) if not workdir.of_fold(number).begun]
    if missing:
        raise UserError(
            f"{workdir.path}: all {count} folds must be trained. Missing: {', '.join(map(str, missing))}. "
            f"Train it with `train.py --fold={missing[0]}`."
        )
    every = []
    for number in range(1, count + 1):
        print(f"fold {number} of {count}", flush=True)
        every.append(_predicted(Trained(workdir.of_fold(number), choices), choices.split))
        keras.backend.clear_session()
    corpora = [each.corpus for each in every]
    together = replace(corpora[0], videos=tuple(entry for corpus in corpora for entry in corpus.videos))
    return SplitPredictions(
        replace(every[0].experiment, protocol="folds"),
        together,
        workdir.path,
        None,
        protocols.gather([each.plain for each in every]),
        protocols.gather([each.final for each in every]),
        _of_all([each.post_processing for each in every]) if every[0].post_processing else None,
    )


def _of_all(chosen: Sequence[dict]) -> dict:
    """What was chosen for each fold, and the mean of the CCCs on their validation parts."""
    steps = {
        f"fold {number}, {step}": sizes
        for number, each in enumerate(chosen, start=1)
        for step, sizes in each["chosen"].items()
    }
    validation = {
        when: {name: float(np.mean([each["validation"][when][name] for each in chosen])) for name in row}
        for when, row in chosen[0]["validation"].items()
    }
    return {"chosen": steps, "validation": validation}


def _reported(
    predicted: SplitPredictions,
    workdir: Workdir,
    choices: Choices,
    known: dict[str, dict],
    other: tuple[Workdir, SplitPredictions] | None,
) -> Outcome:
    protocol, config = predicted.experiment.protocol, predicted.experiment.evaluation
    scored = protocols.score(predicted.final, protocol, config, choices.resamples)
    post = predicted.post_processing
    if post:
        post = {**post, "without": protocols.score(predicted.plain, protocol, config, 0).scores}
    against = None
    if other:
        theirs = other[1]
        difference = protocols.paired(predicted.final, theirs.final, protocol, config, choices.resamples or 1000)
        against = {"workdir": str(other[0].path), "checkpoint": str(theirs.checkpoint), "difference": difference}
    contents = report.contents(
        predicted.final,
        scored,
        predicted.experiment,
        predicted.corpus,
        predicted.checkpoint,
        predicted.step,
        known,
        post,
        against,
    )
    print("writing the report", flush=True)
    return Outcome(predicted, contents, report.write(contents, predicted.final, predicted.corpus, workdir))


def _baselines(trained: Trained, corpus: Corpus) -> dict[str, dict]:
    # A corpus to score on only has nothing to fit them on; classes have other measures.
    if trained.experiment.model.head != "valence_arousal":
        return {}
    if trained.fold is None and not any(entry.split == "train" for entry in corpus.manifest.videos):
        return {}
    train = trained.corpus("train")
    if train.frames_labelled == 0:
        return {}
    return baselines(train, corpus, trained.experiment.protocol, trained.experiment.evaluation)
