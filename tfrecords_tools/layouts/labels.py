"""Labels of a video: read from annotation files, and matched with its frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files.tables import read_text, to_number
from tfrecords_tools.records.schema import DIMENSIONS

# Seconds by which a frame may lie before the first or after the last row of an annotation with its own clock: tools
# begin to log a moment after the video plays, and stop a moment before it ends.
END_TOLERANCE = 0.5
# Seconds; in a longer hole between two rows, frames farther than half of it from both have no label: what was felt in
# the meantime is not known.
MAX_HOLE = 1.0


@dataclass(frozen=True)
class Labels:
    """The labels of one video.

    Attributes:
      values: (n, 2) float32 valence and arousal in the layout's range, NaN where missing.
      times: (n,) seconds of the rows, rising, where the annotation has its own clock; a frame takes the row of the
        nearest time (ijcv2019 section 3.2). None: row i is frame i + 1 of the source video.
      annotators: (n, A, 2) float32, single annotators' labels in the order of `VideoSource.annotators`; None where the
        dataset does not have them.
      expression: (n,) int64, index into `schema.EXPRESSIONS`, -1 where missing; None where there is none.
    """

    values: np.ndarray
    times: np.ndarray | None = None
    annotators: np.ndarray | None = None
    expression: np.ndarray | None = None


class NumberedLabels(Labels):
    """Labels whose file has the number of each row's frame, so that frames may have none.

    Row i is frame i + 1, NaN where the file has no such frame; there may be fewer rows than frames.
    """


def read_values(path: Path, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Read one number per line, line i (1-based) for frame i; return (lines,) float32, NaN for an empty line.

    Raises:
      UserError: naming file and line, if a line is neither empty nor one finite number from `low` to `high`; also if
        there is no line or no such file.
    """
    if not path.exists():
        raise UserError(f"{path}: no annotation for this video. Add the file, or take the video out.")
    lines = read_text(path).rstrip(" \t\n").split("\n")
    if lines == [""]:
        raise UserError(f"{path}: an annotation must hold one number per line. Received: an empty file.")
    return np.array(
        [
            to_number(line, f"{path}, line {number}", low, high) if line.strip(" \t") else np.nan
            for number, line in enumerate(lines, start=1)
        ],
        np.float32,
    )


def read_pair(valence: Path, arousal: Path) -> np.ndarray:
    """Read a valence and an arousal file of one video; return (frames, 2) float32, row i for frame i + 1.

    Raises:
      UserError: also if the two do not have the same number of lines.
    """
    columns = [read_values(valence), read_values(arousal)]
    if len(columns[0]) != len(columns[1]):
        counts = " and ".join(f"{len(column)} of {name}" for column, name in zip(columns, DIMENSIONS, strict=True))
        raise UserError(f"{valence}: valence and arousal must have the same number of lines. Received: {counts}")
    return np.stack(columns, axis=1)


def read_labels(valence: Path, arousal: Path) -> Labels:
    """Return the labels that `read_pair` reads."""
    return Labels(read_pair(valence, arousal))


def no_labels() -> Labels:
    """Return labels of no frame, as of a test split whose annotation is not public."""
    return Labels(np.zeros((0, len(DIMENSIONS)), np.float32))


def nearest(
    times: np.ndarray, at: np.ndarray, tolerance: float = END_TOLERANCE, max_hole: float = np.inf
) -> np.ndarray:
    """Return (m,) the index of the row whose time is nearest to each of `at`, -1 where there is none.

    Of two rows that are equally near, take the earlier; times are compared in whole microseconds. Between the first and
    the last row take the nearest (ijcv2019 section 3.2, thesis section 3.2.3), where it is no farther than half of
    `max_hole`; outside of them up to `tolerance` seconds.

    Args:
      times: (n,) seconds of the rows, not falling.
      at: (m,) seconds.
      tolerance: seconds.
      max_hole: seconds from one row to the next between which every time has a row; as far as there is one by default.
    """
    times, at = (np.rint(np.asarray(seconds, np.float64) * 1e6).astype(np.int64) for seconds in (times, at))
    if not len(times):
        return np.full(len(at), -1)
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    found = np.where(at - times[before] <= times[after] - at, before, after)
    found = np.searchsorted(times, times[found])  # the first of rows with the same time
    outside = np.maximum(times[0] - at, at - times[-1])
    in_hole = (outside < 0) & (np.abs(times[found] - at) > max_hole * 1e6 / 2)
    return np.where((outside > round(tolerance * 1e6)) | in_hole, -1, found)


def rows_of(
    labels: Labels,
    frames: Sequence[int],
    timestamps: Sequence[float],
    tolerance: float = END_TOLERANCE,
    max_hole: float = MAX_HOLE,
) -> np.ndarray:
    """Return (m,) the row of `labels` that belongs to each frame, -1 where none does.

    Without times, row i belongs to the source frame of number i + 1. With times, a frame takes the row of the nearest
    time, see `nearest`; a single row is the label of the whole video.

    Args:
      labels: of the video.
      frames: (m,) 1-based numbers of the frames in the source video.
      timestamps: (m,) their presentation times in seconds, the first frame of a usual file having 0.
      tolerance, max_hole: seconds, see `nearest`.
    """
    if labels.times is None:
        rows = np.asarray(frames, np.int64) - 1
        return np.where((rows >= 0) & (rows < len(labels.values)), rows, -1)
    if len(labels.times) == 1:
        return np.zeros(len(timestamps), np.int64)
    return nearest(labels.times, np.asarray(timestamps, np.float64), tolerance, max_hole)


def match(
    labels: Labels,
    frames: Sequence[int],
    timestamps: Sequence[float],
    tolerance: float = END_TOLERANCE,
    max_hole: float = MAX_HOLE,
) -> Labels:
    """Return labels with a row for each of `frames`, missing where no row belongs to a frame; see `rows_of`."""
    rows = rows_of(labels, frames, timestamps, tolerance, max_hole)

    def taken(values, missing):
        if values is None:
            return None
        filler = np.full((1, *values.shape[1:]), missing, values.dtype)
        return np.concatenate([values, filler])[rows]  # -1 is the filler

    return Labels(taken(labels.values, np.nan), None, taken(labels.annotators, np.nan), taken(labels.expression, -1))


def mean_of(annotators: np.ndarray) -> np.ndarray:
    """Return (n, 2) float32, the mean of (n, A, 2) annotators' labels over those that are not NaN; NaN where all are.

    The labels of Aff-Wild are such means of the annotations that two experts selected (ijcv2019 section 3.4).
    """
    there = ~np.isnan(annotators)
    count = there.sum(1)
    total = np.where(there, annotators, 0).sum(1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def choose_annotators(labels: Labels, names: Sequence[str], chosen: Sequence[str]) -> Labels:
    """Return the labels with the mean of the chosen annotators as their values; all annotators stay.

    Args:
      labels: with annotators.
      names: of all annotators, in the order of `labels.annotators`.
      chosen: names of those whose mean is taken.

    Raises:
      UserError: if there are no single annotators, if none is chosen, or if one of `chosen` is not one of `names`.
    """
    if labels.annotators is None or not names:
        raise UserError("`annotators` must stay unset for a dataset without single annotators' labels.")
    if not chosen:
        raise UserError(f"`annotators` must name at least one of {', '.join(names)}. Received: none.")
    for name in chosen:
        check_choice("annotators", name, names)
    return replace(labels, values=mean_of(labels.annotators[:, [list(names).index(name) for name in chosen]]))


def utterance_labels(valence: float, arousal: float, expression: int) -> Labels:
    """Return the labels of a clip whose frames all have the same: a single row with a time is the whole video's."""
    return Labels(np.array([[valence, arousal]], np.float32), np.zeros(1), None, np.array([expression], np.int64))
