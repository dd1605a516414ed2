"""The report of one scored split: JSON, per-frame CSV, plots, and a page that shows them."""

import base64
import csv
import dataclasses
import html
import json
from pathlib import Path

from affwildnet.evaluation import plots
from affwildnet.evaluation.estimates import Evaluation
from affwildnet.experiments.config import PROTOCOLS, Experiment
from affwildnet.metrics import DIMENSIONS
from affwildnet.workdir import Workdir, read_lines, versions, write_json
from tfrecords_tools.files import whole

PLOTS = {
    "curves": "Labels and estimates over time",
    "histograms": "Labels and estimates in the valence-arousal plane",
    "training": "Training loss and validation CCC",
}
METRICS = {"ccc": "CCC", "pearson": "Pearson", "mse": "MSE"}
NOT_COMPARABLE = "Published rows are of the corpus and split that they name; on any other they are no comparison."


def contents(
    evaluation: Evaluation, experiment: Experiment, checkpoint: Path, step: int | None, baselines: dict[str, dict]
) -> dict:
    """Returns the report as what `json` can write."""
    return {
        "experiment": experiment.name,
        "checkpoint": str(checkpoint),
        "step": step,
        "split": evaluation.split,
        "videos": len(evaluation.videos),
        "frames": sum(len(video.frames) for video in evaluation.videos),
        "frames_labelled": evaluation.frames_labelled,
        "frames_scored": evaluation.frames_scored,
        **evaluation.scores,
        "baselines": baselines,
        "protocol": experiment.protocol,
        "published": [dataclasses.asdict(row) for row in experiment.published],
        "per_video": evaluation.per_video(),
        "versions": versions(),
    }


def write(report: dict, evaluation: Evaluation, workdir: Workdir) -> dict[str, Path]:
    """Writes `report-<split>.json`, `.csv`, `.html` and its plots; returns their paths by what they hold."""
    stem = f"report-{evaluation.split}"
    paths = {name: workdir.path / f"{stem}-{name}.png" for name in PLOTS}
    plots.curves(evaluation, paths["curves"])
    plots.histograms(evaluation, paths["histograms"])
    plots.training_curves(
        read_lines(workdir.training_log), read_lines(workdir.metrics), report["step"], paths["training"]
    )
    paths["page"] = workdir.path / f"{stem}.html"
    with whole(paths["page"]) as partial:
        partial.write_text(page(report, {name: paths[name] for name in PLOTS}), "utf-8")
    paths["estimates"] = workdir.path / f"{stem}.csv"
    write_csv(evaluation, paths["estimates"])
    paths["report"] = workdir.path / f"{stem}.json"
    write_json(paths["report"], report)
    return paths


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Writes a line per frame: video, frame, time [s], labels (empty where there is none) and estimates.

    Numbers are written so that reading them back as float32 gives the same values.
    """
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "frame", "time", *(f"{name}_label" for name in DIMENSIONS), *DIMENSIONS])
        for video in evaluation.videos:
            rows = zip(video.frames, video.timestamps, video.labels, video.estimates, video.labelled, strict=True)
            for frame, time, label, estimate, labelled in rows:
                label = [str(value) for value in label] if labelled else ["", ""]
                writer.writerow([video.video, frame, f"{time:.4f}", *label, *(str(value) for value in estimate)])


def score_table(report: dict, published: bool = True) -> str:
    """Returns the scores beside the baselines, and beside the published rows where wanted, as lines of text."""
    rows = _score_rows(report, published)
    width = max(len(row[0]) for row in rows) + 2
    lines = [
        " " * width + "".join(f"{title:<27}" for title in METRICS.values()),
        " " * width + "".join(f"{name:<9}" for name in (*DIMENSIONS, "mean")) * len(METRICS),
    ]
    lines += [f"{row[0]:<{width}}" + "".join(f"{cell:<9}" for cell in row[1:]) for row in rows]
    if published:
        lines += _remarks(report) or ["No published row belongs to this experiment."]
    return "\n".join(lines)


def _score_rows(report: dict, published: bool) -> list[list[str]]:
    rows = [["this checkpoint", *_score_cells(report)]]
    rows += [[name, *_score_cells(scores)] for name, scores in report["baselines"].items()]
    if published:
        rows += [[_published_name(row), *_score_cells(row["scores"])] for row in report["published"]]
    return rows


def _remarks(report: dict) -> list[str]:
    """What has to be known before the published rows are compared with."""
    if not report["published"]:
        return []
    if report["protocol"] == "frames":
        return [NOT_COMPARABLE]
    how = PROTOCOLS[report["protocol"]]
    return [NOT_COMPARABLE, f"They came about in another way: {how}. The scores here are of each frame, pooled."]


def _published_name(row: dict) -> str:
    return f"{row['source']} table {row['table']}: {row['row']} ({row['corpus']})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def page(report: dict, pictures: dict[str, Path]) -> str:
    """Returns the report as one HTML page that needs no other file."""
    video_rows = [
        [row["video"], row["frames"], row["frames_scored"], *_score_cells(row["scores"] or {})]
        for row in report["per_video"]
    ]
    metric_heads = [f"{title} {name}" for title in METRICS.values() for name in (*DIMENSIONS, "mean")]
    head = html.escape(f"{report['experiment']}: {report['split']} split")
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>{head}</title>",
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .6em;text-align:right;"
        "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}img{max-width:100%}</style>",
        f"<h1>{head}</h1>",
        f"<p>Checkpoint {html.escape(report['checkpoint'])}, step {report['step']}. {report['frames_scored']} of "
        f"{report['frames_labelled']} labelled frames scored, in {report['videos']} videos. Scores are pooled over all "
        "frames of the split.</p>",
        _table(["", *metric_heads], _score_rows(report, published=True)),
        *(f"<p>{html.escape(remark)}</p>" for remark in _remarks(report)),
        "<h2>Per video</h2>",
        _table(["video", "frames", "scored", *metric_heads], video_rows),
    ]
    for name, title in PLOTS.items():
        data = base64.b64encode(pictures[name].read_bytes()).decode()
        parts.append(f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{data}">')
    parts.append(f"<h2>Versions</h2><pre>{html.escape(json.dumps(report['versions'], indent=2))}</pre></html>")
    return "\n".join(parts)


def _score_cells(scores: dict) -> list[str]:
    return [_number(scores.get(metric, {}).get(name)) for metric in METRICS for name in (*DIMENSIONS, "mean")]


def _table(head: list[str], rows: list[list]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "".join(lines) + "</table>"
