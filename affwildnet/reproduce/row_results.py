"""The reports of a table's rows beside the published numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affwildnet.experiments.config import Experiment
from affwildnet.experiments.published import Published
from affwildnet.reproduce import row_reports
from affwildnet.reproduce.job_runs import DONE
from affwildnet.reproduce.row_jobs import Job
from affwildnet.reproduce.table_request import SIFT_SVR, Request, report_of, short
from tfrecords_tools.errors import UserError

# What the tables of ijcv2019 call an expression, and the records.
_NAMES = {"happy": "happiness", "sad": "sadness"}


@dataclass(frozen=True)
class Value:
    """A score and the ends of its 95 % interval; None where there is none."""

    score: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RowResult:
    """A row of a table, and what came of it here.

    Attributes:
      row: as published.
      state: "done", or why there is no score; "" for other groups' rows.
      report: what `report-<split>.json` holds; None without scores.
      path: of the report.
      printed: whether the row stands in the paper's table; the others are of its text.
      experiment: as it was run; None for a baseline and for other groups.
    """

    row: Published
    state: str = ""
    report: dict[str, Any] | None = None
    path: Path | None = None
    printed: bool = True
    experiment: Experiment | None = None

    @property
    def rehearsal(self) -> tuple[str, ...]:
        """Why the run is a rehearsal; empty where it is none."""
        return tuple(self.report["rehearsal"]) if self.report else ()

    @property
    def comparison(self) -> dict[str, list[str]]:
        """What `differs`, what is the `same`, and what is `unknown`, as the report has it."""
        for each in (self.report or {}).get("published", []):
            if all(each.get(name) == getattr(self.row, name) for name in ("source", "table", "row")):
                return {kind: each[kind] for kind in ("differs", "same", "unknown")}
        return {"differs": [], "same": [], "unknown": []}

    def value(self, metric: str, name: str) -> Value:
        """Return a score of this run."""
        if self.report is None:
            return Value()
        name = _NAMES.get(name, name)
        if self.row.region:
            own = next((each for each in self.report.get("regions", []) if each.get("region") == self.row.region), None)
            return Value(own.get(metric, {}).get(name)) if own else Value()
        score = self.report.get(metric, {}).get(name)
        ends = self.report.get("intervals", {}).get(metric, {}).get(name)
        return Value(score, *ends) if ends else Value(score)


@dataclass(frozen=True)
class Results:
    """A table with its rows' results.

    Attributes:
      request: what was asked for.
      rows: in the paper's order, those beside the table last.
      states: of each job, by its name.
      jobs: what was planned.
    """

    request: Request
    rows: tuple[RowResult, ...]
    states: dict[str, str] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Metric and dimension (or class) of each number that the table prints, in its order."""
        found: dict[tuple[str, str], None] = {}
        metrics = list(dict.fromkeys(metric for each in self.rows for metric in each.row.scores))
        for metric in metrics:
            for each in self.rows:
                found |= dict.fromkeys((metric, name) for name in each.row.scores.get(metric, {}))
        return list(found)

    @property
    def rehearsal(self) -> tuple[str, ...]:
        """Why some of the runs are rehearsals, each reason once."""
        return tuple(dict.fromkeys(reason for each in self.rows for reason in each.rehearsal))


def gather(request: Request, jobs: Sequence[Job], states: dict[str, str]) -> Results:
    """Return the results of a table as far as there are any.

    Args:
      jobs: that were planned.
      states: of each job in a few words, by its name.
    """
    rows = [_result(row, request, states, True) for row in request.table.rows]
    rows += [_result(row, request, states, False) for row in request.table.beside]
    return Results(request, tuple(rows), dict(states), tuple(jobs))


def _result(row: Published, request: Request, states: dict[str, str], printed: bool) -> RowResult:
    if not row.experiment:
        return RowResult(row, printed=printed)
    state = states.get(short(row.experiment), "not asked for")
    sift = row.experiment == SIFT_SVR
    experiment = None if sift else request.run_of(row.experiment)
    path = report_of(row, experiment, request.workdir)
    if state != DONE:
        return RowResult(row, state, printed=printed)
    try:
        report = row_reports.load(path)
    except UserError as error:
        return RowResult(row, str(error), printed=printed)
    state = state if report else f"its report, {path}, is missing"
    return RowResult(row, state, report, path, printed, experiment)
