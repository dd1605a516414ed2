"""Rows of a table that name their raters, as the labels of one video: each rater's, and the mean of all."""

from collections.abc import Sequence

import numpy as np

from tfrecords_tools.files import tables
from tfrecords_tools.layouts.labels import MAX_HOLE, Labels, NumberedLabels, mean_of, nearest
from tfrecords_tools.records.schema import DIMENSIONS

# Times and (n, 2) values of one rater.
Rated = tuple[np.ndarray, np.ndarray]


def by_rater(rows: Sequence[tables.TableRow], raters: tuple[str, ...]) -> list[list[tables.TableRow]]:
    """Return the rows of each rater, in the order of `raters`."""
    named = [row.filled("rater") for row in rows]
    return [[row for row, name in zip(rows, named, strict=True) if name == rater] for rater in raters]


def numbered(values: Sequence[tuple[list[int], np.ndarray]]) -> Labels:
    """Return labels by frame numbers.

    Args:
      values: for each rater the 1-based frame numbers and (n, 2) values.
    """
    last = max(max(frames) for frames, _ in values if frames)
    annotators = np.full((last, len(values), len(DIMENSIONS)), np.nan, np.float32)
    for rater, (frames, given) in enumerate(values):
        annotators[np.array(frames, int) - 1, rater] = given
    return NumberedLabels(mean_of(annotators), None, annotators)


def timed(rated: Sequence[Rated], max_hole: float = MAX_HOLE) -> Labels:
    """Return labels by times: a row at each time of any rater, where the others have their nearest row.

    Args:
      rated: for each rater the times, not falling, and the values.
      max_hole: seconds, see `labels.nearest`.
    """
    times = np.unique(np.concatenate([times for times, _ in rated]))
    annotators = np.full((len(times), len(rated), len(DIMENSIONS)), np.nan, np.float32)
    for rater, (own, values) in enumerate(rated):
        rows = nearest(own, times, max_hole=max_hole)
        if len(own):
            annotators[:, rater] = np.where(rows[:, None] < 0, np.nan, values[rows])
    return Labels(mean_of(annotators), times, annotators)


def whole_video(values: Sequence[np.ndarray]) -> Labels:
    """Return labels of a video whose frames all have the same.

    Args:
      values: for each rater (1, 2), or (0, 2) for one who has not rated the video.
    """
    missing = np.full(len(DIMENSIONS), np.nan, np.float32)
    annotators = np.stack([own[0] if len(own) else missing for own in values])[None]
    return Labels(mean_of(annotators), np.zeros(1), annotators)
