"""The report page's tables of scores."""

from affwildnet.evaluation.reporting import score_tables
from affwildnet.evaluation.reporting.comparison import region_of
from affwildnet.evaluation.reporting.markup import Cell, count, missing, paragraphs, table, text
from affwildnet.evaluation.reporting.score_tables import TITLES, Row, is_number
from affwildnet.experiments.published import Published
from affwildnet.plotting import elided
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS


def own(report: dict) -> str:
    """Return the scores with their intervals."""
    row, ends = score_tables.own_row(report), score_tables.interval_rows(report)
    names = list(next(iter(row.scores.values())))
    lines = [
        [text(TITLES[metric]), *(_with_interval(row, ends, metric, name) for name in names)] for metric in row.scores
    ]
    interval = report["interval"]
    note = [
        f"In brackets: {100 * interval['level']:g} % intervals of a percentile bootstrap over the {interval['over']}, "
        f"{interval['resamples']:,} resamples."
    ]
    if not interval["resamples"]:
        note = ["Intervals were not asked for."]
    elif not ends:
        note = []
    return table(["", *names], lines) + paragraphs(note + score_tables.undefined(report))


def beside(report: dict) -> str:
    """Return the scores beside other ways of scoring, the baselines and the published rows."""
    columns = score_tables.columns(report)
    rows = [row for row in score_tables.rows(report) if row not in score_tables.interval_rows(report)]
    several = len({metric for metric, _ in columns}) > 1
    head = ["", *(f"{TITLES[metric]} {name}" if several else name for metric, name in columns)]
    lines = [[text(row.name.strip()), *(_score(row, *column) for column in columns)] for row in rows]
    notes = [f"{other['name']}: {other['note']}." for other in report["others"] if other.get("note")]
    if any(cell.kind == "missing" for line in lines for cell in line):
        notes.append("A dash tells under the pointer why there is no value.")
        notes += [] if not report["published"] else ["What a published row lacks, its table does not give."]
    remarks = score_tables.remarks(report)
    apart = "<h3>Before the published rows are read beside these scores</h3>" if remarks else ""
    return (
        table(head, lines, strong=0)
        + paragraphs(notes)
        + apart
        + paragraphs(remarks or ["No published row belongs to this experiment."], "")
    )


def post_processing(report: dict) -> str:
    """Return what was chosen on the validation split, and what it changed there and here."""
    done = report["post_processing"]
    if not done:
        return paragraphs(["Nothing was done: the scores are of the network's own predictions."])
    chosen = done.get("chosen") or {}
    lines = [
        [text(step.replace("_", " ")), *(_size(sizes.get(name)) for name in DIMENSIONS)]
        for step, sizes in chosen.items()
    ]
    effect = [
        ("validation, before", _ccc(done.get("validation", {}).get("before"))),
        ("validation, after", _ccc(done.get("validation", {}).get("after"))),
        (f"{report['split']}, without", _ccc(done.get("without"))),
        (f"{report['split']}, with", _ccc({"ccc": report.get("ccc")})),
    ]
    rows = [
        [text(name), *(_score(Row(name, {"ccc": values}, {"": "not told"}), "ccc", d) for d in (*DIMENSIONS, "mean"))]
        for name, values in effect
    ]
    return (
        paragraphs(["Chosen on the validation split alone: a step is kept where it raises the CCC there."])
        + table(["size of", *DIMENSIONS], lines)
        + table(["CCC", *DIMENSIONS, "mean"], rows)
    )


def against(report: dict) -> str:
    """Return the differences to another checkpoint on the same videos."""
    other = report["against"]
    if not other:
        return ""
    lines = []
    for metric, values in other["difference"].items():
        for name, entry in values.items():
            reason = entry.get("reason", "not defined")
            cells = (
                Cell(f"{entry[key]:{form}}", entry[key]) if is_number(entry.get(key)) else missing(reason)
                for key, form in (("value", "+.3f"), ("low", "+.3f"), ("high", "+.3f"), ("p", ".3f"))
            )
            lines.append([text(f"{TITLES.get(metric, metric)} {name}"), *cells])
    note = (
        "This checkpoint's score minus that of the other, on the same videos; interval and two-sided p by a paired "
        "bootstrap. Of errors (MSE, RMSE) a negative difference is the smaller error here."
    )
    where = f"{other['workdir']}, {other['checkpoint']}"
    return paragraphs([where], "") + table(["", "difference", "from", "to", "p"], lines) + paragraphs([note])


def regions(report: dict) -> str:
    """Return the error by where the label lies, beside the published one of that region."""
    if not report["regions"]:
        return ""
    published = [row for row in report["published"] if region_of(_published(row))]
    head = ["region of the label", report["unit"], *(f"MSE {name}" for name in DIMENSIONS)]
    head += [f"published {name}" for name in DIMENSIONS] if published else []
    lines = []
    for region in report["regions"]:
        name = region["region"]
        reasons = {"": report["undefined"].get(f"regions.{name}", "no label lies there")}
        line = [text(name), count(region["units"])]
        line += [_score(Row(name, {"mse": region["mse"]}, reasons), "mse", dimension) for dimension in DIMENSIONS]
        if published:
            of = next((row["scores"] for row in published if region_of(_published(row)) == name), {})
            unknown = {"": "no published row is of this region"}
            line += [_score(Row(name, of, unknown), "mse", dimension) for dimension in DIMENSIONS]
        lines.append(line)
    return table(head, lines)


def confusion(report: dict) -> str:
    """Return counts by label (rows) and prediction (columns), shaded by their share of the row."""
    matrix = report.get("confusion")
    if matrix is None:
        return ""
    lines = []
    for name, row in zip(EXPRESSIONS, matrix, strict=True):
        total = sum(row)
        cells = [
            Cell(
                f"{value:,}" + (f" ({100 * value / total:.0f} %)" if total and value else ""),
                value,
                "" if total else "no video has this class",
                "heat",
                f"rgba(0,114,178,{0.6 * value / total:.2f})" if value else "",
            )
            for value in row
        ]
        lines.append([text(name), *cells, count(total)])
    note = f"Rows: label; columns: prediction; in brackets the share of the label's {report['unit']}."
    return table(["label", *EXPRESSIONS, "all"], lines) + paragraphs([note])


def per_video(report: dict) -> str:
    """Return a table with a row for each video, sorted by clicking the titles."""
    rows = report["per_video"]
    scored = [row["scores"] for row in rows if row["scores"]]
    # The RMSE, the root of the MSE beside it, would say the same again.
    metrics = [metric for metric in TITLES if scored and metric in scored[0] and metric != "rmse"]
    columns = [(metric, name) for metric in metrics for name in scored[0][metric] if name != "mean" or metric == "ccc"]
    extra = [key for key in ("sequences", "label", "prediction", "predicted") if any(key in row for row in rows)]
    flat = [(key, name) for key in extra for name in _names(rows, key)]
    head = ["video", "subject", "frames", "scored"]
    head += [f"{key} {name}".strip() for key, name in flat]
    head += [f"{TITLES[metric]} {name}" for metric, name in columns]
    lines = []
    for row in rows:
        reason = "the labels or the predictions of this video are constant" if row["scores"] else "no frame has a label"
        own = Row(row["video"], row["scores"] or {}, {"": reason})
        lines.append([
            *(_named(row.get(key, "")) for key in ("video", "subject")),
            *(count(row[key]) for key in ("frames", "frames_scored")),
            *(_extra(row, *column) for column in flat),
            *(_score(own, *column) for column in columns),
        ])  # fmt: skip
    notes = ["A click on a title sorts by it; videos without a value come last. A dash tells under the pointer why."]
    if any(metric == "ccc" for metric in metrics):
        notes.append("A video's own CCC is 0 where its labels are constant, whatever the predictions are.")
    return table(head, lines, sortable=True) + paragraphs(notes)


def _names(rows: list[dict], key: str) -> list[str]:
    values = next((row[key] for row in rows if row.get(key) is not None), None)
    return list(values) if isinstance(values, dict) else [""]


def _extra(row: dict, key: str, name: str) -> Cell:
    value = row.get(key)
    if isinstance(value, dict):
        value = value.get(name)
    if value is None:
        return missing("no frame has a label")
    if isinstance(value, str):
        return text(value)
    return count(value) if isinstance(value, int) else Cell(score_tables.number(value), value)


def _named(name: str) -> Cell:
    return Cell(elided(name), name, name if elided(name) != name else "", "text")


def _score(row: Row, metric: str, name: str) -> Cell:
    value = row.value(metric, name)
    return Cell(score_tables.number(value), value) if is_number(value) else missing(row.reason(metric, name))


def _with_interval(row: Row, ends: list[Row], metric: str, name: str) -> Cell:
    cell = _score(row, metric, name)
    span = [end.value(metric, name) for end in ends]
    if not span or cell.kind == "missing":
        return cell
    if not all(map(is_number, span)):
        return Cell(f"{cell.shown} [–]", cell.value, ends[0].reason(metric, name))
    return Cell(f"{cell.shown} [{score_tables.number(span[0])}, {score_tables.number(span[1])}]", cell.value)


def _size(value: int | None) -> Cell:
    return missing("not kept") if value is None else count(value)


def _ccc(values: dict | None) -> dict:
    """Return the CCCs of scores, or of what are CCCs already."""
    return (values or {}).get("ccc", values) or {}


def _published(row: dict) -> Published:
    return Published(row["source"], row["table"], row["row"], row["corpus"], row["scores"], row["note"])
