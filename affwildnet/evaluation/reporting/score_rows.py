"""A report's scores as rows that can be compared: its own, their intervals, other ways, baselines, published ones.

The terminal's table and the page show the same rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from affwildnet.evaluation.reporting.comparison import own_name
from affwildnet.evaluation.reporting.report import Report
from affwildnet.experiments.published import Published
from affwildnet.metrics import WITH_MEAN, Reasons, ScoreKey
from tfrecords_tools.records.schema import EXPRESSIONS

TITLES = {"ccc": "CCC", "pearson": "Pearson", "mse": "MSE", "rmse": "RMSE", "sagr": "SAGR", "accuracy": "accuracy"}
# Those of the table; the sign agreement, which no paper prints, stands below it.
COMPARED = ("ccc", "pearson", "mse", "rmse")

# Before a published row of the experiment that was scored; the others of its tables have none.
OWN = "> "
# What a row of scores of a rehearsal is called, wherever it stands.
REHEARSAL = "rehearsal"

_CONSTANT = "not defined: the labels or the predictions are constant, or nothing was scored"
_NOT_PRINTED = "the paper's table does not give it"
_NOT_COMPUTED = "not computed for this row"


@dataclass(frozen=True)
class ScoreRow:
    """A row of scores.

    Attributes:
      name: what was scored, or what predicted.
      scores: values by metric and dimension (or class); one that is absent or None shows as a dash.
      reasons: why a value is a dash.
      otherwise: the reason for every dash that `reasons` does not explain; "" derives one from `scores`.
    """

    name: str
    scores: Mapping[str, Mapping[str, float | None]]
    reasons: Reasons = field(default_factory=dict)
    otherwise: str = ""

    def value(self, metric: str, name: str) -> float | None:
        """Return a score, or None."""
        return self.scores.get(metric, {}).get(name)

    def reason(self, metric: str, name: str) -> str:
        """Return why there is a dash; "" where there is none."""
        if is_number(self.value(metric, name)):
            return ""
        derived = _CONSTANT if name in self.scores.get(metric, {}) else _NOT_COMPUTED
        return self.reasons.get(ScoreKey(metric, name)) or self.otherwise or derived


def is_number(value: float | None) -> bool:
    """Return whether a value can be shown as a number."""
    return value is not None and math.isfinite(value)


def columns(report: Report) -> list[ScoreKey]:
    """Return metric and dimension (or class) of each column of the table of scores."""
    if "accuracy" in report.scored.scores:
        return [ScoreKey("accuracy", name) for name in (*EXPRESSIONS, "total")]
    return [ScoreKey(metric, name) for metric in COMPARED for name in WITH_MEAN]


def rows(report: Report, published: bool = True, intervals: bool = True) -> list[ScoreRow]:
    """Return the rows of the table of scores.

    Args:
      published: whether the published rows are among them.
      intervals: whether the ends of the intervals are.
    """
    found = [own_row(report), *(interval_rows(report) if intervals else [])]
    if report.post_processing:
        found.append(ScoreRow(_marked("without post-processing", report), report.post_processing.without))
    found += [ScoreRow(_marked(other.name, report), other.scores, other.undefined) for other in report.scored.others]
    found += [ScoreRow(f"baseline: {name}", scores) for name, scores in report.baselines.items()]
    if published:
        for index, each in enumerate(report.published, start=1):
            row = each.row
            scores = {
                metric: {own_name(name): value for name, value in values.items()}
                for metric, values in row.scores.items()
            }
            mark = OWN if each.own else ""
            found.append(ScoreRow(f"{mark}[{index}] {published_name(row)}", scores, otherwise=_NOT_PRINTED))
    return found


def own_row(report: Report, name: str = "this checkpoint") -> ScoreRow:
    """Return the row of the report's own scores, which of a rehearsal says so."""
    return ScoreRow(_marked(name, report), report.scored.scores, report.scored.reasons)


def _marked(name: str, report: Report) -> str:
    return f"{name}, {REHEARSAL}" if report.rehearsal else name


def interval_rows(report: Report) -> list[ScoreRow]:
    """Return a row for each end of the intervals; none where there are no intervals at all."""
    intervals = report.scored.intervals
    if not any(pair for values in intervals.ends.values() for pair in values.values()):
        return []
    reasons = {**intervals.undefined, **report.scored.reasons}
    return [
        ScoreRow(
            f"  {100 * intervals.level:g} % interval, {end}",
            {
                metric: {name: pair and pair[index] for name, pair in values.items()}
                for metric, values in intervals.ends.items()
            },
            reasons,
        )
        for index, end in enumerate(("from", "to"))
    ]


def published_name(row: Published) -> str:
    """Return what a published row is called in a table."""
    return f"{row.source} table {row.table}: {row.row} ({row.corpus})"
