"""Folds by subject (ijcv2019 section 5.1.2): the frames of all folds, pooled, and the mean over the folds."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from affwildnet.evaluation.scoring import frames
from affwildnet.evaluation.scoring.details import Details, OtherScores, mean_of, reasons_for_none
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError

UNIT = "frames"
OVER = "videos"
MEAN = "mean over the folds"

parts = frames.parts


def gather(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the evaluations of several folds as one, with the videos of all of them.

    Args:
      evaluations: one for each fold, all of the same split; no video may be in two of them.

    Raises:
      UserError: if there is none, their splits differ, or a video is in two of them.
    """
    if not evaluations:
        raise UserError("Folds must be gathered from at least one evaluation. Received: none.")
    splits = sorted({evaluation.split for evaluation in evaluations})
    if len(splits) > 1:
        raise UserError(f"Folds must be gathered from evaluations of the same split. Received: {', '.join(splits)}.")
    seen: dict[tuple[str, str], int] = {}
    for number, evaluation in enumerate(evaluations, start=1):
        for video in evaluation.videos:
            if (earlier := seen.setdefault(video.key, number)) != number:
                raise UserError(
                    f"A video must be in one fold only. Received: {video.video} in evaluations {earlier} and {number} "
                    f"of {len(evaluations)}. Evaluate each fold of one partition once."
                )
    videos = [video for evaluation in evaluations for video in evaluation.videos]
    labelled = sum(evaluation.frames_labelled for evaluation in evaluations)
    folds = tuple(len(evaluation.videos) for evaluation in evaluations)
    smoothing = tuple(evaluation.smoothing for evaluation in evaluations)
    return Evaluation.of(splits[0], videos, labelled, folds=folds, smoothing=smoothing)


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    """Return what `frames` does, and the mean over the folds where there are several."""
    found = frames.details(evaluation, config)
    if not evaluation.folds:
        return found
    edges = [0, *accumulate(evaluation.folds)]
    own = [Evaluation.of(evaluation.split, evaluation.videos[start:stop]).scores for start, stop in pairwise(edges)]
    scores = mean_of(own)
    undefined = reasons_for_none(scores, "not defined for one of the folds")
    note = f"over {len(own)} folds, each with the same weight"
    return replace(found, others=(OtherScores(MEAN, scores, note, undefined), *found.others))
