"""Whether the paper's order of a table's rows holds here, by a bootstrap that draws the same videos for all rows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.intervals import FEW
from affwildnet.reproduce import row_reports
from affwildnet.reproduce.row_results import RowResult
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

# What a row ranks by: the first of these that the table prints for all of them, the larger the better.
_MEASURES = (("ccc", "mean"), ("pearson", "mean"), ("accuracy", "total"), ("mse", "mean"))
_SMALLER_IS_BETTER = ("mse",)
RESAMPLES = 1000
# By how much scores of the predictions, which have six digits in their file, may differ from those of the report.
_DIGITS = 1e-4
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Neighbours:
    """Two rows that follow each other in the paper's order.

    Attributes:
      better, worse: names of the rows, the better first, as the paper has it.
      published: how much better the first one is in the paper.
      here: how much better it is here.
      probability: the share of the resamples in which it is better here; None with fewer than two videos.
    """

    better: str
    worse: str
    published: float
    here: float
    probability: float | None


@dataclass(frozen=True)
class Order:
    """The order of a table's rows.

    Attributes:
      measure: what they are ordered by, such as "CCC, mean".
      rows: names in the paper's order, the best first.
      here: names in the order here.
      pairs: each row with the next.
      held: whether the order here is the paper's; rows that it prints the same score of may come in any order.
      whole: the share of the resamples in which the whole order is the paper's; None with fewer than two videos.
      over: number of videos that were drawn from.
      unit: what they are, such as "videos".
      reason: why there is no order; "" where there is one.
    """

    measure: str = ""
    rows: tuple[str, ...] = ()
    here: tuple[str, ...] = ()
    pairs: tuple[Neighbours, ...] = ()
    held: bool = False
    whole: float | None = None
    over: int = 0
    unit: str = "videos"
    reason: str = ""

    def sentences(self) -> list[str]:
        """Return what a reader has to know of the order."""
        if self.reason:
            return [f"The order of the rows was not compared: {self.reason}."]
        held = "is the paper's" if self.held else "is not the paper's"
        found = [f"By {self.measure}, the order here {held}: {' > '.join(self.here)}."]
        for pair in self.pairs:
            chance = "" if pair.probability is None else f" (above with probability {pair.probability:.2f})"
            here = f"{pair.here:+.3f} here{chance}"
            found.append(f"{pair.better} against {pair.worse}: {here}; {pair.published:+.3f} in the paper.")
        if self.whole is not None:
            found.append(
                f"The whole order is the paper's in {self.whole:.0%} of {RESAMPLES:,} resamples of the {self.over} "
                f"{self.unit}, drawn alike for all rows; the probabilities are shares of the same resamples."
            )
            if self.over < FEW:
                found.append(
                    f"Caution: these are of {self.over} {self.unit} only. With fewer than {FEW} such probabilities are "
                    "much too near 0 or 1: they are no evidence."
                )
        return found


def order(results: Sequence[RowResult]) -> Order:
    """Return the order of the rows that were run and that the paper prints a score of.

    Rows of one network that was scored twice are rows of their own. Two rows that the paper prints the same score of
    have no order, and are not compared.
    """
    scored = [each for each in results if each.report and each.printed and not each.row.region]
    if len(scored) < 2:
        return Order(reason="it takes two rows with scores")
    if len({(each.report["corpus"]["fingerprint"], each.report["split"]) for each in scored}) > 1:
        return Order(reason="the rows are not of the same videos")
    measure = next((each for each in _MEASURES if all(_published(row, *each) is not None for row in scored)), None)
    if measure is None:
        return Order(reason="the paper prints no score of all of them")
    sign = -1 if measure[0] in _SMALLER_IS_BETTER else 1
    scored.sort(key=lambda each: -sign * _published(each, *measure))
    values = [sign * _own(each, *measure) for each in scored]
    printed = [sign * _published(each, *measure) for each in scored]
    # Every row with every one that the paper has below it: neighbours alone miss some where it prints two alike.
    ordered = [
        (one, other) for one, other in itertools.combinations(range(len(scored)), 2) if _above(printed, one, other)
    ]
    if not ordered:
        return Order(reason="the paper prints the same score of all of them")
    if not np.isfinite(values).all():
        return Order(reason="a score is not defined")
    try:
        draws, over, unit = _draws(scored, *measure)
    except UserError as error:
        return Order(reason=str(error).removesuffix("."))
    names = [each.row.row for each in scored]
    pairs, kept = [], np.ones(RESAMPLES, bool)
    for first, second in ordered:
        above = None if draws is None else sign * (draws[first] - draws[second]) > 0
        kept &= True if above is None else above
        if second == first + 1:
            chance = None if above is None else float(above.mean())
            published, here = (each[first] - each[second] for each in (printed, values))
            pairs.append(Neighbours(names[first], names[second], published, here, chance))
    held = all(values[first] > values[second] for first, second in ordered)
    here = tuple(names[index] for index in np.argsort(-np.array(values), kind="stable"))
    title = f"{measure[0].upper() if measure[0] in ('ccc', 'mse') else measure[0]}, {measure[1]}"
    whole = None if draws is None else float(kept.mean())
    return Order(title, tuple(names), here, tuple(pairs), held, whole, over, unit)


def _above(printed: Sequence[float], one: int, other: int) -> bool:
    """Return whether one printed score is above another; means of printed numbers may differ by a rounding."""
    return printed[one] - printed[other] > _ROUNDING


def _published(result: RowResult, metric: str, name: str) -> float | None:
    """Return a published score; the mean of valence and arousal where the paper prints those alone."""
    scores = result.row.scores.get(metric, {})
    if name in scores:
        return scores[name]
    if name == "mean" and set(DIMENSIONS) <= scores.keys():
        return sum(scores[each] for each in DIMENSIONS) / len(DIMENSIONS)
    return None


def _own(result: RowResult, metric: str, name: str) -> float:
    score = result.value(metric, name).score
    return np.nan if score is None else score


def _draws(results: Sequence[RowResult], metric: str, name: str) -> tuple[np.ndarray | None, int, str]:
    """Return (rows, resamples) scores on the same resamples, how much was drawn from, and what it is.

    Raises:
      UserError: if the predictions of a row cannot be read, or are not those of its report.
    """
    drawn, over, unit, videos = [], 0, "videos", None
    for each in results:
        evaluation = row_reports.predictions(each.path, each.report)
        scored = each.experiment.protocol, each.experiment.evaluation
        found = protocols.score(evaluation, *scored, resamples=0).scores[metric][name]
        own = [(video.video, len(video.frames)) for video in evaluation.videos]
        videos = videos or own
        if found is None or abs(found - _own(each, metric, name)) > _DIGITS or own != videos:
            raise UserError(
                f"{each.path.with_suffix('.csv')}: must hold the predictions of {each.path.name}. Received: others. "
                "Delete the report to have the row scored again."
            )
        spread = protocols.resampled(evaluation, *scored, RESAMPLES)
        over, unit = each.report["interval"]["number"], each.report["interval"]["over"]
        if spread is None:
            return None, over, unit
        drawn.append(spread[metric][name])
    return np.array(drawn), over, unit
