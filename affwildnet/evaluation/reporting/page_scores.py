"""The tables of scores on a report's page."""

from affwildnet.evaluation.reporting import score_rows, score_tables
from affwildnet.evaluation.reporting.markup import Cell, integer, missing, paragraphs, table, text
from affwildnet.evaluation.reporting.report import Report
from affwildnet.evaluation.reporting.score_rows import TITLES, ScoreRow, is_number
from affwildnet.evaluation.scoring.intervals import method
from affwildnet.evaluation.scoring.regions import EMPTY
from affwildnet.evaluation.scoring.video_scores import UNLABELLED, ExpressionScores, UtteranceScores, VideoScores
from affwildnet.metrics import WITH_MEAN
from affwildnet.plotting import elided
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS


def own(report: Report) -> str:
    """Return the scores with their intervals."""
    row, ends, intervals = score_rows.own_row(report), score_rows.interval_rows(report), report.scored.intervals
    names = list(next(iter(row.scores.values())))
    lines = [
        [text(TITLES[metric]), *(_with_interval(row, ends, metric, name) for name in names)] for metric in row.scores
    ]
    note = [
        f"In brackets: {100 * intervals.level:g} % intervals of a percentile bootstrap over the {intervals.over}, "
        f"{intervals.resamples:,} resamples."
    ]
    if not intervals.resamples:
        note = ["No intervals were asked for."]
    elif not ends:
        note = []
    note += [intervals.warning] if intervals.warning else []
    return table(["", *names], lines) + paragraphs(note + score_tables.undefined(report))


def beside(report: Report) -> str:
    """Return the scores beside other ways of scoring, the baselines and the published rows."""
    columns = score_rows.columns(report)
    several = len({key.metric for key in columns}) > 1
    head = ["", *(f"{TITLES[key.metric]} {key.name}" if several else key.name for key in columns)]
    rows = score_rows.rows(report, intervals=False)
    lines = [[text(row.name), *(_score(row, *key) for key in columns)] for row in rows]
    notes = [f"{other.name}: {other.note}." for other in report.scored.others]
    if any(cell.kind == "missing" for line in lines for cell in line):
        notes.append("Point at a dash to see why there is no value.")
        notes += ["A dash of a published row: its table does not give the value."] if report.published else []
    remarks = score_tables.remarks(report)
    apart = "<h3>Before the published rows are compared with these scores</h3>" if remarks else ""
    return (
        table(head, lines, strong=0)
        + paragraphs(notes)
        + apart
        + paragraphs([report.rehearsed] if report.rehearsal else [], "")
        + paragraphs(remarks or ["No published row belongs to this experiment."], "")
    )


def post_processing(report: Report) -> str:
    """Return what was chosen on the validation split, and what it changed there and here."""
    done = report.post_processing
    if not done:
        return paragraphs(["No post-processing: the scores are those of the network's own predictions."])
    sizes = [
        [text(str(step).replace("_", " ")), *(integer(step.sizes[name]) for name in DIMENSIONS)]
        for step in done.chosen.steps
    ]
    effect = {
        "validation, before": done.chosen.before,
        "validation, after": done.chosen.after,
        f"{report.split}, without": done.without.get("ccc", {}),
        f"{report.split}, with": report.scored.scores.get("ccc", {}),
    }
    rows = [
        [text(name), *(_score(ScoreRow(name, {"ccc": values}), "ccc", each) for each in WITH_MEAN)]
        for name, values in effect.items()
    ]
    return (
        paragraphs(["Chosen on the validation split only: a step is kept where it raises the CCC there."])
        + table(["size of", *DIMENSIONS], sizes)
        + table(["CCC", *WITH_MEAN], rows)
    )


def against(report: Report) -> str:
    """Return the differences from another checkpoint on the same videos."""
    other = report.against
    if not other:
        return ""
    lines = []
    for metric, differences in other.difference.items():
        for name, each in differences.items():
            values = ((each.value, "+.3f"), (each.low, "+.3f"), (each.high, "+.3f"), (each.p, ".3f"))
            cells = (Cell(f"{v:{form}}", v) if is_number(v) else missing(each.reason) for v, form in values)
            lines.append([text(f"{TITLES[metric]} {name}"), *cells])
    note = (
        "This checkpoint's score minus that of the other, on the same videos. For errors (MSE, RMSE) a negative "
        "difference means a smaller error here."
    )
    where = f"{other.workdir}, {other.checkpoint}"
    return (
        paragraphs([where], "")
        + table(["", "difference", "from", "to", "p"], lines)
        + paragraphs([note, *filter(None, [method(other.difference, report.scored.intervals.over)])])
    )


def regions(report: Report) -> str:
    """Return the error by where the label lies, beside the published one of that region."""
    if not report.scored.regions:
        return ""
    published = {region: each.row for each in report.published if each.own and (region := each.row.region)}
    kind = f", {score_rows.REHEARSAL}" if report.rehearsal else ""
    head = ["region of the label", report.scored.unit, *(f"MSE {name}{kind}" for name in DIMENSIONS)]
    head += [f"published {name}" for name in DIMENSIONS] if published else []
    lines = []
    for error in report.scored.regions:
        row = ScoreRow(error.region, {"mse": error.mse}, otherwise=EMPTY)
        line = [text(error.region), integer(error.units), *(_score(row, "mse", name) for name in DIMENSIONS)]
        if published:
            scores = published[error.region].scores if error.region in published else {}
            row = ScoreRow(error.region, scores, otherwise="no published row is of this region")
            line += [_score(row, "mse", name) for name in DIMENSIONS]
        lines.append(line)
    note = (
        "The regions overlap: those of omg2019 table 7, its last row the whole of them, and the quadrants where "
        "an arousal is negative. A label counts in each region that it lies in."
    )
    return table(head, lines) + paragraphs([note])


def confusion(report: Report) -> str:
    """Return counts by label (rows) and prediction (columns), shaded by their share of the row."""
    matrix = report.scored.confusion
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
        lines.append([text(name), *cells, integer(total)])
    note = f"Rows: label; columns: prediction; in brackets the share of the label's {report.scored.unit}."
    return table(["label", *EXPRESSIONS, "all"], lines) + paragraphs([note])


def per_video(report: Report) -> str:
    """Return a table with a row for each video, which a click on a column's title sorts."""
    rows = report.scored.per_video
    first = next((row.scores for row in rows if row.scores), {})
    # The RMSE would only repeat the MSE beside it.
    metrics = [metric for metric in TITLES if metric in first and metric != "rmse"]
    columns = [(metric, name) for metric in metrics for name in first[metric] if name != "mean" or metric == "ccc"]
    head = ["video", "subject", "frames", "scored", *_of_protocol(rows[0])]
    head += [f"{TITLES[metric]} {name}" for metric, name in columns]
    lines = []
    for row in rows:
        reason = "the labels or the predictions of this video are constant" if row.scores else UNLABELLED
        own = ScoreRow(row.video, row.scores or {}, otherwise=reason)
        lines.append([
            *(_named(name) for name in (row.video, row.subject)),
            *(integer(frames) for frames in (row.frames, row.frames_scored)),
            *_of_protocol(row).values(),
            *(_score(own, *column) for column in columns),
        ])  # fmt: skip
    notes = ["Click a title to sort by it; videos without a value come last. Point at a dash to see why."]
    if any(metric == "ccc" for metric in metrics):
        notes.append("A video's own CCC is 0 where its labels are constant, whatever the predictions are.")
    return table(head, lines, sortable=True) + paragraphs(notes)


def _of_protocol(row: VideoScores) -> dict[str, Cell]:
    """Return the cells of a video, by their titles, that only one protocol has."""
    if isinstance(row, UtteranceScores):
        cells = {"sequences": integer(row.sequences)}
        cells |= {f"label {name}": _plain((row.label or {}).get(name)) for name in DIMENSIONS}
        return {**cells, **{f"prediction {name}": _plain(row.prediction[name]) for name in DIMENSIONS}}
    if isinstance(row, ExpressionScores):
        return {
            "label": missing(UNLABELLED) if row.label is None else text(row.label),
            "predicted": text(row.predicted),
        }
    return {}


def _plain(value: float | None) -> Cell:
    return missing(UNLABELLED) if value is None else Cell(score_tables.number(value), value)


def _named(name: str) -> Cell:
    return Cell(elided(name), name, name if elided(name) != name else "", "text")


def _score(row: ScoreRow, metric: str, name: str) -> Cell:
    value = row.value(metric, name)
    return Cell(score_tables.number(value), value) if is_number(value) else missing(row.reason(metric, name))


def _with_interval(row: ScoreRow, ends: list[ScoreRow], metric: str, name: str) -> Cell:
    cell = _score(row, metric, name)
    span = [end.value(metric, name) for end in ends]
    if not span or cell.kind == "missing":
        return cell
    if not all(map(is_number, span)):
        return Cell(f"{cell.shown} [–]", cell.value, ends[0].reason(metric, name))
    return Cell(f"{cell.shown} [{score_tables.number(span[0])}, {score_tables.number(span[1])}]", cell.value)
