"""Traces: the values that one rater gave to one dimension of a video, over the video's own time.

A trace is recorded in segments. A later segment replaces what an earlier one recorded at the same times (punch-in),
and nothing else. Times are whole milliseconds and values integers from -1000 to 1000, as in the text files of the
thesis (section 3.2.3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular, whole

RANGE = 1000
# Milliseconds; a longer hole between two rows was not watched by the rater.
LONGEST_HOLE = 1000


@dataclass(frozen=True)
class Trace:
    """What one rater gave to one dimension of one video.

    Attributes:
      times: (n,) int64 milliseconds, rising strictly.
      values: (n,) int64 from -1000 to 1000.
    """

    times: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, samples: Iterable[Sequence[float]]) -> "Trace":
        """Return the trace of (seconds, value) samples in any order; values are from -1 to 1.

        Of samples in the same millisecond the last one counts.

        Raises:
          ValueError: if a sample is not finite, its time is negative or its value out of range.
        """
        given = np.array([tuple(sample) for sample in samples], np.float64).reshape(-1, 2)
        if not np.isfinite(given).all() or (given[:, 0] < 0).any() or (np.abs(given[:, 1]) > 1).any():
            raise ValueError("Samples must be (seconds from 0 on, value from -1 to 1), all finite.")
        times, values = np.rint(given * (1000, RANGE)).astype(np.int64).T
        order = np.argsort(times, kind="stable")
        last = np.append(np.diff(times[order]) > 0, True)[: len(order)]
        return cls(times[order][last], values[order][last])

    def splice(self, segment: "Trace") -> "Trace":
        """Return this trace with everything from the segment's first time to its last replaced by the segment.

        Example:
            >>> first = Trace.of([(0, 0.1), (0.5, 0.1), (1, 0.1)])
            >>> first.splice(Trace.of([(0.4, -0.2), (0.6, -0.3)])).values.tolist()
            [100, -200, -300, 100]
        """
        if not len(segment):
            return self
        keep = (self.times < segment.times[0]) | (self.times > segment.times[-1])
        times = np.concatenate([self.times[keep], segment.times])
        values = np.concatenate([self.values[keep], segment.values])
        order = np.argsort(times, kind="stable")
        return Trace(times[order], values[order])

    def with_ends(self, duration: float) -> "Trace":
        """Return the trace with a row at 0 and one at `duration` seconds, each with the value of the nearest row.

        Rows beyond the end are left out: a player may report its last frame a moment later.
        """
        if not len(self):
            return self
        end = round(duration * 1000)
        inside = self.times <= end
        times, values = (self.times[inside], self.values[inside]) if inside.any() else (self.times[:1], self.values[:1])
        if times[0] > 0:
            times, values = np.insert(times, 0, 0), np.insert(values, 0, values[0])
        if times[-1] < end:
            times, values = np.append(times, end), np.append(values, values[-1])
        return Trace(times, values)

    def holes(self, duration: float, longest: int = LONGEST_HOLE) -> list[tuple[float, float]]:
        """Return (from, to) in seconds of every part of the video longer than `longest` milliseconds without a row."""
        edges = np.concatenate([[0], self.times, [round(duration * 1000)]])
        wide = np.flatnonzero(np.diff(edges) > longest)
        return [(edges[place] / 1000, edges[place + 1] / 1000) for place in wide]

    def share(self, duration: float) -> float:
        """Return how much of the video is annotated, from 0 to 1."""
        if duration <= 0:
            return 1.0 if len(self) else 0.0
        missing = sum(end - begin for begin, end in self.holes(duration))
        return float(np.clip(1 - missing / duration, 0, 1)) if len(self) else 0.0

    def at(self, seconds: float) -> int | None:
        """Return the value of the nearest row, None without any."""
        if not len(self):
            return None
        return int(self.values[np.abs(self.times - seconds * 1000).argmin()])


def write(trace: Trace, path: Path) -> None:
    """Write a trace as the layout `thesis` reads it: seconds with three decimals and an integer, a row each.

    The file appears whole or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{time / 1000:.3f} {value}\n" for time, value in zip(trace.times, trace.values, strict=True))
    with whole(path) as partial:
        partial.write_text("".join(rows), "utf-8")


def read(path: Path) -> Trace:
    """Read what `write` wrote.

    Raises:
      UserError: naming the line, if a row is not a time and an integer, or times do not rise strictly.
    """
    times, values = [], []
    for number, line in enumerate(regular(path).read_text("utf-8").splitlines(), start=1):
        try:
            time, value = line.split()
            times.append(round(float(time) * 1000))
            values.append(int(value))
        except ValueError:
            raise UserError(
                f"{path}, line {number}: must be a time in seconds and an integer. Received: {line[:40]!r}"
            ) from None
        if abs(values[-1]) > RANGE or (len(times) > 1 and times[-1] <= times[-2]):
            raise UserError(
                f"{path}, line {number}: times must rise and values must be from -{RANGE} to {RANGE}. "
                f"Received: {line[:40]!r}"
            )
    return Trace(np.array(times, np.int64), np.array(values, np.int64))
