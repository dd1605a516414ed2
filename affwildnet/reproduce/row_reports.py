"""What lies in a row's folder once it is scored: its report, and the predictions that the report is of."""

import csv
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.descriptions import METRICS
from affwildnet.runs.json_files import read_json
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular
from tfrecords_tools.files.spreadsheet_cells import unquoted
from tfrecords_tools.records import manifest
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

_TEXTS = ("split", "protocol")
_KINDS = {"corpus": dict, "interval": dict, "intervals": dict, "rehearsal": list, "folds": list, "published": list}
_COMPARED = ("differs", "same", "unknown")


def load(path: Path) -> dict[str, Any] | None:
    """Return what `report-<split>.json` holds; None if there is no file.

    Raises:
      UserError: if it holds anything that no report has where a table reads it.
    """
    found = read_json(path)
    for fault in () if found is None else _faults(found):
        raise UserError(f"{path}: must be a report. Received: {fault}. Delete it to have the row scored again.")
    return found


def _faults(report: dict) -> Iterator[str]:
    yield from (f"no text as {name}" for name in _TEXTS if not isinstance(report.get(name), str))
    wrong = [name for name, kind in _KINDS.items() if not isinstance(report.get(name), kind)]
    yield from (f"no {_KINDS[name].__name__} as {name}" for name in wrong)
    if wrong:
        return
    corpus, interval = report["corpus"], report["interval"]
    if not all(isinstance(corpus.get(name), str) for name in ("folder", "fingerprint")):
        yield "a corpus without folder and fingerprint"
    if not (isinstance(interval.get("over"), str) and _is_count(interval.get("number"))):
        yield "an interval of unknown units"
    if not all(map(_is_count, report["folds"])) or not _are_texts(report["rehearsal"]):
        yield "folds or reasons of another kind"
    for metric in filter(report.__contains__, METRICS):
        ends = report["intervals"].get(metric, {})
        if not _are_scores(report[metric]) or not (isinstance(ends, dict) and all(map(_is_interval, ends.values()))):
            yield f"a {metric} that is no score"
    if not any(metric in report for metric in METRICS):
        yield "no scores"
    for row in report["published"]:
        if not (isinstance(row, dict) and all(_are_texts(row.get(name)) for name in _COMPARED)):
            yield "a published row of another kind"
    for region in report.get("regions", []):
        if not (isinstance(region, dict) and _are_scores(region.get("mse"))):
            yield "a region of another kind"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_score(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _are_scores(values: Any) -> bool:
    return isinstance(values, dict) and all(map(_is_score, values.values()))


def _is_interval(ends: Any) -> bool:
    return ends is None or (isinstance(ends, list) and len(ends) == 2 and all(map(_is_score, ends)))


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def predictions(path: Path, report: dict[str, Any]) -> Evaluation:
    """Return the predictions that a report is of, from the CSV beside it.

    Raises:
      UserError: if the CSV or the corpus cannot be read.
    """
    table = path.with_suffix(".csv")
    try:
        videos = list(_videos(table, _subjects(report)))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        said = f"{type(error).__name__}: {error}"
        raise UserError(f"{table}: must hold the predictions of {path.name}. Received: {said[:200]}") from None
    return Evaluation.of(report["split"], videos, folds=tuple(report["folds"]), smoothing=_smoothing(report))


def _smoothing(report: dict[str, Any]) -> tuple[int, ...]:
    """Return the radii over utterances that the scores are with."""
    held = report
    for name in ("post_processing", "chosen", "smoothing"):
        held = held.get(name) if isinstance(held, dict) else None
    radii = [held.get(name, 0) if isinstance(held, dict) else 0 for name in DIMENSIONS]
    return tuple(radius if _is_count(radius) else 0 for radius in radii)


def _subjects(report: dict[str, Any]) -> dict[str, str]:
    """Return the subject of each video that a report is of."""
    packed = manifest.load(Path(report["corpus"]["folder"]))
    folds = bool(report["folds"])
    return {entry.video: entry.subject for entry in packed.videos if folds or entry.split == report["split"]}


def _videos(path: Path, subject_of: dict[str, str]) -> Iterator[VideoPredictions]:
    with regular(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        classes = "label" in (reader.fieldnames or ())
        names = EXPRESSIONS if classes else DIMENSIONS
        for cell, group in itertools.groupby(reader, key=lambda row: row["video"]):
            video, own = unquoted(cell), list(group)
            predicted = np.array([[row[name] for name in names] for row in own], np.float32)
            if classes:
                labels = np.array([_one_hot(row["label"]) for row in own], np.float32)
            else:
                cells = [[row[f"{name}_label"] or "nan" for name in DIMENSIONS] for row in own]
                labels = np.array(cells, np.float32)
            frames = np.array([row["frame"] for row in own], np.int64)
            times = np.array([row["time"] for row in own], np.float32)
            if not np.isfinite(predicted).all():
                raise ValueError(f"a prediction for {video} that is no number")
            yield VideoPredictions(video, subject_of.get(video, video), frames, times, labels, predicted)


def _one_hot(label: str) -> np.ndarray:
    if not label:
        return np.full(len(EXPRESSIONS), np.nan)
    return np.eye(len(EXPRESSIONS))[EXPRESSIONS.index(label)]
