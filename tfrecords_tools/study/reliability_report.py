"""The reliability of annotators as `agreement` reports it, for each video and pooled over all."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study.agreement import correlations
from tfrecords_tools.study.reliability import outliers, pairwise_ccc, reliability

_HEADS = {"icc_2_1": "ICC(2,1)", "icc_2_k": "ICC(2,k)", "icc_3_k": "ICC(3,k)", "alpha": "alpha", "ccc_mean": "CCC"}


def of_ratings(ratings: np.ndarray, names: Sequence[str]) -> dict | None:
    """Return the measures of (n, A) ratings of those annotators who have any; None with fewer than two.

    `ccc` is the matrix of all annotators, `ccc_mean` its mean over the pairs, `outliers` the names of annotators who
    agree little with the others.
    """
    there = np.flatnonzero(~np.isnan(ratings).all(axis=0)) if len(ratings) else np.zeros(0, np.int64)
    if len(there) < 2:
        return None
    ccc = pairwise_ccc(ratings)
    pairs = ccc[np.triu_indices(len(ccc), 1)]
    return {
        **asdict(reliability(ratings[:, there])),
        "ccc": [[None if np.isnan(value) else float(value) for value in row] for row in ccc],
        "ccc_mean": None if np.isnan(pairs).all() else float(np.nanmean(pairs)),
        "outliers": outliers(correlations(ratings[:, there]), [names[index] for index in there]),
    }


def lines(found: dict) -> list[str]:
    """Return the report's reliability as lines of text, none where no video has two annotators."""
    if not any(found["reliability"].values()):
        return []
    heads = "".join(f"{f'{dimension[0].upper()}: {head}':>13}" for dimension in DIMENSIONS for head in _HEADS.values())
    width = max([5, *(len(video["video"]) for video in found["videos"])]) + 2
    shown = ["", f"{'split':<12}{'video':<{width}}{heads}"]
    for video in found["videos"]:
        cells = _cells([video[dimension]["reliability"] for dimension in DIMENSIONS])
        shown.append(f"{video['split']:<12}{video['video']:<{width}}{cells}")
    shown.append(f"{'pooled':<{12 + width}}{_cells([found['reliability'][dimension] for dimension in DIMENSIONS])}")
    for dimension in DIMENSIONS:
        measures = found["reliability"][dimension]
        if measures and measures["outliers"]:
            shown.append(f"{dimension}: agree little with the others: {', '.join(measures['outliers'])}")
        for video in found["videos"]:
            own = video[dimension]["reliability"]
            if own and own["outliers"]:
                shown.append(f"{dimension} of {video['video']}: agree little: {', '.join(own['outliers'])}")
    shown.append("alpha: Krippendorff's, interval; CCC: the mean over the pairs of annotators")
    return shown


def _cells(each: list[dict | None]) -> str:
    values = [measures and measures[name] for measures in each for name in _HEADS]
    return "".join(f"{'-' if value is None else f'{value:.2f}':>13}" for value in values)
