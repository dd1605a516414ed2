"""Whether the files of a packed corpus are still those that its manifest describes, as far as that can be seen cheaply.

The manifest has the sha256 of each file, and it is what a run's data are known by; but reading all files takes as long
as `verify`. So a file is read only where something says that it was written to since: it is younger than the manifest,
or its time is another than when a run last looked. The size is always compared. What is not seen: contents that were
changed with their time put back, which `python -m tfrecords_tools verify` finds.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.errors import count as counted
from tfrecords_tools.files import sha256_of, statuses
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import VideoEntry

_log = logging.getLogger(__name__)

# By the name of a file: its size in bytes, and when it was written, in nanoseconds.
Stamps = Mapping[str, tuple[int, int]]


def check(folder: Path, entries: Iterable[VideoEntry], known: Stamps | None = None) -> dict[str, tuple[int, int]]:
    """Return the stamps of the files of videos, once they are seen to be as they were packed.

    Args:
      folder: of the packed corpus.
      known: stamps of files that were found whole before.

    Raises:
      UserError: if a file has another size than its records, or was written to since and holds something else.
    """
    packed_at = (folder / manifest.FILE_NAME).stat().st_mtime_ns
    entries, touched = tuple(entries), []
    found = stamps(folder, entries)
    for entry in entries:
        (size, written_at), before = found[entry.file], (known or {}).get(entry.file)
        if size != entry.file_bytes:
            raise _changed(folder / entry.file, f"{size:,} bytes in place of {entry.file_bytes:,}")
        if entry.sha256 and (size, written_at) != before and (before is not None or written_at > packed_at):
            touched.append(entry)
    if touched:
        _log.info(f"{folder}: {counted(len(touched), 'file')} written to since packing; comparing the contents")
    for entry in touched:
        if sha256_of(folder / entry.file) != entry.sha256:
            raise _changed(folder / entry.file, "other contents")
    return found


def stamps(folder: Path, entries: Iterable[VideoEntry]) -> dict[str, tuple[int, int]]:
    """Return the stamps of the files of videos as they are now; raise a `UserError` if one is gone."""
    entries, found = tuple(entries), {}
    for entry, status in zip(entries, statuses(folder / entry.file for entry in entries), strict=True):
        if isinstance(status, FileNotFoundError):
            raise UserError(f"{folder / entry.file}: missing. Pack the corpus again, or copy it whole.")
        if isinstance(status, OSError):
            raise status
        found[entry.file] = status.st_size, status.st_mtime_ns
    return found


def _changed(path: Path, what: str) -> UserError:
    return UserError(
        f"{path}: must be as it was packed. Received: {what}. `python -m tfrecords_tools verify {path.parent}` says "
        "which files have changed; pack that corpus again."
    )
