"""A report's scores as rows: its own, their intervals, the baselines and the published ones; and as a terminal's table.

The page shows the same rows.
"""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from affwildnet.evaluation.reporting.comparison import own_name
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

TITLES = {"ccc": "CCC", "pearson": "Pearson", "mse": "MSE", "rmse": "RMSE", "sagr": "SAGR", "accuracy": "accuracy"}
# Those of the table; the sign agreement, which no paper prints, stands below it.
COMPARED = ("ccc", "pearson", "mse", "rmse")
NAME_WIDTH = 52
WIDTH = 150
DASH = "-"

# How many values each metric has.
_NAMES = {metric: len(EXPRESSIONS if metric == "accuracy" else DIMENSIONS) + 1 for metric in TITLES}
_CONSTANT = "not defined: the labels or the predictions are constant, or nothing was scored"
_NOT_PRINTED = "the paper's table does not give it"
_NOT_COMPUTED = "not computed for this row"


@dataclass(frozen=True)
class Row:
    """A row of scores.

    Attributes:
      name: what was scored, or what predicted.
      scores: values by metric and dimension (or class); a value that is not there, or None, shows as a dash.
      reasons: why a value is a dash, by "metric.name"; "" is the reason of all that have none of their own.
    """

    name: str
    scores: dict
    reasons: dict[str, str]

    def value(self, metric: str, name: str) -> float | None:
        return (self.scores.get(metric) or {}).get(name)

    def reason(self, metric: str, name: str) -> str:
        """Return why there is a dash; "" where there is none."""
        if is_number(self.value(metric, name)):
            return ""
        absent = _NOT_COMPUTED if name not in (self.scores.get(metric) or {}) else _CONSTANT
        return self.reasons.get(f"{metric}.{name}") or self.reasons.get("") or absent


def is_number(value) -> bool:
    return value is not None and math.isfinite(value)


def number(value: float | None) -> str:
    """Return a score as tables show it, with a dash for None and for what is not finite."""
    return f"{value:.3f}" if is_number(value) else DASH


def columns(report: dict) -> list[tuple[str, str]]:
    """Return metric and dimension (or class) of each column of the table of scores."""
    if "accuracy" in report:
        return [("accuracy", name) for name in (*EXPRESSIONS, "total")]
    return [(metric, name) for metric in COMPARED for name in (*DIMENSIONS, "mean")]


def rows(report: dict, published: bool = True) -> list[Row]:
    """Return the rows of the table of scores: this checkpoint, its interval, other ways, baselines, published ones."""
    found = [own_row(report), *interval_rows(report)]
    if processed := report.get("post_processing"):
        found.append(Row("without post-processing", processed.get("without") or {}, {}))
    found += [
        Row(other["name"], other["scores"] or {}, _own_reasons(report, other["name"])) for other in report["others"]
    ]
    found += [Row(f"baseline: {name}", scores, {}) for name, scores in report["baselines"].items()]
    if published:
        for index, row in enumerate(report["published"], start=1):
            scores = {
                metric: {own_name(name): value for name, value in values.items()}
                for metric, values in row["scores"].items()
            }
            found.append(Row(f"[{index}] {published_name(row)}", scores, {"": _NOT_PRINTED}))
    return found


def _own_reasons(report: dict, name: str) -> dict[str, str]:
    prefix = f"{name}: "
    return {key.removeprefix(prefix): reason for key, reason in report["undefined"].items() if key.startswith(prefix)}


def own_row(report: dict) -> Row:
    return Row(
        "this checkpoint", {metric: report[metric] for metric in TITLES if metric in report}, report["undefined"]
    )


def interval_rows(report: dict) -> list[Row]:
    """Return a row for each end of the intervals; none where there are no intervals at all."""
    intervals = report["intervals"]
    if not any(pair for values in intervals.values() for pair in values.values()):
        return []
    level = f"{100 * report['interval']['level']:g} %"
    return [
        Row(
            f"  {level} interval, {end}",
            {
                metric: {name: pair and pair[index] for name, pair in values.items()}
                for metric, values in intervals.items()
            },
            report["undefined"],
        )
        for index, end in enumerate(("from", "to"))
    ]


def published_name(row: dict) -> str:
    return f"{row['source']} table {row['table']}: {row['row']} ({row['corpus']})"


def score_table(report: dict, published: bool = True) -> str:
    """Return the scores beside the baselines, and beside the published rows where wanted, as lines of text.

    At most `WIDTH` columns wide: names that are too long go on in a line of their own. Below stand the published rows'
    remarks and in what they differ from what was scored.
    """
    table = lines(rows(report, published), columns(report))
    below = list(_below(report))
    if published:
        below += remarks(report) or ["No published row belongs to this experiment."]
    table += [part for line in below for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]
    return "\n".join(line.rstrip() for line in table)


def lines(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return rows under two lines of heads, as lines of text; `columns` as the function of that name returns them."""
    cell = 10 if columns[0][0] == "accuracy" else 8
    width = min(NAME_WIDTH, max(len(row.name) for row in rows)) + 2
    titles = {metric: sum(column[0] == metric for column in columns) for metric, _ in columns}
    found = [
        " " * width + "".join(f"{TITLES[metric]:<{cell * number}}" for metric, number in titles.items()),
        " " * width + "".join(f"{name:<{cell}}" for _, name in columns),
    ]
    for row in rows:
        *above, name = textwrap.wrap(row.name, NAME_WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [""]
        found += [part.rstrip() for part in above]
        found.append(f"{name:<{width}}" + "".join(f"{number(row.value(*column)):<{cell}}" for column in columns))
    return found


def _below(report: dict) -> Iterator[str]:
    if report.get("sagr"):
        values = ", ".join(f"{name} {number(report['sagr'].get(name))}" for name in (*DIMENSIONS, "mean"))
        yield f"Sign agreement (SAGR): {values}."
    if other := report.get("against"):
        metric = "ccc" if "ccc" in other["difference"] else "accuracy"
        own = {name: value for name, value in other["difference"][metric].items() if value["value"] is not None}
        values = ", ".join(
            f"{name} {value['value']:+.3f} ({number(value['low'])} to {number(value['high'])}, p {number(value['p'])})"
            for name, value in own.items()
        )
        yield f"Difference of {TITLES[metric]} from {other['checkpoint']} on the same {report['unit']}: {values}."
    yield from undefined(report)
    yield f"Scored over {report['units']:,} {report['unit']}: {report['protocol_told']}."


def undefined(report: dict) -> list[str]:
    """Return a sentence for each reason for which there are dashes in the tables."""
    by_reason: dict[str, list[str]] = {}
    for key, reason in report["undefined"].items():
        by_reason.setdefault(reason, []).append(key)
    return [f"No value for {', '.join(_gathered(keys))}: {reason}." for reason, keys in by_reason.items()]


def _gathered(keys: list[str]) -> list[str]:
    """Return keys such as "pearson.valence" as text, those of one metric or kind together."""
    by_metric: dict[str, list[str]] = {}
    for key in keys:
        metric, _, name = key.partition(".")
        by_metric.setdefault(metric, []).append(name)
    told = []
    for metric, names in by_metric.items():
        *where, what = metric.rsplit(": ", 1)
        title = f"{TITLES.get(what, what)}{f' ({where[0]})' if where else ''}"
        told.append(title if len(names) == _NAMES.get(what) else f"{title} of {_listed(names)}")
    return told


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def remarks(report: dict) -> list[str]:
    """Return what has to be known to read the published rows: their notes, and in what they differ, each said once."""
    by_sentence: dict[str, list[int]] = {}
    for index, row in enumerate(report["published"], start=1):
        for sentence in [*row["differs"], *([row["note"]] if row["note"] else [])]:
            by_sentence.setdefault(sentence, []).append(index)
    lines = [f"{_numbers(indices)} {sentence}" for sentence, indices in by_sentence.items()]
    alike = [index for index, row in enumerate(report["published"], start=1) if not row["differs"]]
    if alike:
        lines.append(f"{_numbers(alike)} Of the same corpus, split and protocol as the scores above.")
    return lines


def _numbers(indices: list[int]) -> str:
    """Return row numbers as "[1]", or "[1-3, 7]"."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1][1:] = [index]
        else:
            runs.append([index])
    return f"[{', '.join('-'.join(map(str, run)) for run in runs)}]"
