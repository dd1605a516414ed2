"""Folds by subject (ijcv2019 section 5.1.2): each frame of all folds, pooled; and the mean over the folds."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from affwildnet.evaluation.scoring import frames
from affwildnet.evaluation.scoring.details import Details, mean_of
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError

UNIT = "frames"
OVER = "videos"
MEAN = "mean over the folds"

parts = frames.parts


def gather(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the evaluations of several folds as one, whose videos are those of all of them.

    Args:
      evaluations: of one split's name each, of folds that have no video in common.

    Raises:
      UserError: if there is none, their splits differ, or a video stands in two of them.
    """
    if not evaluations:
        raise UserError("Folds are gathered from at least one evaluation. Received: none.")
    splits = sorted({evaluation.split for evaluation in evaluations})
    if len(splits) > 1:
        raise UserError(f"Folds are gathered from evaluations of the same split. Received: {', '.join(splits)}.")
    seen: dict[tuple[str, str], int] = {}
    for number, evaluation in enumerate(evaluations, start=1):
        for video in evaluation.videos:
            if (earlier := seen.setdefault(video.key, number)) != number:
                raise UserError(
                    f"A video must stand in one fold. Received: {video.video} in evaluations {earlier} and {number} of "
                    f"{len(evaluations)}. Evaluate each fold once, all of one partition."
                )
    videos = [video for evaluation in evaluations for video in evaluation.videos]
    return Evaluation.of(splits[0], videos, folds=tuple(len(evaluation.videos) for evaluation in evaluations))


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    found = frames.details(evaluation, config)
    if not evaluation.folds:
        return found
    edges = [0, *accumulate(evaluation.folds)]
    own = [Evaluation.of(evaluation.split, evaluation.videos[start:stop]).scores for start, stop in pairwise(edges)]
    mean = {"name": MEAN, "scores": mean_of(own), "note": f"over {len(own)} folds, each of the same weight"}
    lacking = {
        f"{MEAN}: {metric}.{name}": "not defined for one of the folds"
        for metric, row in mean["scores"].items()
        for name, value in row.items()
        if value is None
    }
    return replace(found, others=[mean, *found.others], undefined={**found.undefined, **lacking})
