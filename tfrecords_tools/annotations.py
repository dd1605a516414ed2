"""Annotation files to numbers, and numbers to frames: which row of an annotation is the label of which frame."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.schema import DIMENSIONS
from tfrecords_tools.source import Labels, VideoSource

# How far, in seconds, a frame before the first or after the last row of an annotation with its own clock may be from
# it: tools begin to log a moment after the video plays, and stop a moment before it ends.
END_TOLERANCE = 0.5


class NumberedLabels(Labels):
    """Labels whose file tells the number of each row's frame: a frame that it does not name has none.

    Row i is frame i + 1, NaN where the file has no such frame, so there may be fewer rows than frames.
    """


def read_text(path: Path) -> str:
    """Returns a text file, without a byte order mark and with "\\n" at the ends of lines.

    Raises:
      UserError: if the file is not there, or is no UTF-8 text.
    """
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no annotation for this video. Add the file, or take the video out.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: an annotation must be readable text. Received: {error}") from None


def to_number(text: str, place: str, low: float = -1.0, high: float = 1.0) -> float:
    """Returns the finite number from `low` to `high` that `text` spells.

    Raises:
      UserError: beginning with `place`, such as "FILE, line 3".
    """
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{place}: must be one number. Received: {text.strip()[:40]!r}") from None
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"{place}: must be from {low:g} to {high:g}. Received: {text.strip()[:40]}")
    return value


def read_values(path: Path, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Reads one number a line, line i (1-based) for frame i; returns (lines,) float32.

    Raises:
      UserError: naming file and line, if a line is not one finite number from `low` to `high`, or if there is none.
    """
    lines = read_text(path).rstrip().splitlines()
    if not lines:
        raise UserError(f"{path}: an annotation must hold one number a line. Received: an empty file.")
    return np.array(
        [to_number(line, f"{path}, line {number}", low, high) for number, line in enumerate(lines, start=1)],
        np.float32,
    )


def read_pair(valence: Path, arousal: Path) -> np.ndarray:
    """Reads a valence and an arousal file of one video; returns (frames, 2) float32, row i for frame i + 1.

    Raises:
      UserError: also if the two do not have the same number of lines.
    """
    columns = [read_values(valence), read_values(arousal)]
    if len(columns[0]) != len(columns[1]):
        counts = " and ".join(f"{len(column)} of {name}" for column, name in zip(columns, DIMENSIONS, strict=True))
        raise UserError(f"{valence}: valence and arousal must have the same number of lines. Received: {counts}")
    return np.stack(columns, axis=1)


def read_labels(valence: Path, arousal: Path) -> Labels:
    """The labels of `read_pair`, as a reader of a dataset hands them on."""
    return Labels(read_pair(valence, arousal))


def no_labels() -> Labels:
    """Labels of no frame: of the videos of a test split whose annotation is not public."""
    return Labels(np.zeros((0, len(DIMENSIONS)), np.float32))


def nearest(times: np.ndarray, at: np.ndarray, tolerance: float = END_TOLERANCE) -> np.ndarray:
    """Returns (m,) the index of the row whose time is nearest to each of `at`, -1 where there is none.

    Of two rows that are equally near, it is the earlier (times are compared in whole microseconds). Between the first
    and the last row the nearest row counts however far it is (ijcv2019 section 3.2, thesis section 3.2.3); outside of
    them only up to `tolerance` seconds.

    Args:
      times: (n,) seconds of the rows, not falling.
      at: (m,) seconds.
      tolerance: seconds.
    """
    times, at = (np.rint(np.asarray(seconds, np.float64) * 1e6).astype(np.int64) for seconds in (times, at))
    if not len(times):
        return np.full(len(at), -1)
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    found = np.where(at - times[before] <= times[after] - at, before, after)
    found = np.searchsorted(times, times[found])  # the first of rows with the same time
    beyond = np.maximum(times[0] - at, at - times[-1]) > round(tolerance * 1e6)
    return np.where(beyond, -1, found)


def rows_of(
    labels: Labels, frames: Sequence[int], timestamps: Sequence[float], tolerance: float = END_TOLERANCE
) -> np.ndarray:
    """Returns (m,) the row of `labels` that belongs to each frame, -1 where none does.

    Without times, row i belongs to the source frame of number i + 1. With times, a frame takes the row of the nearest
    time, see `nearest`; a single row is the label of the whole video.

    Args:
      labels: of the video.
      frames: (m,) 1-based numbers of the frames in the source video.
      timestamps: (m,) their presentation times in seconds, the first frame of a usual file having 0.
      tolerance: seconds, see `nearest`.
    """
    if labels.times is None:
        rows = np.asarray(frames, np.int64) - 1
        return np.where((rows >= 0) & (rows < len(labels.values)), rows, -1)
    if len(labels.times) == 1:
        return np.zeros(len(timestamps), np.int64)
    return nearest(labels.times, np.asarray(timestamps, np.float64), tolerance)


def match(
    labels: Labels, frames: Sequence[int], timestamps: Sequence[float], tolerance: float = END_TOLERANCE
) -> Labels:
    """Returns a row for each of `frames`, NaN (and -1 for the expression) where none belongs to it; see `rows_of`."""
    rows = rows_of(labels, frames, timestamps, tolerance)

    def taken(values, missing):
        if values is None:
            return None
        filler = np.full((1, *values.shape[1:]), missing, values.dtype)
        return np.concatenate([values, filler])[rows]  # -1 is the filler

    return Labels(taken(labels.values, np.nan), None, taken(labels.annotators, np.nan), taken(labels.expression, -1))


def mean_of(annotators: np.ndarray) -> np.ndarray:
    """Returns (n, 2) float32, the mean of (n, A, 2) annotators' labels over those that are not NaN; NaN where all are.

    The labels of Aff-Wild are such means of the annotations that two experts selected (ijcv2019 section 3.4).
    """
    there = ~np.isnan(annotators)
    count = there.sum(1)
    total = np.where(there, annotators, 0).sum(1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def choose_annotators(labels: Labels, names: Sequence[str], chosen: Sequence[str]) -> Labels:
    """Returns the labels with values that are the mean of the chosen annotators; all annotators stay in it.

    Args:
      labels: with annotators.
      names: of all annotators, in the order of `labels.annotators`.
      chosen: names of those that count.

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


def check_length(labels: int, frames: int, tolerance: int, path: Path) -> None:
    """Raises a `UserError` if the number of labels and of decoded frames of the video `path` differ by too much.

    Players and decoders differ by a frame at the end of many files: labels beyond the video are not used, and frames
    beyond the annotation have no label. A larger difference means that the two do not belong together.
    """
    difference = labels - frames
    if abs(difference) > tolerance:
        kind = "longer" if difference > 0 else "shorter"
        raise UserError(
            f"{path}: the annotation is {abs(difference)} frames {kind} than the video ({labels} labels, {frames} "
            f"frames decoded); at most {tolerance} may differ. Mend either, or raise `--length_tolerance`."
        )


def check_fits(labels: Labels, frames: int, tolerance: int, source: VideoSource) -> None:
    """Raises a `UserError` if `labels` cannot be those of a video of which the last frame has the number `frames`.

    Rows that count frames are checked by `check_length`, in so far as their number tells anything: crops are missing
    where there is no face, also at the end, so labels may go on; frames may go on where each row tells its frame's
    number; an annotation with its own clock, and one without any row, fits every video.
    """
    count = len(labels.values)
    if labels.times is not None or count == 0:
        return
    may_go_on = source.cropped and count > frames
    may_end = isinstance(labels, NumberedLabels) and count < frames
    if not (may_go_on or may_end):
        check_length(count, frames, tolerance, source.path)
