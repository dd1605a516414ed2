"""`table.html`, `table.md`, `table.csv` and `table.json`: the paper's table with our column beside it."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from affwildnet.evaluation.reporting.markup import (
    POLICY,
    STYLE,
    Cell,
    captioned,
    escaped,
    missing,
    paragraphs,
    table,
    text,
)
from affwildnet.experiments import PAPERS
from affwildnet.reproduce.row_order import Order
from affwildnet.reproduce.row_results import Results, RowResult, Value
from tfrecords_tools.files import whole
from tfrecords_tools.files.spreadsheet_cells import quoted

NAMES = ("table.html", "table.md", "table.csv", "table.json")
METRICS = {"ccc": "CCC", "pearson": "Pearson", "mse": "MSE", "rmse": "RMSE", "accuracy": "accuracy"}
REHEARSAL = "rehearsal"
_OTHERS = "other group"


def write(results: Results, order: Order, figures: Sequence[tuple[str, Path]] = ()) -> list[Path]:
    """Write the four files into the table's working directory; return their paths.

    Args:
      order: of the rows.
      figures: captions and PNG files that the page shows.
    """
    contents = {
        "table.html": _page(results, order, figures),
        "table.md": "\n".join(_markdown(results, order)) + "\n",
        "table.csv": _csv(results),
        "table.json": json.dumps(_json(results, order), indent=2, allow_nan=False) + "\n",
    }
    paths = []
    for name in NAMES:
        path = results.request.workdir / name
        with whole(path) as partial:
            partial.write_text(contents[name], "utf-8", newline="")
        paths.append(path)
    return paths


def heads(results: Results) -> list[str]:
    """Return the titles of the columns: the row, then each number as printed and as found here."""
    found = ["row"]
    for metric, name in results.columns:
        title = f"{METRICS[metric]} {name}"
        found += [title, f"{title}, here"]
    return [*found, "state"]


def state_of(result: RowResult) -> str:
    """Return what is to be said of a row: whose it is, a rehearsal, or why there is no score."""
    if not result.row.experiment:
        return _OTHERS
    return REHEARSAL if result.rehearsal else result.state


def _title(results: Results) -> str:
    kind = f", a {REHEARSAL}" if results.rehearsal else ""
    return f"{results.request.table.name}: {results.request.table.title}{kind}"


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _here(value: Value) -> str:
    """Return a score with its interval."""
    if value.score is None:
        return ""
    ends = f" [{_number(value.low)}, {_number(value.high)}]" if value.low is not None else ""
    return f"{_number(value.score)}{ends}"


def _sentences(results: Results, order: Order) -> Iterator[tuple[str, list[str]]]:
    """Yield what stands below the table: a title and its sentences, each once with the rows that it is true of."""
    table_ = results.request.table
    scored = [each.row.row for each in results.rows if each.report]
    if rehearsed := [each.row.row for each in results.rows if each.rehearsal]:
        rows_of = {
            reason: [each.row.row for each in results.rows if reason in each.rehearsal] for reason in results.rehearsal
        }
        yield (
            "A rehearsal",
            [
                *(f"{_of(rows, scored)}: {reason}." for reason, rows in rows_of.items()),
                f"{_of(rehearsed, scored)}: these numbers say whether everything works, and nothing of the paper's.",
            ],
        )
    if said := list(_intervals(results)):
        yield "Intervals", said
    yield "The order of the rows", order.sentences()
    found = list(_compared(results))
    yield (
        "What differs, what is the same, what cannot be known",
        [f"{_of(rows, scored)}: {sentence}" for rows, sentence in found] or ["No row of the paper has a score yet."],
    )
    notes: dict[str, list[str]] = {}
    for each in results.rows:
        if each.row.note:
            notes.setdefault(each.row.note, []).append(each.row.row)
    lines = [f"{', '.join(rows)}: {note}" for note, rows in notes.items()]
    if table_.note or lines:
        yield "Notes", [*filter(None, [table_.note]), *lines]
    lacking = [f"{each.row.row}: {each.state}" for each in results.rows if each.row.experiment and not each.report]
    if lacking:
        yield "Rows without a score here", lacking


def _intervals(results: Results) -> Iterator[str]:
    """Yield what the intervals are of, and a caution where that is too few."""
    rows_of: dict[tuple[str, int, str], list[str]] = {}
    for each in results.rows:
        if each.report and any(each.report["intervals"].values()):
            held = each.report["interval"]
            rows_of.setdefault((held["over"], held["number"], str(held.get("warning") or "")), []).append(each.row.row)
    scored = [each.row.row for each in results.rows if each.report]
    for (over, number, warning), rows in rows_of.items():
        yield (
            f"{_of(rows, scored)}: in brackets 95 % intervals of a percentile bootstrap over the {number:,} {over}."
            f"{f' {warning}' if warning else ''}"
        )


def _compared(results: Results) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield rows, and a sentence that is true of them all: each difference, then what is the same and what is unknown.

    What the same rows have in common is one sentence.
    """
    for kind, words in (("differs", ""), ("same", "Checked and the same: "), ("unknown", "Cannot be known: ")):
        rows_of: dict[str, list[str]] = {}
        for each in results.rows:
            for item in each.comparison[kind]:
                rows_of.setdefault(item, []).append(each.row.row)
        if not words:
            yield from ((tuple(rows), item) for item, rows in rows_of.items())
            continue
        items_of: dict[tuple[str, ...], list[str]] = {}
        for item, rows in rows_of.items():
            items_of.setdefault(tuple(rows), []).append(item)
        yield from ((rows, f"{words}{'; '.join(items)}.") for rows, items in items_of.items())


def _of(rows: Sequence[str], scored: Sequence[str]) -> str:
    return "All rows" if len(scored) > 1 and list(rows) == list(scored) else "; ".join(rows)


def _cells(results: Results, result: RowResult) -> Iterator[tuple[str, float | None, str]]:
    """Yield (printed, value, here) of each column."""
    for metric, name in results.columns:
        published = result.row.scores.get(metric, {}).get(name)
        digits = _digits(results, metric)
        yield _number(published, digits), published, _here(result.value(metric, name))


def _digits(results: Results, metric: str) -> int:
    """Return how many decimals the table prints of a metric: the most that one of its numbers has."""
    values = [value for each in results.rows for value in each.row.scores.get(metric, {}).values()]
    return max(2, *(len(repr(value).partition(".")[2]) for value in values))


def _page(results: Results, order: Order, figures: Sequence[tuple[str, Path]]) -> str:
    lines = []
    for each in results.rows:
        row = [text(each.row.row)]
        columns = zip(_cells(results, each), results.columns, strict=True)
        for (printed, published, here), (metric, name) in columns:
            row.append(Cell(printed, published) if printed else missing("the paper's table does not give it"))
            value = each.value(metric, name)
            row.append(Cell(here, value.score) if here else missing(_why(each)))
        lines.append([*row, text(state_of(each))])
    head = escaped(_title(results))
    paper = PAPERS[results.request.table.source]
    below = "".join(
        f"<h2>{escaped(title)}</h2>{paragraphs(sentences, '')}" for title, sentences in _sentences(results, order)
    )
    drawn = "".join(captioned(path.read_bytes(), caption) for caption, path in figures)
    note = (
        "The paper's table as printed; beside each number what was found here, in brackets its interval. Point at a "
        "dash to see why there is no value."
    )
    return "\n".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{head}</title><style>{STYLE}</style></head><body>",
        f"<h1>{head}</h1><p>{escaped(paper.title)}</p>",
        table(heads(results), lines),
        paragraphs([note]),
        below,
        f"<h2>Figures</h2>{drawn}" if drawn else "",
        "</body></html>",
    ])  # fmt: skip


def _why(result: RowResult) -> str:
    if not result.row.experiment:
        return "another group's method, which is not run here"
    return "not computed for this row" if result.report else result.state


def _markdown(results: Results, order: Order) -> Iterator[str]:
    yield from (f"# {_title(results)}", "", PAPERS[results.request.table.source].title, "")
    columns = heads(results)
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for each in results.rows:
        cells = [part for printed, _, here in _cells(results, each) for part in (printed, here)]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in [each.row.row, *cells, state_of(each)])} |"
    for title, sentences in _sentences(results, order):
        yield from ("", f"## {title}", "", *(f"- {sentence}" for sentence in sentences))


def _csv(results: Results) -> str:
    """Return the table with the ends of the intervals in columns of their own."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["row", "experiment", "state"]
    for metric, name in results.columns:
        head += [f"{metric}.{name}.{what}" for what in ("published", "here", "low", "high")]
    writer.writerow(head)
    for each in results.rows:
        line = [each.row.row, each.row.experiment, state_of(each)]
        for metric, name in results.columns:
            value = each.value(metric, name)
            line += [each.row.scores.get(metric, {}).get(name), *dataclasses.astuple(value)]
        writer.writerow(["" if cell is None else quoted(cell) for cell in line])
    return file.getvalue()


def _json(results: Results, order: Order) -> dict:
    request = results.request
    rows = []
    for each in results.rows:
        here: dict[str, dict] = {}
        for metric, name in results.columns:
            here.setdefault(metric, {})[name] = dataclasses.asdict(each.value(metric, name))
        rows.append({
            **dataclasses.asdict(each.row),
            "printed": each.printed,
            "state": state_of(each),
            "rehearsal": list(each.rehearsal),
            "report": str(each.path) if each.report else None,
            "interval": each.report["interval"] if each.report else None,
            "here": here if each.report else None,
            **each.comparison,
        })  # fmt: skip
    return {
        "table": request.table.name,
        "title": request.table.title,
        "paper": PAPERS[request.table.source].title,
        "data_dir": str(request.data_dir),
        "settings": list(request.settings),
        "rehearsal": list(results.rehearsal),
        "rows": rows,
        "order": dataclasses.asdict(order),
        "jobs": results.states,
    }
