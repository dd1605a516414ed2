"""A report's scores as a terminal shows them: a table, and the sentences below it."""

import textwrap
from collections.abc import Iterator, Sequence

from affwildnet.evaluation.reporting.report import Report
from affwildnet.evaluation.reporting.score_rows import OWN, TITLES, ScoreRow, columns, is_number, rows
from affwildnet.evaluation.scoring.intervals import NO_INTERVAL, Difference, method
from affwildnet.evaluation.scoring.protocols import REGIONS, Undefined
from affwildnet.metrics import WITH_MEAN, ScoreKey
from tfrecords_tools.records.schema import EXPRESSIONS

NAME_WIDTH = 52
WIDTH = 150
DASH = "-"

# How many values each metric has.
_VALUES = {metric: len(EXPRESSIONS) + 1 if metric == "accuracy" else len(WITH_MEAN) for metric in TITLES}


def score_table(report: Report, published: bool = True) -> str:
    """Return the scores beside the baselines, and beside the published rows where wanted, as lines of text.

    At most `WIDTH` columns wide: names that are too long continue on a line of their own. Below stand the notes of the
    published rows and in what they differ from what was scored.
    """
    table = lines(rows(report, published), columns(report))
    below = [*filter(None, [report.rehearsed]), *_below(report)]
    if published:
        below += remarks(report) or ["No published row belongs to this experiment."]
    table += [part for line in below for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]
    return "\n".join(line.rstrip() for line in table)


def number(value: float | None) -> str:
    """Return a score as tables show it, with a dash for None and for what is not finite."""
    return f"{value:.3f}" if is_number(value) else DASH


def lines(rows: Sequence[ScoreRow], columns: Sequence[ScoreKey]) -> list[str]:
    """Return rows below two lines of column heads, as lines of text."""
    cell = 10 if columns[0].metric == "accuracy" else 8
    width = min(NAME_WIDTH, max(len(row.name) for row in rows)) + 2
    counts = {key.metric: sum(other.metric == key.metric for other in columns) for key in columns}
    found = [
        " " * width + "".join(f"{TITLES[metric]:<{cell * count}}" for metric, count in counts.items()),
        " " * width + "".join(f"{key.name:<{cell}}" for key in columns),
    ]
    for row in rows:
        *above, name = textwrap.wrap(row.name, NAME_WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [""]
        found += [part.rstrip() for part in above]
        found.append(f"{name:<{width}}" + "".join(f"{number(row.value(*key)):<{cell}}" for key in columns))
    return found


def _below(report: Report) -> Iterator[str]:
    scored = report.scored
    if sagr := scored.scores.get("sagr"):
        yield f"Sign agreement (SAGR): {', '.join(f'{name} {number(sagr[name])}' for name in WITH_MEAN)}."
    if other := report.against:
        metric = "ccc" if "ccc" in other.difference else "accuracy"
        values = ", ".join(
            f"{name} {each.value:+.3f} ({_span(each)})"
            for name, each in other.difference[metric].items()
            if each.value is not None
        )
        yield f"Difference of {TITLES[metric]} from {other.checkpoint} on the same {scored.unit}: {values}."
        if sentence := method(other.difference, scored.intervals.over):
            yield sentence
    if scored.intervals.warning:
        yield scored.intervals.warning
    yield from undefined(report)
    yield f"Scored over {scored.counted}: {report.protocol_summary}."


def undefined(report: Report) -> list[str]:
    """Return a sentence for each reason for which there are dashes in the tables."""
    by_reason: dict[str, list[Undefined]] = {}
    for each in report.scored.undefined:
        by_reason.setdefault(each.reason, []).append(each)
    found = {reason: ", ".join(_gathered(each)) for reason, each in by_reason.items()}
    return [
        # The value is there, its interval is not.
        f"No interval for {where}: {reason.removeprefix(NO_INTERVAL)}."
        if reason.startswith(NO_INTERVAL)
        else f"No value for {where}: {reason}."
        for reason, where in found.items()
    ]


def _span(difference: Difference) -> str:
    if difference.low is None:
        return difference.reason or "no interval"
    return f"{number(difference.low)} to {number(difference.high)}, p {number(difference.p)}"


def _gathered(undefined: Sequence[Undefined]) -> list[str]:
    """Return the places of undefined values as text, those of one metric of one part together."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in undefined:
        names.setdefault((each.part, each.key.metric), []).append(each.key.name)
    found = []
    for (part, metric), own in names.items():
        if part == REGIONS:
            found.append(f"the regions {_listed(own)}" if len(own) > 1 else f"the region {own[0]}")
            continue
        title = f"{TITLES[metric]} ({part})" if part else TITLES[metric]
        found.append(title if len(own) == _VALUES[metric] else f"{title} of {_listed(own)}")
    return found


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def remarks(report: Report) -> list[str]:
    """Return what a reader needs of the published rows, each sentence once, with the numbers of its rows.

    In what they differ from the report, what was checked and is the same, what cannot be known; and their notes.
    """
    by_sentence: dict[str, list[int]] = {}
    for index, published in enumerate(report.published, start=1):
        same, unknown = "; ".join(published.same), "; ".join(published.unknown)
        sentences = [
            *published.differs,
            f"Checked and the same: {same}." if same else "",
            f"Cannot be known: {unknown}." if unknown else "",
            published.row.note,
        ]
        for sentence in filter(None, sentences):
            by_sentence.setdefault(sentence, []).append(index)
    found = [f"{_numbers(indices)} {sentence}" for sentence, indices in by_sentence.items()]
    if any(not published.own for published in report.published):
        found.append(f"Rows without {OWN.strip()} are of other experiments or groups, and are not compared.")
    return found


def _numbers(indices: Sequence[int]) -> str:
    """Return row numbers as "[1]", or "[1-3, 7]"."""
    ranges: list[list[int]] = []
    for index in indices:
        if ranges and index == ranges[-1][-1] + 1:
            ranges[-1][1:] = [index]
        else:
            ranges.append([index])
    return f"[{', '.join('-'.join(map(str, each)) for each in ranges)}]"
