"""Scoring a working directory, or the folds of a cross-validation in it, with a report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation import protocols, report
from affwildnet.evaluation.baselines import baselines
from affwildnet.evaluation.estimates import Evaluation
from affwildnet.evaluation.trained import Choices, Trained
from affwildnet.experiments.config import Experiment
from affwildnet.workdir import Workdir
from tfrecords_tools.errors import UserError


@dataclass(frozen=True)
class Estimated:
    """The estimates of a working directory for one split.

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
      estimated: what was scored.
      report: as it was written.
      paths: the files that were written, by what they hold: `report`, `page`, `estimates` and the plots.
    """

    estimated: Estimated
    report: dict
    paths: dict[str, Path]


def once(workdir: Workdir, choices: Choices, against: Workdir | None = None) -> Outcome:
    """Scores one checkpoint on one split and writes its report beside it.

    Args:
      against: a working directory whose checkpoint of the same name is scored too, on the same frames; the report
        has the difference.

    Raises:
      UserError: if there is no such training, checkpoint or split, or something in them cannot be used.
    """
    trained = Trained(workdir, choices)
    estimated = _estimated(trained, choices.split)
    known = _baselines(trained, estimated.corpus)
    other = (against, _estimated(Trained(against, choices), choices.split)) if against else None
    return _reported(estimated, trained.workdir, choices, known, other)


def folds(workdir: Workdir, choices: Choices, against: Workdir | None = None) -> Outcome:
    """Scores each fold's network on its own part, and all of them together (ijcv2019 section 5.1.2).

    Args:
      against: a working directory with the same folds.

    Raises:
      UserError: as `once`, and if a fold has not been trained.
    """
    other = (against, _of_folds(against, choices)) if against else None
    return _reported(_of_folds(workdir, choices), workdir, choices, {}, other)


def _estimated(trained: Trained, split: str) -> Estimated:
    plain = trained.estimates(split)
    post = trained.post_processing
    return Estimated(
        trained.experiment,
        trained.corpus(split),
        trained.checkpoint,
        trained.step,
        plain,
        post.apply(plain),
        post.contents() if trained.experiment.evaluation.post_process else None,
        trained.model,
    )


def _of_folds(workdir: Workdir, choices: Choices) -> Estimated:
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
        every.append(_estimated(Trained(workdir.of_fold(number), choices), choices.split))
        keras.backend.clear_session()
    corpora = [each.corpus for each in every]
    together = replace(corpora[0], videos=tuple(entry for corpus in corpora for entry in corpus.videos))
    return Estimated(
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
    estimated: Estimated,
    workdir: Workdir,
    choices: Choices,
    known: dict[str, dict],
    other: tuple[Workdir, Estimated] | None,
) -> Outcome:
    protocol, config = estimated.experiment.protocol, estimated.experiment.evaluation
    scored = protocols.score(estimated.final, protocol, config, choices.resamples)
    post = estimated.post_processing
    if post:
        post = {**post, "without": protocols.score(estimated.plain, protocol, config, 0).scores}
    against = None
    if other:
        theirs = other[1]
        difference = protocols.paired(estimated.final, theirs.final, protocol, config, choices.resamples or 1000)
        against = {"workdir": str(other[0].path), "checkpoint": str(theirs.checkpoint), "difference": difference}
    contents = report.contents(
        estimated.final,
        scored,
        estimated.experiment,
        estimated.corpus,
        estimated.checkpoint,
        estimated.step,
        known,
        post,
        against,
    )
    print("writing the report", flush=True)
    return Outcome(estimated, contents, report.write(contents, estimated.final, estimated.corpus, workdir))


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
