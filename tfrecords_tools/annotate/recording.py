"""What the page says while it records, and what it is answered.

The page opens one video and one or both dimensions, then sends segments as batches of samples. Each batch is on disk
before it is answered.
"""

import threading

from tfrecords_tools.annotate.catalogue import Catalogue, Clip, check_rater, moment, provenance
from tfrecords_tools.annotate.traces import Trace
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS

MOST_SAMPLES = 2000  # in one message
# What the page may say of how an annotation was made.
DETAILS = ("input", "axis", "dead_zone", "inverted", "speed", "ghost", "screen")


class Writers:
    """Who records what at the moment: one page for each rater and video."""

    def __init__(self):
        self._held: dict[tuple[str, int], object] = {}
        self._lock = threading.Lock()

    def take(self, rater: str, clip: Clip, owner: object) -> None:
        """Raise a `UserError` if another page records this video for this rater."""
        with self._lock:
            if self._held.setdefault((rater, clip.number), owner) is not owner:
                raise UserError(f"{clip.name} is open for {rater} in another tab or window. Go on there, or close it.")

    def release(self, owner: object) -> None:
        """Free what a page held."""
        with self._lock:
            self._held = {key: held for key, held in self._held.items() if held is not owner}


class Recorder:
    """One page's recording."""

    def __init__(self, catalogue: Catalogue, writers: Writers):
        self._catalogue, self._writers = catalogue, writers
        self._rater, self._clip, self._drafts = "", None, {}

    def close(self) -> None:
        """Let another page record."""
        self._writers.release(self)

    def answer(self, asked: dict) -> dict:
        """Carry out a message and return the answer.

        Raises:
          UserError: what the page shows.
          ValueError, KeyError, TypeError: if the message is none of this protocol.
        """
        known = {
            "open": self._open,
            "samples": self._samples,
            "undo": self._undo,
            "finish": self._finish,
            "verify": self._verify,
        }
        kind = asked["type"]
        if kind not in known:
            raise ValueError(kind)
        if kind != "open" and self._clip is None:
            raise UserError("No video is open.")
        return {"type": kind, **known[kind](asked)}

    def _open(self, asked: dict) -> dict:
        rater, clip = check_rater(asked["rater"]), self._catalogue.clip(int(asked["video"]))
        dimensions = list(dict.fromkeys(asked["dimensions"]))
        for dimension in dimensions:
            check_choice("dimension", dimension, DIMENSIONS)
        if not dimensions:
            raise ValueError("no dimension")
        self._writers.release(self)
        self._writers.take(rater, clip, self)
        self._rater, self._clip = rater, clip
        self._drafts = {name: self._catalogue.draft(rater, name, clip) for name in dimensions}
        return {"segment": self._next(), "traces": self._traces()}

    def _samples(self, asked: dict) -> dict:
        samples, segment = asked["samples"], int(asked["segment"])
        if len(samples) > MOST_SAMPLES:
            raise UserError(f"At most {MOST_SAMPLES} samples may come at once. Received: {len(samples)}.")
        limit = self._clip.facts.seconds + 5
        times, *columns = ([float(sample[column]) for sample in samples] for column in range(len(self._drafts) + 1))
        if any(not 0 <= moment <= limit for moment in times):
            raise UserError("A sample's time must lie in the video.")
        traces = [list(zip(times, values, strict=True)) for values in columns]
        for each in traces:
            Trace.of(each)  # all of them are checked before one is kept
        for draft, each in zip(self._drafts.values(), traces, strict=True):
            draft.add(segment, each)
        return {"segment": segment, "saved": float(samples[-1][0]) if samples else None, "next": self._next()}

    def _undo(self, asked: dict) -> dict:
        undone = [draft.undo() for draft in self._drafts.values()]
        return {"undone": undone[0], "segment": self._next(), "traces": self._traces()}

    def _finish(self, asked: dict) -> dict:
        details = {name: asked["details"][name] for name in DETAILS if name in asked.get("details", {})}
        made = provenance()
        for name in self._drafts:
            earlier = self._catalogue.details(self._rater, name, self._clip)
            # What was once recorded beside a ghost curve stays known as such.
            ghost = {"ghost": True} if earlier.get("ghost") or details.get("ghost") else {}
            self._write(name, {**details, **made, **ghost, "verified": None})
        return made

    def _verify(self, asked: dict) -> dict:
        for name, draft in self._drafts.items():
            if draft.segments:
                self._write(name, provenance())
            elif not len(draft.base):
                raise UserError(f"{self._clip.name}: the {name} must be finished before it is verified.")
        verified = moment()
        for name in self._drafts:
            self._catalogue.describe(self._rater, name, self._clip, {"verified": verified})
        return {"verified": verified}

    def _write(self, dimension: str, details: dict) -> None:
        draft = self._drafts[dimension]
        self._catalogue.finish(self._rater, dimension, self._clip, draft.trace(), details)
        draft.remove()
        self._drafts[dimension] = self._catalogue.draft(self._rater, dimension, self._clip)

    def _next(self) -> int:
        return max(draft.number for draft in self._drafts.values())

    def _traces(self) -> dict:
        found = {}
        for name, draft in self._drafts.items():
            trace = draft.trace()
            found[name] = {"times": (trace.times / 1000).tolist(), "values": (trace.values / 1000).tolist()}
        return found
