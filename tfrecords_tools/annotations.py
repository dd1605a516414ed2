"""Annotation files to one label per frame."""

import math
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.schema import DIMENSIONS
from tfrecords_tools.source import Labels


def read_values(path: Path, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Reads one number a line, line i (1-based) for frame i; returns (lines,) float32.

    Raises:
      UserError: naming file and line, if a line is not one finite number from `low` to `high`, or if there is none.
    """
    try:
        lines = path.read_text("utf-8-sig").rstrip().splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no annotation for this video. Add the file, or take the video out.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: an annotation must be readable text. Received: {error}") from None
    if not lines:
        raise UserError(f"{path}: an annotation must hold one number a line. Received: an empty file.")
    values = np.empty(len(lines), np.float32)
    for number, line in enumerate(lines, start=1):
        try:
            value = float(line)
        except ValueError:
            raise UserError(f"{path}, line {number}: must be one number. Received: {line.strip()[:40]!r}") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise UserError(f"{path}, line {number}: must be from {low:g} to {high:g}. Received: {line.strip()[:40]}")
        values[number - 1] = value
    return values


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
