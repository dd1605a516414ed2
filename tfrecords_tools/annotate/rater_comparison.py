"""All raters' annotations of one video side by side, and the choice of those whose mean is the label (ijcv2019 3.4)."""

import csv
from dataclasses import asdict

import numpy as np

from tfrecords_tools.annotate.catalogue import Catalogue, Clip
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import whole
from tfrecords_tools.files.spreadsheet_cells import quoted, unquoted
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study.agreement import correlations
from tfrecords_tools.study.delay import Recording, against_raters
from tfrecords_tools.study.reliability import outliers, pairwise_ccc, reliability

RATE = 25.0  # values per second of the curves that are compared
FEWEST, MOST = 2, 4
SELECTED = "selected.csv"
COLUMNS = ("video", "annotators", "dimension")


def compare(catalogue: Catalogue, clip: Clip, dimension: str) -> dict:
    """Return all finished annotations of a video and how they agree, as JSON can hold it.

    `raters` has for each its `name`, `values` on the grid `times` (seconds), `verified`, and `delay` behind the others
    in seconds (None where it is not defined); `correlation` and `ccc` are matrices in their order, `reliability` the
    intraclass correlations and Krippendorff's alpha, `outliers` the names of raters who agree with nobody, `selected`
    the names chosen so far.
    """
    traces = {name: catalogue.trace(name, dimension, clip) for name in catalogue.raters}
    traces = {name: trace for name, trace in traces.items() if len(trace)}
    times = np.arange(0, clip.facts.seconds, 1 / RATE)
    ratings = np.stack([_resampled(trace, times) for trace in traces.values()], axis=1) if traces else np.zeros((0, 0))
    names = list(traces)
    raters = []
    for index, name in enumerate(names):
        others = np.delete(ratings, index, axis=1)
        delay = None
        if len(names) > 1:
            delay = against_raters([Recording(RATE, ratings[:, index], others=others.mean(axis=1))])
        details = catalogue.details(name, dimension, clip)
        raters.append({
            "name": name,
            "values": np.round(ratings[:, index], 3).tolist(),
            "verified": details.get("verified"),
            "ghost": bool(details.get("ghost")),
            "delay": delay and delay.seconds,
        })  # fmt: skip
    matrix = correlations(ratings) if names else ratings
    return {
        "times": np.round(times, 3).tolist(),
        "raters": raters,
        "correlation": _plain(matrix),
        "ccc": _plain(pairwise_ccc(ratings) if names else ratings),
        "reliability": asdict(reliability(ratings)) if len(names) > 1 else None,
        "outliers": outliers(matrix, names) if names else [],
        "selected": selection(catalogue).get((clip.name, dimension), []),
    }


def selection(catalogue: Catalogue) -> dict[tuple[str, str], list[str]]:
    """Return the raters selected so far, by video and dimension.

    Raises:
      UserError: if the file has other columns.
    """
    path = catalogue.source / SELECTED
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not set(COLUMNS) <= set(rows.fieldnames or []):
            raise UserError(f"{path}: must have the columns {', '.join(COLUMNS)}. Received: {rows.fieldnames}.")
        return {
            (unquoted(row["video"]), row["dimension"]): [
                name for name in unquoted(row["annotators"]).split(";") if name
            ]
            for row in rows
        }


def select(catalogue: Catalogue, clip: Clip, dimension: str, raters: list[str]) -> None:
    """Choose the 2 to 4 raters whose mean is the label of a video and dimension; none takes the choice back.

    Raises:
      UserError: if there are fewer or more, or one has no finished annotation of it.
    """
    check_choice("dimension", dimension, DIMENSIONS)
    chosen = selection(catalogue)
    if raters:
        if not FEWEST <= len(raters) <= MOST or len(set(raters)) < len(raters):
            raise UserError(f"Select {FEWEST} to {MOST} different annotations. Received: {', '.join(raters)}")
        for name in raters:
            if not len(catalogue.trace(name, dimension, clip)):
                raise UserError(f"{name} has no finished annotation of the {dimension} of {clip.name}.")
        chosen[clip.name, dimension] = raters
    else:
        chosen.pop((clip.name, dimension), None)
    with whole(catalogue.source / SELECTED) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for (video, own), names in sorted(chosen.items()):
            table.writerow([quoted(video), quoted(";".join(names)), own])


def _resampled(trace, times: np.ndarray) -> np.ndarray:
    return np.interp(times, trace.times / 1000, trace.values / 1000)


def _plain(matrix: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in matrix]
