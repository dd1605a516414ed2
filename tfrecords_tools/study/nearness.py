"""Which annotator is nearest to the landmarks (ijcv2019 section 4.3, cvprw2017 section 4.1).

For each video, and separately for valence and arousal, each annotator's canonical correlation with the landmarks is
compared with the mean of all annotators who have one in that video. An annotator's lead is the mean of these
differences, so that nobody gains by having rated only the videos in which every annotation correlates. Where all have
rated all videos, the order is that of the mean correlations.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study import agreement
from tfrecords_tools.study.one_thread import one_thread

BOTH = "both"


def of_video(ratings: np.ndarray, landmarks: np.ndarray, chance: bool = False) -> list[dict]:
    """Return for each annotator the correlation with the landmarks of one video and, if asked, what chance gives.

    Args:
      ratings: (n, A) of one dimension, NaN where missing.
      landmarks: (n, 68, 2) in crop coordinates.
      chance: whether to compute `by_chance`, which takes longer.
    """
    found = []
    for values in np.asarray(ratings).T:
        correlation, _ = agreement.canonical_correlation(landmarks, values)
        shifted = agreement.by_chance(landmarks, values) if chance and correlation is not None else None
        found.append({"landmarks": correlation, "by_chance": shifted})
    return found


def ranking(videos: dict[str, Sequence[list[dict]]], names: Sequence[str]) -> dict:
    """Return the annotators by their nearness to the landmarks.

    `annotators` has for each its name and by dimension `mean` (of the correlations), `by_chance`, `lead` and the number
    of `videos`, `both` being the mean lead of the two dimensions; `nearest` the name with the largest lead by
    dimension and for `both`, None where nobody has a correlation.

    Args:
      videos: for each dimension the result of `of_video` for every video.
      names: of the annotators.
    """
    described = [{"name": name} for name in names]
    for dimension, own in videos.items():
        values = _table(own, "landmarks", len(names))
        chance = _table(own, "by_chance", len(names))
        there = ~np.isnan(values)
        mean_of_video = np.where(there, values, 0).sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1)
        for column, rater in enumerate(described):
            rater[dimension] = {
                "mean": _mean(values[:, column]),
                "by_chance": _mean(chance[:, column]),
                "lead": _mean((values - mean_of_video)[:, column]),
                "videos": int(there[:, column].sum()),
            }
    for rater in described:
        leads = [rater[dimension]["lead"] for dimension in videos]
        rater[BOTH] = None if None in leads else float(np.mean(leads))
    nearest = {dimension: _first(described, lambda rater, at=dimension: rater[at]["lead"]) for dimension in videos}
    return {"annotators": described, "nearest": {**nearest, BOTH: _first(described, lambda rater: rater[BOTH])}}


@one_thread
def of_corpus(folder: str | Path, splits: Sequence[str]) -> dict:
    """Return the `ranking` in a packed corpus, by the videos of some splits.

    Raises:
      UserError: if there is no packed corpus, or a file of it cannot be read.
    """
    packed = manifest.load(folder)
    videos: dict[str, list[list[dict]]] = {dimension: [] for dimension in DIMENSIONS}
    for entry in packed.videos:
        if entry.split in splits:
            columns = read_columns(folder, entry, ["landmarks", "annotators"], packed.fields)
            for index, dimension in enumerate(DIMENSIONS):
                videos[dimension].append(of_video(columns["annotators"][:, :, index], columns["landmarks"]))
    return ranking(videos, packed.annotators)


def lines(found: dict) -> list[str]:
    """Return a ranking as lines of text, the nearest annotator first; none where nobody has a correlation."""
    if not any(found["nearest"].values()):
        return []
    raters = sorted(found["annotators"], key=lambda rater: -(-9 if rater[BOTH] is None else rater[BOTH]))
    width = max(11, *(len(rater["name"]) + 2 for rater in raters))
    heads = "".join(
        f"{f'{dimension[0].upper()}: {head}':>14}"
        for dimension in DIMENSIONS
        for head in ("landmarks", "chance", "lead")
    )
    shown = ["", f"{'annotator':<{width}}{heads}{'both: lead':>14}"]
    for rater in raters:
        values = [rater[dimension][name] for dimension in DIMENSIONS for name in ("mean", "by_chance", "lead")]
        shown.append(f"{rater['name']:<{width}}" + "".join(_cell(value) for value in [*values, rater[BOTH]]))
    nearest = ", ".join(f"{name} in {what}" for what, name in found["nearest"].items() if name)
    return [*shown, f"nearest to the landmarks: {nearest}; lead: over the mean of the annotators, video by video"]


def _table(videos: Sequence[list[dict]], name: str, annotators: int) -> np.ndarray:
    rows = [[np.nan if rater[name] is None else rater[name] for rater in video] for video in videos]
    return np.array(rows, np.float64).reshape(len(rows), annotators)


def _mean(values: np.ndarray) -> float | None:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None


def _first(raters: Sequence[dict], lead) -> str | None:
    there = [rater for rater in raters if lead(rater) is not None]
    return max(there, key=lead)["name"] if there else None


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:+.3f}':>14}"
