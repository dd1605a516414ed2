"""Manifests of schema version 1: sizes and frame numbers of the records stand in them, and their labels nowhere."""

import numpy as np

from tfrecords_tools.records.index import LARGEST_RECORD, MOST_FRAMES, SMALLEST_RECORD, rows

# The first manifests name these fields of a video otherwise.
_FORMER_NAMES = {"runs": "segments", "labelled_runs": "labelled_segments"}


def former_rows(entry: dict) -> np.ndarray:
    """Turn the fields of a video in a manifest of version 1 into those of today; return the rows of its records.

    The rows have no labels and no expressions: only whether there is a label.

    Raises:
      AttributeError, KeyError, TypeError, ValueError: if they are not those of a video.
    """
    for former, name in _FORMER_NAMES.items():
        if former in entry:
            entry[name] = entry.pop(former)
    sizes = entry.pop("record_bytes")
    for size in sizes:
        if type(size) is not int or not SMALLEST_RECORD <= size <= LARGEST_RECORD:
            raise ValueError(f"`record_bytes` cannot be {size!r:.80}")
    numbers = _numbers("segments", entry.pop("segments"), len(sizes))
    if not 0 < len(sizes) == len(numbers):
        raise ValueError(f"`record_bytes` cannot be '{len(sizes)} sizes'")
    labelled = _numbers("labelled_segments", entry.pop("labelled_segments"), len(sizes))
    found = rows(numbers, sizes, np.full((len(numbers), 2), np.nan, np.float32))
    found["labelled"] = np.isin(numbers, labelled)
    if np.count_nonzero(found["labelled"]) != len(labelled):
        raise ValueError("`labelled_segments` cannot be 'frames without a record'")
    entry |= {"file_bytes": sum(sizes), "frames": len(sizes), "frames_labelled": len(labelled)}
    return found


def _numbers(name: str, segments: list, most: int) -> np.ndarray:
    """Return the frame numbers of segments of consecutive ones, which rise and do not touch."""
    before, found = -1, 0
    for first, last in segments:
        for number, lowest in ((first, before + 2), (last, first)):
            if type(number) is not int or not lowest <= number <= MOST_FRAMES:
                raise ValueError(f"`{name}` cannot be {number!r:.80}")
        before, found = last, found + last - first + 1
        if found > most:
            raise ValueError(f"`{name}` cannot be more frames than the {most} records")
    return np.concatenate([np.arange(first, last + 1) for first, last in segments] or [np.empty(0, np.int64)])
