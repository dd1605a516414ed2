"""Whether the paper's order of a table's rows holds here, by a bootstrap that draws the same videos for all rows."""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.experiments.overrides import from_json
from affwildnet.reproduce.row_results import RowResult
from tfrecords_tools.files.spreadsheet_cells import unquoted
from tfrecords_tools.records import manifest
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

# What a row ranks by: the first of these that the table prints for all of them, the larger the better.
_MEASURES = (("ccc", "mean"), ("pearson", "mean"), ("accuracy", "total"), ("mse", "mean"))
_SMALLER_IS_BETTER = ("mse",)
RESAMPLES = 1000


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
      whole: the share of the resamples in which the whole order is the paper's; None with fewer than two videos.
      over: number of videos that were drawn from.
      unit: what they are, such as "videos".
      reason: why there is no order; "" where there is one.
    """

    measure: str = ""
    rows: tuple[str, ...] = ()
    here: tuple[str, ...] = ()
    pairs: tuple[Neighbours, ...] = ()
    whole: float | None = None
    over: int = 0
    unit: str = "videos"
    reason: str = ""

    def sentences(self) -> list[str]:
        """Return what a reader has to know of the order."""
        if self.reason:
            return [f"The order of the rows was not compared: {self.reason}."]
        held = "is the paper's" if self.rows == self.here else "is not the paper's"
        found = [f"By {self.measure}, the order here {held}: {' > '.join(self.here)}."]
        for pair in self.pairs:
            chance = "" if pair.probability is None else f" (above with probability {pair.probability:.2f})"
            here = f"{pair.here:+.3f} here{chance}"
            found.append(f"{pair.better} against {pair.worse}: {here}; {pair.published:+.3f} in the paper.")
        if self.whole is not None:
            found.append(
                f"The whole order is the paper's in {self.whole:.0%} of {RESAMPLES:,} resamples of the {self.over} "
                f"{self.unit}, drawn alike for all rows."
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
    if not np.isfinite(values).all():
        return Order(reason="a score is not defined")
    draws, over, unit = _draws(scored, *measure)
    names = [each.row.row for each in scored]
    pairs, kept = [], np.ones(RESAMPLES, bool)
    for (one, other), (first, second) in zip(
        itertools.pairwise(scored), itertools.pairwise(range(len(scored))), strict=True
    ):
        published = sign * (_published(one, *measure) - _published(other, *measure))
        if published == 0:
            continue
        above = None if draws is None else sign * (draws[first] - draws[second]) > 0
        kept &= True if above is None else above
        chance = None if above is None else float(above.mean())
        pairs.append(Neighbours(names[first], names[second], published, values[first] - values[second], chance))
    here = tuple(names[index] for index in np.argsort(-np.array(values), kind="stable"))
    title = f"{measure[0].upper() if measure[0] in ('ccc', 'mse') else measure[0]}, {measure[1]}"
    whole = None if draws is None else float(kept.mean())
    return Order(title, tuple(names), here, tuple(pairs), whole, over, unit)


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
    """Return (rows, resamples) scores on the same resamples, how much was drawn from, and what it is."""
    drawn, over, unit = [], 0, "videos"
    for each in results:
        evaluation, protocol, config = predictions_of(each)
        spread = protocols.resampled(evaluation, protocol, config, RESAMPLES)
        over, unit = each.report["interval"]["number"], each.report["interval"]["over"]
        if spread is None:
            return None, over, unit
        drawn.append(spread[metric][name])
    return np.array(drawn), over, unit


def predictions_of(result: RowResult) -> tuple[Evaluation, str, EvaluationConfig]:
    """Return the predictions that a report is of, as its CSV holds them, with its protocol and settings."""
    report = result.report
    evaluation = read_predictions(result.path.with_suffix(".csv"), report["split"], subjects(report))
    steps = (report.get("post_processing") or {}).get("chosen", {})
    smoothing = steps.get("smoothing", {})
    radii = tuple(smoothing.get(dimension, 0) for dimension in DIMENSIONS)
    config = from_json(report["configuration"].get("evaluation", {}), EvaluationConfig)
    more = {"folds": tuple(report["folds"]), "smoothing": radii}
    return Evaluation.of(report["split"], evaluation, **more), report["protocol"], config


def subjects(report: dict) -> dict[str, str]:
    """Return the subject of each video of the corpus that a report is of."""
    packed = manifest.load(Path(report["corpus"]["folder"]))
    folds = bool(report["folds"])
    return {entry.video: entry.subject for entry in packed.videos if folds or entry.split == report["split"]}


def read_predictions(path: Path, split: str, subject_of: dict[str, str]) -> list[VideoPredictions]:
    """Return the videos of a report's CSV, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = "label" in rows[0]
    found = []
    for cell, group in itertools.groupby(rows, key=lambda row: row["video"]):
        video, own = unquoted(cell), list(group)
        names = EXPRESSIONS if classes else DIMENSIONS
        predictions = np.array([[row[name] for name in names] for row in own], np.float32)
        if classes:
            labels = np.array([_one_hot(row["label"]) for row in own], np.float32)
        else:
            cells = [[row[f"{name}_label"] or "nan" for name in DIMENSIONS] for row in own]
            labels = np.array(cells, np.float32)
        frames = np.array([row["frame"] for row in own], np.int64)
        times = np.array([row["time"] for row in own], np.float32)
        found.append(VideoPredictions(video, subject_of.get(video, video), frames, times, labels, predictions))
    return found


def _one_hot(label: str) -> np.ndarray:
    if not label:
        return np.full(len(EXPRESSIONS), np.nan)
    return np.eye(len(EXPRESSIONS))[EXPRESSIONS.index(label)]
