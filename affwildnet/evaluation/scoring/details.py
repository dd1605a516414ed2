"""What a protocol reports beside its scores."""

from dataclasses import dataclass

from affwildnet.evaluation.scoring.regions import RegionError
from affwildnet.evaluation.scoring.video_scores import VideoScores
from affwildnet.metrics import Reasons, ScoreKey, Scores


@dataclass(frozen=True)
class OtherScores:
    """The scores of the split, computed in another way.

    Attributes:
      name: of the way, such as "mean over the folds".
      scores: None where a value is not defined.
      note: over what they are computed.
      undefined: why a value is None.
    """

    name: str
    scores: Scores
    note: str
    undefined: Reasons

    def to_json(self) -> dict:
        return {"name": self.name, "scores": self.scores, "note": self.note}


@dataclass(frozen=True)
class Details:
    """What stands beside the scores.

    Attributes:
      units: how many frames, utterances or videos are scored.
      per_video: a row for each video.
      others: the split scored in other ways.
      regions: the error by where the label lies in the plane of valence and arousal.
      confusion: videos by label (rows) and prediction (columns), in the order of `schema.EXPRESSIONS`; None for valence
        and arousal.
    """

    units: int
    per_video: tuple[VideoScores, ...]
    others: tuple[OtherScores, ...] = ()
    regions: tuple[RegionError, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None


def mean_of(rows: list[Scores]) -> Scores:
    """Return the mean of several scores of one form; None where one of them is None."""
    found = {}
    for metric, first in rows[0].items():
        columns = {name: [row[metric][name] for row in rows] for name in first}
        found[metric] = {
            name: None if None in values else sum(values) / len(values) for name, values in columns.items()
        }
    return found


def reasons_for_none(scores: Scores, reason: str) -> Reasons:
    """Return one reason for every score that is None."""
    return {
        ScoreKey(metric, name): reason for metric, row in scores.items() for name, value in row.items() if value is None
    }
