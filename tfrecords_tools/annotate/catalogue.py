"""What there is to annotate in a folder, what each rater has done of it, and where everything lies.

SOURCE/videos/[<split>/]<name>.mp4                          the clips, at any depth; without a folder of that name
SOURCE/[<split>/]<name>.mp4                                 those of a flat folder
SOURCE/annotations/<rater>/<dimension>/<name>.txt           finished annotations, as the layout `thesis` reads them
SOURCE/annotations/<rater>/<dimension>/<name>.json          how and when each was made
SOURCE/videos.csv                                           if there is one: who is seen in which video
SOURCE/selected.csv                                         the annotations whose mean is the label
SOURCE/.annotate/                                           drafts, copies for the browser, locks, raters' settings
"""

import hashlib
import json
import os
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tfrecords_tools.annotate import traces
from tfrecords_tools.annotate.clip_facts import ClipFacts
from tfrecords_tools.annotate.drafts import FOLDER, Draft
from tfrecords_tools.annotate.traces import Trace
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import regular, whole
from tfrecords_tools.layouts import tree, video_notes
from tfrecords_tools.layouts.thesis import MEDIA_CLOCK
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.version import VERSION
from tfrecords_tools.video.browser_copy import VideoFacts
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

# Bytes of a clip's name: files get up to 15 more, and most file systems have names of at most 255.
LONGEST_NAME = 240
_RATER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_rater(name: str) -> str:
    """Return the name of a rater.

    Raises:
      UserError: unless it is 1 to 64 letters, digits, `-` and `_`.
    """
    if not isinstance(name, str) or not _RATER.fullmatch(name):
        raise UserError(f"A rater's name must be 1 to 64 letters, digits, `-` and `_`. Received: {str(name)[:70]}")
    return name


@dataclass(frozen=True)
class Clip:
    """A video to annotate.

    Attributes:
      number: by which the page asks for it.
      name: of its annotations: the file's name without suffix, and the side where two persons are seen.
      path: of the file.
      reader: of what its container says.
    """

    number: int
    name: str
    path: Path
    reader: ClipFacts = field(default_factory=ClipFacts, compare=False, repr=False)

    @property
    def facts(self) -> VideoFacts:
        """Length, and whether a browser plays it; raise a `UserError` if it is no readable video."""
        return self.reader.of(self.path)


class Catalogue:
    """The clips of a folder and the annotations in it.

    Attributes:
      source: the folder.
      videos: the folder of the clips, see `tree.clips_folder`.
      clips: by number, in the order of their names.
      left_out: names that stand for two files, with the reason.
    """

    def __init__(self, source: Path, apart: bool = False):
        """Find the clips.

        Args:
          source: the folder.
          apart: whether videos are opened in another process, as a server wants it, see `ClipFacts`.

        Raises:
          UserError: if there is no video below `source/videos`, or below `source` without such a folder.
        """
        self._reader = ClipFacts(apart)
        self.source, self.videos = source, tree.clips_folder(source)
        found, self.left_out = tree.by_name(tree.files(self.videos, VIDEO_SUFFIXES))
        for name in [name for name in found if len(os.fsencode(name)) > LONGEST_NAME]:
            self.left_out[name] = f"a name must have at most {LONGEST_NAME} bytes. Rename {found.pop(name)}."
        if not found:
            raise UserError(
                f"{self.videos}: must hold videos to annotate ({', '.join(VIDEO_SUFFIXES)}). Received: none. "
                "Put the clips there; folders named train, validation and test within are their splits."
            )
        # A video with two persons is annotated twice, once for each (thesis section 3.1).
        notes, problems = video_notes.entries(source, found)
        self.left_out |= problems
        entries = sorted((note.name, found[note.video]) for note in notes)
        self.clips = {
            number: Clip(number, name, path, self._reader) for number, (name, path) in enumerate(entries, start=1)
        }

    def read_facts(self) -> None:
        """Read what the containers of all clips say, which is quicker than one after the other."""
        self._reader.read(clip.path for clip in self.clips.values())

    def clip(self, number: int) -> Clip:
        """Return a clip by its number; raise a `UserError` if there is none of it."""
        if number not in self.clips:
            raise UserError(f"There is no video number {number}.")
        return self.clips[number]

    def order(self, rater: str) -> list[Clip]:
        """Return the clips in the order in which a rater sees them: random, another for each, and always the same."""
        seed = int.from_bytes(hashlib.sha256(rater.encode()).digest()[:8], "big")
        # By name, so that a clip that is added later leaves the others' order as it was.
        key = {clip.number: random.Random(f"{seed} {clip.name}").random() for clip in self.clips.values()}
        return sorted(self.clips.values(), key=lambda clip: key[clip.number])

    @property
    def raters(self) -> list[str]:
        """Names of all who have a finished annotation."""
        folder = self.source / "annotations"
        if not folder.is_dir():
            return []
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and _RATER.fullmatch(path.name) and any(path.glob("*/*.txt"))
        )

    def annotation(self, rater: str, dimension: str, clip: Clip) -> Path:
        """Return the path of an annotation, which need not be there."""
        check_choice("dimension", dimension, DIMENSIONS)
        return self.source / "annotations" / check_rater(rater) / dimension / f"{clip.name}.txt"

    def draft(self, rater: str, dimension: str, clip: Clip) -> Draft:
        """Open the draft of an annotation."""
        check_choice("dimension", dimension, DIMENSIONS)
        path = self.source / FOLDER / "drafts" / check_rater(rater) / dimension / f"{clip.name}.jsonl"
        return Draft.open(path, self.trace(rater, dimension, clip))

    def trace(self, rater: str, dimension: str, clip: Clip) -> Trace:
        """Return a finished annotation, without a row where there is none."""
        path = self.annotation(rater, dimension, clip)
        return traces.read(path) if path.is_file() else Trace()

    def details(self, rater: str, dimension: str, clip: Clip) -> dict:
        """Return what stands beside a finished annotation: how and when it was made; empty where there is none."""
        try:
            found = json.loads(regular(self.annotation(rater, dimension, clip).with_suffix(".json")).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def finish(self, rater: str, dimension: str, clip: Clip, trace: Trace, details: dict) -> Path:
        """Write an annotation and what belongs beside it; return the path of the first.

        Raises:
          UserError: if the trace leaves more than a second of the video without a value.
        """
        seconds = clip.facts.seconds
        if not len(trace):
            raise UserError(f"{clip.name}: nothing is recorded of its {dimension} yet.")
        if holes := trace.holes(seconds):
            begin, end = holes[0]
            raise UserError(
                f"{clip.name}: the {dimension} of every moment must be recorded. Received: nothing from {begin:.1f} to "
                f"{end:.1f} s. Go back there and record that part."
            )
        path = self.annotation(rater, dimension, clip)
        traces.write(trace.with_ends(seconds), path)
        self.describe(rater, dimension, clip, {"clock": MEDIA_CLOCK, "seconds": round(seconds, 3), **details})
        return path

    def describe(self, rater: str, dimension: str, clip: Clip, changes: dict) -> None:
        """Add to what stands beside an annotation."""
        path = self.annotation(rater, dimension, clip).with_suffix(".json")
        with whole(path) as partial:
            partial.write_text(
                json.dumps({**self.details(rater, dimension, clip), **changes}, indent=2, ensure_ascii=False) + "\n",
                "utf-8",
            )


def provenance() -> dict[str, str]:
    """Return when and by which program an annotation is finished."""
    return {"finished": moment(), "program": f"affwildnet {VERSION}"}


def moment() -> str:
    """Return the date and time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
