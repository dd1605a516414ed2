"""How a split is scored, as each paper does it: by frame, by utterance, by video, or over folds.

A protocol is a module with

    UNIT, OVER                   what is counted, and what is resampled for intervals
    parts(evaluation, config)    mergeable moments or counts, one for each video (or source video) with a label
    details(evaluation, config)  what stands beside the scores

The scores are those of all parts merged; intervals come from merging a random choice of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from affwildnet.evaluation.scoring import fold_scores, frames, intervals, utterances, videos
from affwildnet.evaluation.scoring.confusion import Confusion
from affwildnet.evaluation.scoring.details import Details, OtherScores
from affwildnet.evaluation.scoring.fold_scores import gather
from affwildnet.evaluation.scoring.intervals import Differences, Intervals
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.scoring.regions import EMPTY, RegionError
from affwildnet.evaluation.scoring.video_scores import VideoScores
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Moments, Reasons, ScoreArrays, ScoreKey, Scores, plain
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

__all__ = ["MODULES", "Scored", "Undefined", "gather", "paired", "ranking", "resampled", "score"]

MODULES = {"frames": frames, "utterances": utterances, "folds": fold_scores, "videos": videos}
REGIONS = "regions"


@dataclass(frozen=True)
class Undefined:
    """A value that is not defined.

    Attributes:
      part: "" for the split's own scores and their intervals, the name of the `OtherScores`, or `REGIONS`.
      key: its place among the scores of that part; for regions the metric and the region.
      reason: why it is not defined.
    """

    part: str
    key: ScoreKey
    reason: str

    def __str__(self) -> str:
        """Return the place: "pearson.valence", "mean over the folds: ccc.valence", "regions.V in [0, 1], ..."."""
        if self.part == REGIONS:
            return f"{REGIONS}.{self.key.name}"
        return f"{self.part}: {self.key}" if self.part else str(self.key)


@dataclass(frozen=True)
class Scored:
    """The scores of one evaluation under one protocol.

    Attributes:
      unit: what is counted: "frames", "utterances" or "videos".
      scores: each of `metrics.METRICS`; of classes of expression `{"accuracy": {each of schema.EXPRESSIONS, "total"}}`.
        None where a value is not defined.
      reasons: why one of the scores is None.
      intervals: of the scores.
      ranking: what checkpoints are compared by, the larger the better: CCC of `mean`, `valence`, `arousal`, or the
        total accuracy as `mean`.
      details: what stands beside the scores.
    """

    unit: str
    scores: Scores
    reasons: Reasons
    intervals: Intervals
    ranking: dict[str, float]
    details: Details

    @property
    def units(self) -> int:
        """Number of scored frames, utterances or videos."""
        return self.details.units

    @property
    def counted(self) -> str:
        """What was scored, such as "5 utterances"."""
        return f"{self.units:,} {self.unit.removesuffix('s') if self.units == 1 else self.unit}"

    @property
    def per_video(self) -> tuple[VideoScores, ...]:
        """A row for each video."""
        return self.details.per_video

    @property
    def others(self) -> tuple[OtherScores, ...]:
        """The split scored in other ways."""
        return self.details.others

    @property
    def regions(self) -> tuple[RegionError, ...]:
        """The error by where the label lies."""
        return self.details.regions

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...] | None:
        """Videos by label (rows) and prediction (columns); None for valence and arousal."""
        return self.details.confusion

    @property
    def undefined(self) -> tuple[Undefined, ...]:
        """Everything that is not defined: scores or else their intervals, errors of regions, other scores."""
        own = {**self.intervals.undefined, **self.reasons}
        return (
            *(Undefined("", key, reason) for key, reason in own.items()),
            *(Undefined(REGIONS, ScoreKey("mse", row.region), EMPTY) for row in self.regions if row.units == 0),
            *(Undefined(other.name, key, reason) for other in self.others for key, reason in other.undefined.items()),
        )


def score(evaluation: Evaluation, protocol: str, config: EvaluationConfig, resamples: int = 1000) -> Scored:
    """Score an evaluation under a protocol.

    ```python
    scored = score(evaluation, "frames", EvaluationConfig())
    scored.scores["ccc"]["mean"], scored.intervals.ends["ccc"]["mean"]
    ```

    Args:
      evaluation: as the evaluator returns it, or after post-processing (`PostProcessing.apply`).
      protocol: a key of `experiments.config.PROTOCOLS`.
      config: `sequence` and `aggregation` of utterances.
      resamples: bootstrap samples for the intervals; 0 leaves them out.

    Raises:
      UserError: if no frame has a label, or the protocol cannot score predictions or labels of this kind.
    """
    parts = _parts(evaluation, protocol, config)
    module = MODULES[protocol]
    total = _merged(parts)
    found = plain(total.values())
    spans = intervals.of(parts, resamples, module.OVER) if resamples else Intervals(over=module.OVER)
    return Scored(
        unit=module.UNIT,
        scores=found,
        reasons=total.undefined(),
        intervals=spans,
        ranking=_ranking(found),
        details=module.details(evaluation, config),
    )


def ranking(evaluation: Evaluation, protocol: str, config: EvaluationConfig) -> dict[str, float]:
    """Return `Scored.ranking` alone, to compare many evaluations; raise as `score`."""
    return _ranking(plain(_merged(_parts(evaluation, protocol, config)).values()))


def paired(
    first: Evaluation, second: Evaluation, protocol: str, config: EvaluationConfig, resamples: int = 1000
) -> Differences:
    """Return the differences of two evaluations of the same videos under a protocol; see `intervals.paired`."""
    check_choice("protocol", protocol, MODULES)
    over = MODULES[protocol].OVER
    return intervals.paired(
        first, second, lambda evaluation: _parts(evaluation, protocol, config), resamples, over=over
    )


def resampled(
    evaluation: Evaluation, protocol: str, config: EvaluationConfig, resamples: int = 1000
) -> ScoreArrays | None:
    """Return the scores of resamples of the videos, see `intervals.resampled`; raise as `score`.

    Evaluations of the same videos in the same order are scored on the same resamples.
    """
    return intervals.resampled(_parts(evaluation, protocol, config), resamples)


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
            f"The split {evaluation.split} has no frame with a label, so nothing is scored. Choose another split."
        )
    return MODULES[protocol].parts(evaluation, config)


def _merged(parts: Sequence[Moments | Confusion]) -> Moments | Confusion:
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


def _ranking(scores: Scores) -> dict[str, float]:
    if "accuracy" in scores:
        return {"mean": scores["accuracy"]["total"]}
    return {name: scores["ccc"][name] for name in ("mean", *DIMENSIONS)}
