"""The packing of one video as a job, whose result is kept and used again while its input is the same.

A runner runs a job for each video, in this process, in others, or on other machines that see the same folder. The
result is a JSON file beside the records in the staging folder: packing that was killed goes on from there, and a video
whose input has not changed is not packed again.
"""

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, failures
from tfrecords_tools.faces import recognition
from tfrecords_tools.faces.landmarks import MODEL_SHA256
from tfrecords_tools.files import regular, whole
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.layouts.tree import is_junk
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.relabelling import relabelled
from tfrecords_tools.packing.source_reading import Read, read_source
from tfrecords_tools.packing.video_packer import labels_of, pack_video
from tfrecords_tools.records import index, manifest, schema
from tfrecords_tools.records.packed_corpus import LeftOut, VideoEntry

# Raise it whenever the same input gives other records than before.
PACKING_VERSION = 4
# Of the name of a file that is there while a job runs.
BEGUN = ".begun"
# Nothing can be written: that is no video's fault, and packing the others is of no use.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Job:
    """One video to pack into a staging folder.

    Attributes:
      source: the video.
      options: how it is packed.
      staging: folder for its records and its result.
      earlier: files of videos of this name in a packed corpus, with their entries; one of them is used again if its
        input is the same.
    """

    source: VideoSource
    options: PackOptions
    staging: Path
    earlier: tuple[tuple[Path, VideoEntry], ...] = ()

    @property
    def records(self) -> Path:
        """Path of its records."""
        return self.staging / f"{self._key}.records"

    @property
    def result(self) -> Path:
        """Path of its result."""
        return self.staging / f"{self._key}.json"

    @property
    def rows(self) -> Path:
        """Path of the rows of its records."""
        return self.staging / f"{self._key}.{index.FILE_NAME}"

    @property
    def begun(self) -> Path:
        """Path of a file that is there while the job runs."""
        return self.staging / f"{self._key}{BEGUN}"

    @property
    def _key(self) -> str:
        return hashlib.sha256(f"{self.source.split}/{self.source.video}".encode()).hexdigest()[:16]


def run(job: Job, read: Read = read_source) -> VideoEntry | LeftOut:
    """Pack a video unless that is done already; return its entry, or the reason why it cannot be packed.

    Whatever is wrong with a video, the others go on. If packing is killed and called again, a video that could not be
    packed is not met again, unless the reason may pass: a file that cannot be read, too little memory.

    Args:
      job: the video.
      read: what reads its frames.

    Raises:
      OSError: if the result cannot be written: the disk is full.
    """
    job.begun.touch()
    try:
        return _run(job, read)
    finally:  # it stays where a library has crashed the process
        job.begun.unlink(missing_ok=True)


def _run(job: Job, read: Read) -> VideoEntry | LeftOut:
    digest = ""
    try:
        digest = input_digest(job.source, job.options)
        result = _finished(job, digest) or _from_earlier(job, digest) or _relabelled(job, digest)
        if result is None:
            result = dataclasses.replace(pack_video(job.source, job.options, job.records, read), input_sha256=digest)
    except Exception as raised:
        error = failures.disk_error(raised) or raised
        if getattr(error, "errno", None) in _FULL:
            raise OSError(error.errno, os.strerror(error.errno), error.filename or str(job.records)) from None
        if isinstance(error, OSError | MemoryError):
            digest = ""
        result = LeftOut(job.source.video, job.source.split, _reason(job, error))
    if isinstance(result, VideoEntry):
        result = dataclasses.replace(result, gender=job.source.gender)  # decides no record
        sha256 = index.save([result.index], job.rows)
        _write(job.result, {"entry": result.to_json(), "index_sha256": sha256})
    else:
        _write(job.result, {"left_out": dataclasses.asdict(result), "input_sha256": digest})
    return result


def is_new(job: Job) -> bool:
    """Return whether nothing is there that could be used again, so that the video has to be packed."""
    return not job.earlier and not job.result.exists()


def suspects(todo: Sequence[Job]) -> list[Job]:
    """Return the jobs that have begun and have not ended: while they ran, their process was ended."""
    return [job for job in todo if job.begun.exists()]


def give_up(job: Job, number: int) -> LeftOut:
    """Leave out a video whose packing has ended the process by a signal; return it with that reason.

    It is not met again, but for one that was killed: memory may suffice another time.
    """
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        reason, digest = f"{name} has ended its packing, probably for lack of memory. Lower `workers`.", ""
    else:
        reason = f"{name} has ended the process that packed it: a library crashes at this file. Convert it to another."
        digest = input_digest(job.source, job.options)
    left = LeftOut(job.source.video, job.source.split, f"{job.source.path}: {reason}")
    _write(job.result, {"left_out": dataclasses.asdict(left), "input_sha256": digest})
    job.begun.unlink(missing_ok=True)
    return left


def _reason(job: Job, error: Exception) -> str:
    line = " ".join(str(error).split())
    if isinstance(error, UserError):
        return line
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return f"{job.source.path}: {failures.line_and_status(error)[0].removeprefix('error: ')}"
    return f"{job.source.path}: {type(error).__name__}: {line[:300] or 'no message'}"


def read(job: Job) -> VideoEntry | LeftOut:
    """Return the result that `run` wrote.

    Raises:
      UserError: if there is none.
    """
    try:
        held = json.loads(regular(job.result).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        raise UserError(
            f"{job.source.path}: its job has left no result in {job.staging}. Every worker must see that folder. "
            "The same command goes on with what is missing."
        ) from None
    return _result(job, held)


def _result(job: Job, held: dict) -> VideoEntry | LeftOut:
    if "entry" in held:
        return manifest.entry_from(held["entry"], index.load(job.rows, held["index_sha256"]))
    return LeftOut(**held["left_out"])


def input_digest(source: VideoSource, options: PackOptions) -> str:
    """Return the sha256 of all that decides a video's records: the video, its labels and faces, and the options.

    Raises:
      UserError: if the video or its labels cannot be read.
    """
    digest = hashlib.sha256()
    described = {
        "versions": (PACKING_VERSION, schema.RECORD_VERSION, schema.JPEG_QUALITY, MODEL_SHA256),
        "recognises": recognition.is_installed(),
        "options": options.deciding(),
        "source": {
            key: value
            for key, value in vars(source).items()
            if key not in ("path", "split", "read_labels", "read_faces", "resampled", "gender", "frames")
        },
    }
    digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    labels = source.labels(options.max_hole)
    for values in (labels.values, labels.times, labels.annotators, labels.expression):
        digest.update(
            b"none" if values is None else str(values.shape).encode() + np.ascontiguousarray(values).tobytes()
        )
    if source.read_faces is not None:
        faces = source.read_faces()
        boxes = [(frame, dataclasses.astuple(box)) for frame, box in sorted(faces.boxes.items())]
        digest.update(json.dumps(boxes).encode())
        for frame, points in sorted(faces.landmarks.items()):
            digest.update(str(frame).encode() + np.ascontiguousarray(points).tobytes())
    inside = sorted(source.path.iterdir()) if source.path.is_dir() else [source.path]
    for path in [path for path in inside if path.is_file() and not is_junk(path.name)] or [source.path]:
        try:
            with path.open("rb") as file:
                digest.update(path.name.encode() if source.path.is_dir() else b"")
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}). Check the source folder.") from None
    return digest.hexdigest()


def _finished(job: Job, digest: str) -> VideoEntry | LeftOut | None:
    try:
        held = json.loads(regular(job.result).read_text("utf-8"))
        result = _result(job, held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if isinstance(result, LeftOut):
        return result if held.get("input_sha256") == digest else None
    return result if result.input_sha256 == digest and _is_whole(job.records, result) else None


def _from_earlier(job: Job, digest: str) -> VideoEntry | None:
    for path, entry in job.earlier:
        if entry.input_sha256 == digest and _is_whole(path, entry):
            link_or_copy(path, job.records)
            return dataclasses.replace(entry, split=job.source.split, file=job.records.name)
    return None


def _relabelled(job: Job, digest: str) -> VideoEntry | None:
    """Return the entry of the video with other labels, if it is packed already with the dataset's own."""
    source, options = job.source, job.options
    if not ((options.chosen or options.delays) and job.earlier):
        return None
    unchosen, plain = (
        input_digest(source, dataclasses.replace(options, chosen=(), **more)) for more in ({}, {"delays": ()})
    )
    for path, entry in job.earlier:
        if entry.input_sha256 in (unchosen, plain) and _is_whole(path, entry):
            late = entry.input_sha256 != unchosen
            delayed = labels_of(source, options, entry.frame_numbers.tolist()) if late else None
            how = (source.annotators, options.chosen, source.expression, delayed)
            found = relabelled(path, entry, job.records, *how)
            return dataclasses.replace(found, split=source.split, input_sha256=digest)
    return None


def _is_whole(path: Path, entry: VideoEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.file_bytes


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links."""
    with whole(target) as partial:
        partial.unlink(missing_ok=True)
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)


def _write(path: Path, value: dict) -> None:
    with whole(path) as partial:
        partial.write_text(json.dumps(value), "utf-8")
