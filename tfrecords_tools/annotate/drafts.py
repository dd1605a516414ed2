"""Drafts: what a rater is recording, kept outside `annotations/` so that a crash loses a second at most.

A draft is a log of JSON lines that only grows, one per batch of samples of a segment, one per undo. Reading it again
gives the trace. A last line that a crash cut off is passed over.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from tfrecords_tools.annotate.traces import Trace
from tfrecords_tools.files import regular

FOLDER = ".annotate"


@dataclass
class Draft:
    """The segments of one rater, dimension and video.

    Attributes:
      path: of the log.
      segments: samples (seconds, value) by the number of their segment, in the order of recording.
      undone: segments that `undo` took back, the last one first.
      base: the finished annotation that the segments correct; empty for a new one.
    """

    path: Path
    segments: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    undone: list[int] = field(default_factory=list)
    base: Trace = field(default_factory=Trace)

    @classmethod
    def open(cls, path: Path, base: Trace | None = None) -> "Draft":
        """Open a draft, new or as it was left."""
        draft = cls(path, base=base or Trace())
        try:
            lines = regular(path).read_text("utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return draft
        for line in lines:
            try:
                draft._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # cut off by a crash
        return draft

    @property
    def number(self) -> int:
        """Number of the next segment."""
        return max([*self.segments, *self.undone], default=0) + 1

    def add(self, segment: int, samples: list[tuple[float, float]]) -> None:
        """Append samples of a segment, on disk when this returns.

        Raises:
          ValueError: if a sample is out of range, see `Trace.of`.
        """
        Trace.of(samples)
        self._append({"segment": segment, "samples": [[round(time, 4), round(value, 4)] for time, value in samples]})

    def undo(self) -> int | None:
        """Take back the segment recorded last; return its number, None where there is none."""
        if not self.segments:
            return None
        last = list(self.segments)[-1]
        self._append({"undo": last})
        return last

    def trace(self) -> Trace:
        """Return the trace: the base, then every segment in turn in the place of what stood there.

        Where the segments were finished already, the trace is the base again: splicing twice changes nothing.
        """
        trace = self.base
        for samples in self.segments.values():
            trace = trace.splice(Trace.of(samples))
        return trace

    def remove(self) -> None:
        """Delete the log, once its annotation stands."""
        self.path.unlink(missing_ok=True)
        self.segments.clear()
        self.undone.clear()

    def _append(self, entry: dict) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            begin = b"" if file.read() in (b"", b"\n") else b"\n"  # a line that a crash cut off ends here
            file.write(begin + json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._apply(entry)

    def _apply(self, entry: dict) -> None:
        if "undo" in entry:
            self.segments.pop(entry["undo"])
            self.undone.insert(0, entry["undo"])
        else:
            samples = [(float(time), float(value)) for time, value in entry["samples"]]
            self.segments.setdefault(int(entry["segment"]), []).extend(samples)
