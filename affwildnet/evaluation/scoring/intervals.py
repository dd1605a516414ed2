"""How far scores would vary with other videos: a percentile bootstrap, and a paired bootstrap for differences.

Frames of one video are alike, so whole videos are resampled with replacement (Efron and Tibshirani, "An Introduction to
the Bootstrap", 1993, chapters 8, 13 and 16); resampling frames would give intervals far too narrow. With few videos the
intervals are a little too narrow: in simulations those of 95 % covered the true CCC in 92 % of the cases with 40
videos, in 93 % with 100.

Each video is given as moments or counts that merge: a resample takes each a random number of times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np

from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.metrics import Reasons, ScoreArrays, ScoreKey, plain
from tfrecords_tools.errors import UserError, count

LEVEL = 0.95
ALPHA = 0.05  # what is commonly called significant
SEED = 20170101
# The least share of resamples in which a score must be defined: percentiles of fewer mean little.
_DEFINED = 0.95
# Intervals over fewer videos get a warning: the bootstrap makes them much too narrow.
FEW = 10
NO_INTERVAL = "no interval: "  # begins the reason where a value is there and its interval is not
_SAME = "The two evaluations must have the same videos, frames and labels."


class Part(Protocol):
    """What one video adds to the scores: `metrics.Moments` or `confusion.Confusion`."""

    def merge(self, other: Self) -> Self: ...

    def weighted(self, weights: np.ndarray) -> Self: ...

    def values(self) -> ScoreArrays: ...

    def undefined(self) -> Reasons: ...


@dataclass(frozen=True)
class Intervals:
    """The intervals of scores.

    Attributes:
      ends: (low, high) by metric and name, as in `metrics.Scores`; None where there is no interval. Empty without
        resamples.
      undefined: why an interval is None.
      over: what was resampled, such as "videos".
      resamples: how many resamples were drawn.
      level: the share of the resamples between the ends.
      number: how many videos (or what else `over` names) were resampled.
    """

    ends: dict[str, dict[str, tuple[float, float] | None]] = field(default_factory=dict)
    undefined: Reasons = field(default_factory=dict)
    over: str = "videos"
    resamples: int = 0
    level: float = LEVEL
    number: int = 0

    @property
    def warning(self) -> str:
        """A sentence where the intervals are of so few that they say little; "" otherwise."""
        if not 2 <= self.number < FEW or not any(pair for row in self.ends.values() for pair in row.values()):
            return ""
        return (
            f"Caution: the intervals are of {self.number} {self.over} only. With fewer than {FEW} a bootstrap makes "
            "them much too narrow: they are no evidence."
        )


@dataclass(frozen=True)
class Difference:
    """The difference of one score between two evaluations, first minus second.

    Attributes:
      value: the difference; None where it is not defined.
      low, high: its 95 % interval; None where there is none.
      p: two-sided p value; None where there is none.
      least_p: the smallest p that so many videos can give; None where there is no p.
      reason: why one of these is None.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""
    least_p: float | None = None

    def to_json(self) -> dict:
        values = {"value": self.value, "low": self.low, "high": self.high, "p": self.p}
        values |= {} if self.least_p is None else {"least_p": self.least_p}
        return {**values, "reason": self.reason} if self.reason else values


def method(differences: "Differences", over: str = "videos") -> str:
    """Return a sentence on how p comes about, and on the smallest one that is possible; "" where there is no p."""
    least = max((each.least_p for row in differences.values() for each in row.values() if each.least_p), default=None)
    if least is None:
        return ""
    few = (
        f" A p below {ALPHA} is out of reach with so few {over}, even where an interval, which so few make much too "
        "narrow, excludes 0."
    )
    return (
        f"Intervals and two-sided p are of a paired bootstrap over the {over}; the smallest p that they can give is "
        f"{least:.2g}.{few if least > ALPHA else ''}"
    )


# By metric and name, as in `metrics.Scores`.
Differences = dict[str, dict[str, Difference]]


def of(parts: Sequence[Part], resamples: int = 1000, over: str = "videos", seed: int = SEED) -> Intervals:
    """Return the interval of each score of the merged parts.

    Args:
      parts: of each video, all with a label.
      resamples: how many are drawn.
      over: what the parts are, for the reasons.
      seed: of the draws; the same parts and seed give the same intervals.
    """
    ends, undefined = {}, {}
    if len(parts) < 2:
        for metric, row in parts[0].values().items():
            ends[metric] = dict.fromkeys(row)
            undefined |= {ScoreKey(metric, name): _alone(over) for name in row}
        return Intervals(ends, undefined, over, resamples, number=len(parts))
    for metric, row in _resampled(parts, weights(len(parts), resamples, seed)).items():
        ends[metric] = {}
        for name, values in row.items():
            ends[metric][name] = _percentiles(values)
            if ends[metric][name] is None:
                undefined[ScoreKey(metric, name)] = f"{NO_INTERVAL}{_rarely(values, over)}"
    return Intervals(ends, undefined, over, resamples, number=len(parts))


def paired(
    first: Evaluation,
    second: Evaluation,
    parts: Callable[[Evaluation], Sequence[Part]] | None = None,
    resamples: int = 1000,
    seed: int = SEED,
    over: str = "videos",
) -> Differences:
    """Return the differences of the scores, first minus second, of two evaluations of the same videos.

    Both are scored on the same resamples of the videos, so that a video which is hard for both does not count.

    The two-sided p is twice the share of resamples on the rarer side of 0, at least 2 / (resamples + 1). With V videos
    it is at least 2 / 2^V, the chance that all of them favour one of two equals: few videos prove nothing, however
    often they are drawn.

    Args:
      parts: what each video (or source video) adds to the scores; None pools all frames. `protocols.paired` passes it
        for a protocol.
      resamples: how many are drawn.
      over: what the parts are, for the reasons.
      seed: of the draws.

    Raises:
      UserError: if their videos, frames or labels are not the same.
    """
    parts = parts or (lambda evaluation: [video.moments for video in evaluation.videos if video.labelled.any()])
    # In one order, so that parts of the same videos are paired.
    ours, theirs = parts(first), parts(_matched(first, second))
    values = [plain(_merged(each).values()) for each in (ours, theirs)]
    drawn = None
    if len(ours) > 1:
        times = weights(len(ours), resamples, seed)
        drawn = [_resampled(each, times) for each in (ours, theirs)]
    found: Differences = {}
    for metric, row in values[0].items():
        found[metric] = {}
        for name in row:
            one, other = (each[metric][name] for each in values)
            if one is None or other is None:
                difference = Difference(reason="not defined for one of the two")
            elif drawn is None:
                difference = Difference(one - other, reason=_alone(over))
            else:
                spread = drawn[0][metric][name] - drawn[1][metric][name]
                difference = _with_interval(one - other, spread, len(ours), over)
            found[metric][name] = difference
    return found


def weights(count: int, resamples: int, seed: int = SEED) -> np.ndarray:
    """Return how often each of `count` is drawn, in `count` draws per resample: (resamples, count) int64."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)


def resampled(parts: Sequence[Part], resamples: int = 1000, seed: int = SEED) -> ScoreArrays | None:
    """Return each score (resamples,) of the resamples; None with fewer than two parts.

    The same number of parts, of resamples and the same seed draw the same videos, so that the scores of several
    networks on the same videos are paired.
    """
    return _resampled(parts, weights(len(parts), resamples, seed)) if len(parts) > 1 else None


def _merged(parts: Sequence[Part]) -> Part:
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


def _resampled(parts: Sequence[Part], times: np.ndarray) -> ScoreArrays:
    """Return each score (R,) of the resamples, NaN where it is not defined."""
    return _merged([part.weighted(column) for part, column in zip(parts, times.T, strict=True)]).values()


def _percentiles(values: np.ndarray) -> tuple[float, float] | None:
    defined = values[np.isfinite(values)]
    if len(defined) < _DEFINED * len(values):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high


def _alone(over: str) -> str:
    return f"{NO_INTERVAL}it needs two {over} with a label"


def _rarely(values: np.ndarray, over: str) -> str:
    share = np.isfinite(values).mean()
    return f"defined in {share:.0%} of the resamples, too few {over} differ" if share else "never defined"


def _with_interval(value: float, differences: np.ndarray, parts: int, over: str) -> Difference:
    interval = _percentiles(differences)
    if interval is None:
        return Difference(value, reason=f"{NO_INTERVAL}{_rarely(differences, over)}")
    defined = differences[np.isfinite(differences)]
    rarer = int(min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0)))
    least = max(2 / (len(defined) + 1), 2.0 ** (1 - parts))
    return Difference(value, *interval, min(1.0, max(2 * (rarer + 1) / (len(defined) + 1), least)), least_p=least)


def _matched(first: Evaluation, second: Evaluation) -> Evaluation:
    """Return the second with its videos in the order of the first; raise a `UserError` where they differ."""
    own, other = ({video.key: video for video in evaluation.videos} for evaluation in (first, second))
    for which, alone in (("first", own.keys() - other.keys()), ("second", other.keys() - own.keys())):
        if alone:
            names = ", ".join(sorted(name for name, _ in alone)[:5]) + (", ..." if len(alone) > 5 else "")
            raise UserError(f"{_SAME} Received: {count(len(alone), 'video')} in the {which} only: {names}.")
    for key, video in own.items():
        if not np.array_equal(video.frames, other[key].frames):
            unlike = np.setxor1d(video.frames, other[key].frames)
            where = f"frame {unlike[0]} is in only one" if len(unlike) else "another order"
            raise UserError(f"{_SAME} Received: different frames of the video {video.video} ({where}).")
        unlike = ~np.isclose(video.labels, other[key].labels, rtol=0, atol=1e-6, equal_nan=True).all(axis=1)
        if unlike.any():
            frame = video.frames[unlike][0]
            raise UserError(f"{_SAME} Received: different labels of frame {frame} of the video {video.video}.")
    return replace(second, videos=tuple(other[key] for key in own))
