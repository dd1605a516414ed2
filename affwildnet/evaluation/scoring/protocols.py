"""How a split is scored, as each paper does it: every frame, every utterance, every video, or every fold.

A protocol is a module with

    UNIT, OVER                   what is counted, and what intervals are taken over
    parts(evaluation, config)    mergeable moments or counts, one for each video (or source video) with a label
    details(evaluation, config)  what stands beside the scores

The scores are those of all parts merged; intervals come from merging a random choice of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from affwildnet.evaluation.scoring import fold_scores, frames, intervals, utterances, videos
from affwildnet.evaluation.scoring.confusion import Confusion
from affwildnet.evaluation.scoring.fold_scores import gather
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Moments, plain
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

__all__ = ["MODULES", "Scored", "gather", "paired", "ranking", "score"]

MODULES = {"frames": frames, "utterances": utterances, "folds": fold_scores, "videos": videos}


@dataclass(frozen=True)
class Scored:
    """The scores of one evaluation under one protocol.

    Attributes:
      unit: what is counted: "frames", "utterances" or "videos".
      units: how many of them are scored.
      scores: `{"ccc": {"valence", "arousal", "mean"}, ...}` for each of `metrics.METRICS`; of classes of expression
        `{"accuracy": {each of schema.EXPRESSIONS, "total"}}`. None where a value is not defined.
      intervals: of the same form, [low, high] of 95 % or None; empty without resamples.
      undefined: why a value is None, by such names as "pearson.valence" (the score, or else its interval),
        "regions.<region>" and "<name of others>: pearson.valence".
      per_video: a row for each video: `video`, `subject`, `frames`, `frames_scored`, `scores` (None without a label),
        `undefined` (why one of them is None), and what the protocol knows besides: of an utterance `sequences`, `label`
        and `prediction`, of an expression `label` and `predicted`.
      others: the split scored in other ways: `name`, `scores`, `note`.
      confusion: videos by label (rows) and prediction (columns), in the order of `schema.EXPRESSIONS`; None of
        valence and arousal.
      regions: the mean squared error by where the label lies in the plane: `region`, `units`, `mse`.
      ranking: what checkpoints are chosen by, the larger the better: CCC of `mean`, `valence`, `arousal`, or the total
        accuracy as `mean`.
      over: what was drawn anew for the intervals.
      resamples: how often.
    """

    unit: str
    units: int
    scores: dict[str, dict[str, float | None]]
    intervals: dict[str, dict[str, list[float] | None]]
    undefined: dict[str, str]
    per_video: list[dict]
    others: list[dict]
    confusion: list[list[int]] | None
    regions: list[dict]
    ranking: dict[str, float]
    over: str = "videos"
    resamples: int = 0


def score(evaluation: Evaluation, protocol: str, config: EvaluationConfig, resamples: int = 1000) -> Scored:
    """Score an evaluation under a protocol.

    Args:
      evaluation: as the evaluator gives it, or after post-processing (`PostProcessing.apply`).
      protocol: a key of `experiments.config.PROTOCOLS`.
      config: `sequence` and `aggregation` of utterances.
      resamples: bootstrap samples for the intervals; 0 leaves them out.

    Raises:
      UserError: if nothing has a label, or the predictions or labels are not of the kind that the protocol scores.
    """
    parts = _parts(evaluation, protocol, config)
    module = MODULES[protocol]
    total = _merged(parts)
    details = module.details(evaluation, config)
    found = plain(total.values())
    spans, reasons = intervals.of(parts, resamples, module.OVER) if resamples else ({}, {})
    return Scored(
        unit=module.UNIT,
        units=details.units,
        scores=found,
        intervals=spans,
        undefined={**reasons, **details.undefined, **total.undefined()},
        per_video=details.per_video,
        others=details.others,
        confusion=details.confusion,
        regions=details.regions,
        ranking=_ranking(found),
        over=module.OVER,
        resamples=resamples,
    )


def ranking(evaluation: Evaluation, protocol: str, config: EvaluationConfig) -> dict[str, float]:
    """Return `Scored.ranking` alone, for choices among many evaluations; raise as `score`."""
    return _ranking(plain(_merged(_parts(evaluation, protocol, config)).values()))


def paired(
    first: Evaluation, second: Evaluation, protocol: str, config: EvaluationConfig, resamples: int = 1000
) -> dict[str, dict[str, dict]]:
    """Return the differences of two evaluations of the same videos under a protocol; see `intervals.paired`."""
    return intervals.paired(first, second, lambda evaluation: _parts(evaluation, protocol, config), resamples)


def _parts(evaluation: Evaluation, protocol: str, config: EvaluationConfig) -> Sequence[Moments | Confusion]:
    check_choice("protocol", protocol, MODULES)
    wanted = EXPRESSIONS if protocol == "videos" else DIMENSIONS
    for video in evaluation.videos:
        if video.predictions.shape[1] != len(wanted):
            raise UserError(
                f"The protocol {protocol} scores {len(wanted)} outputs, {', '.join(wanted)}. Received: "
                f"{video.predictions.shape[1]} for the video {video.video}. Set model.head or protocol to fit."
            )
    if not any(video.labelled.any() for video in evaluation.videos):
        raise UserError(
            f"The split {evaluation.split} has no frame with a label among its {len(evaluation.videos)} videos, so "
            "nothing is scored. Choose another split."
        )
    return MODULES[protocol].parts(evaluation, config)


def _merged(parts: Sequence[Moments | Confusion]) -> Moments | Confusion:
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


def _ranking(scores: dict) -> dict[str, float]:
    if "accuracy" in scores:
        return {"mean": scores["accuracy"]["total"]}
    return {name: scores["ccc"][name] for name in ("mean", *DIMENSIONS)}
