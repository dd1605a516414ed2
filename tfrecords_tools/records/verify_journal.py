"""What a verification has checked so far, so that one that was killed goes on from there.

A line is believed of a file only while its size, its time and the sha256 of its contents are those that were checked,
against the same entry of the manifest, the same rows of the index and the same rules. The contents are read again for
that, which takes a small part of the time that their records take.
"""

import dataclasses
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from tfrecords_tools.files import regular
from tfrecords_tools.records import index
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry

FILE_NAME = ".verified.jsonl"
# Raise it whenever the rules of `record_checks` change.
RULES = 1


@dataclass(frozen=True)
class Checked:
    """A file that was checked.

    Attributes:
      file: its name.
      size, time: in bytes, and when it was written in nanoseconds.
      sha256: of its contents.
      against: see `digest_of`.
      problems: what was wrong.
    """

    file: str
    size: int
    time: int
    sha256: str
    against: str
    problems: tuple[str, ...]


def digest_of(entry: VideoEntry, packed: Manifest) -> str:
    """Return a digest of all that the records of a video are checked against."""
    of_all = (RULES, packed.image_size, packed.label_range, packed.annotators, packed.expression, packed.schema_version)
    digest = hashlib.sha256(json.dumps([of_all, entry.to_json()]).encode())
    for name in index.ROW.names:  # between the fields, memory is as it was
        digest.update(np.ascontiguousarray(entry.index[name]).data)
    return digest.hexdigest()


class Journal:
    """The journal of one corpus.

    Attributes:
      known: what was checked before, by the name of the file.
      suspects: names of files whose check was begun and never ended: it may have ended the process.
    """

    def __init__(self, path: Path | None):
        """Read a journal, if there is one; None keeps none, and so does a place that cannot be written."""
        self._path = path
        self._file: IO[str] | None = None
        self.known: dict[str, Checked] = {}
        self.suspects: set[str] = set()
        if path is None:
            return
        with suppress(OSError):
            for line in regular(path).read_text("utf-8", "replace").splitlines():
                self._take(line)
        with suppress(OSError):
            self._file = path.open("a", encoding="utf-8")

    def begin(self, file: str) -> None:
        """Note that a file is being checked in this process."""
        self._write({"begun": file})

    def note(self, checked: Checked) -> None:
        """Note that a file was checked."""
        self._write(dataclasses.asdict(checked))

    def stop(self, file: str) -> None:
        """Note that the check of a file was given up, without ending the process."""
        self._write({"stopped": file})

    def close(self, complete: bool) -> None:
        """Close the journal, and delete it where everything was checked."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if complete and self._path is not None and self._file is not None:
            with suppress(OSError):
                self._path.unlink()

    def _take(self, line: str) -> None:
        try:
            fields = json.loads(line)
            if "begun" in fields:
                self.suspects.add(str(fields["begun"]))
            elif "stopped" in fields:
                self.suspects.discard(str(fields["stopped"]))
            else:
                checked = Checked(**{**fields, "problems": tuple(map(str, fields["problems"]))})
                self.known[checked.file] = checked
                self.suspects.discard(checked.file)
        except (ValueError, TypeError, KeyError, RecursionError):  # the last line of a killed process, or damage
            return

    def _write(self, fields: dict) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(fields) + "\n")
            self._file.flush()
        except OSError:  # a full disk hinders no reading
            self._file = None
