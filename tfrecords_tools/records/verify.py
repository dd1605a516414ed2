"""Re-read every record of a packed corpus against its manifest, and name what is wrong."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
from tqdm import tqdm

from tfrecords_tools.errors import count as counted
from tfrecords_tools.files import folder_at, is_remote, sha256_of
from tfrecords_tools.files.exchange import interrupted, recover
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import manifest, verify_journal
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.verify_journal import Checked, Journal
from tfrecords_tools.worker_processes import Crash, results

_log = logging.getLogger(__name__)
# With fewer for each, another process takes longer to start than it saves.
FRAMES_OF_A_WORKER = 20_000


@dataclass(frozen=True)
class _File:
    """A file to check, with the manifest that describes it, but for the other videos."""

    folder: Path
    entry: VideoEntry
    packed: Manifest
    before: Checked | None


def verify(
    folder: str | Path, progress: bool = False, workers: int | None = None, journal: str | Path | None = None
) -> list[str]:
    """Return a line for each thing that is wrong: none where every record is as the manifest says.

    Where packing was killed while it put its files in their places, that is completed first. What a verification that
    was killed had checked is not checked again, as long as the files are the same, see `verify_journal`.

    Example:
        >>> verify("data/sample_packed")
        []

    Args:
      folder: of the packed corpus.
      progress: whether to show a progress bar.
      workers: number of processes; None is one for `FRAMES_OF_A_WORKER` frames, and at most one a core. One is this
        process itself.
      journal: file that keeps what was checked until all is; None is `.verified.jsonl` in the corpus, and none where
        that cannot be written.

    Raises:
      UserError: if there is no readable manifest.
    """
    folder = folder_at(folder)
    if not is_remote(folder) and interrupted(folder):
        recover(folder)
    packed = manifest.load(folder)
    here = None if is_remote(folder) else folder / verify_journal.FILE_NAME
    kept = Journal(here if journal is None else Path(journal))
    complete = False
    try:
        found = _problems(folder, packed, kept, progress, workers)
        complete = True
    finally:
        kept.close(complete)
    problems = [
        f"{entry.file} ({entry.split}, {entry.video}): {problem}"
        for entry, own in zip(packed.videos, found, strict=True)
        for problem in own
    ]
    listed = {entry.file for entry in packed.videos}
    for path in sorted(folder.glob("*.tfrecord-*")):
        if path.name not in listed:
            problems.append(f"{path.name}: not in {manifest.FILE_NAME}")
    for subject, splits in packed.shared_subjects.items():
        problems.append(f"subject {subject}: is in more than one split: {', '.join(splits)}")
    return problems


def _problems(
    folder: Path, packed: Manifest, kept: Journal, progress: bool, workers: int | None
) -> list[Sequence[str]]:
    """Return what is wrong with the file of each video."""
    bare = replace(packed, videos=(), left_out=())
    files = [_File(folder, entry, bare, kept.known.get(entry.file)) for entry in packed.videos]
    if before := sum(file.before is not None for file in files):
        _log.info(f"{folder}: {counted(before, 'file')} checked before; comparing their contents, and reading the rest")
    frames = sum(entry.frames for entry in packed.videos)
    if workers is None:
        workers = max(1, min(os.cpu_count() or 1, frames // FRAMES_OF_A_WORKER))
    found: list[Sequence[str]] = [()] * len(files)
    with tqdm(
        total=frames, unit="frame", unit_scale=True, desc="verifying", file=sys.stderr, disable=not progress
    ) as bar:
        for index, checked in (_in_processes if workers > 1 else _in_this_process)(files, kept, workers):
            if isinstance(checked, Crash):
                found[index] = (f"reading it ends the process ({checked.ending}); it cannot be checked",)
            else:
                found[index] = checked.problems
                kept.note(checked)
            bar.update(files[index].entry.frames)
    return found


def _in_processes(files: Sequence[_File], kept: Journal, workers: int) -> Iterator[tuple[int, Checked | Crash]]:
    # The longest first, so that all processes end at about the same time.
    order = sorted(range(len(files)), key=lambda index: -files[index].entry.frames)
    for place, checked in results(_checked, [files[index] for index in order], workers, _begin):
        yield order[place], checked


def _in_this_process(files: Sequence[_File], kept: Journal, workers: int) -> Iterator[tuple[int, Checked | Crash]]:
    import_tensorflow()
    for index, file in enumerate(files):
        name = file.entry.file
        if name in kept.suspects:  # it was the last one of a process that ended: it can end nothing else here
            for _, checked in results(_checked, [file], 1, _begin):
                yield index, checked
            continue
        kept.begin(name)
        try:
            checked = _checked(file)
        except BaseException:
            kept.stop(name)
            raise
        yield index, checked


def _begin() -> None:
    """Have a worker use one core."""
    import_tensorflow()
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)


def _checked(file: _File) -> Checked:
    from tfrecords_tools.records import record_checks

    entry, before = file.entry, file.before
    path = file.folder / entry.file
    against = verify_journal.digest_of(entry, file.packed)
    if not path.is_file():
        return Checked(entry.file, 0, 0, "", against, ("the file is missing",))
    status = path.stat()
    sha256 = sha256_of(path)
    same = Checked(entry.file, status.st_size, status.st_mtime_ns, sha256, against, ())
    if before is not None and replace(before, problems=()) == same:
        return before
    if sha256 != entry.sha256:
        found = ["its sha256 is not the one in the manifest"]
    elif record_checks.are_sound(path, entry, file.packed):
        return same
    else:
        found = []
    return replace(same, problems=(*found, *record_checks.problems_of_records(path, entry, file.packed)))
