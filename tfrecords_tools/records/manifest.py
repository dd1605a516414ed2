"""`manifest.json`: what a packed corpus holds, so that windows can be planned without opening a record."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.errors import count as counted
from tfrecords_tools.files import whole
from tfrecords_tools.files.exchange import interrupted
from tfrecords_tools.records import schema
from tfrecords_tools.records.manifest_checks import check_entry, check_manifest

FILE_NAME = "manifest.json"

# Earlier manifests lack the label range: it follows from the layout, and is `schema.LABEL_RANGE` for all others.
_FORMER_LABEL_RANGES = {"omg": {"valence": (-1.0, 1.0), "arousal": (0.0, 1.0)}}

# Earlier manifests name these fields of a video otherwise.
_FORMER_NAMES = {"runs": "segments", "labelled_runs": "labelled_segments"}

# First and last of consecutive frame numbers, both included.
Segment = tuple[int, int]


@dataclass(frozen=True)
class LeftOut:
    """A video, or an annotation without one, that is not in the packed corpus, and why."""

    video: str
    split: str
    reason: str


@dataclass(frozen=True)
class VideoEntry:
    """One video of a packed corpus.

    Attributes:
      video, split, subject: as in the records.
      file: name of its TFRecord file.
      sha256: of that file.
      fps: frames per second by the video's container, 0 where it does not say.
      frames_decoded: number of frames that the source video decodes to.
      frames_without_face: of these, left out because no face was found.
      frames_removed: of these, left out because what was found jumps and is no face (ijcv2019 section 3.1).
      input_sha256: of the source video, its labels and the options that decide its records; "" where it is not known.
      segments: frame numbers of the records, in order.
      labelled_segments: frame numbers of those with a label.
      record_bytes: size of each record in the file, framing included, in order.
      rows_unused: of the annotation, those after the end of the video.
      detector, landmarks: as in the manifest, of this video.
    """

    video: str
    split: str
    subject: str
    file: str
    sha256: str
    fps: float
    frames_decoded: int
    frames_without_face: int
    segments: tuple[Segment, ...]
    labelled_segments: tuple[Segment, ...]
    record_bytes: tuple[int, ...]
    frames_removed: int = 0
    input_sha256: str = ""
    rows_unused: int = 0
    detector: str = ""
    landmarks: str = ""

    @property
    def frames(self) -> int:
        """Number of records."""
        return count(self.segments)

    @property
    def frames_labelled(self) -> int:
        """Number of records with a label."""
        return count(self.labelled_segments)

    @property
    def frame_numbers(self) -> np.ndarray:
        """(frames,) int64, the frame number of each record."""
        return _numbers(self.segments)

    @property
    def labelled_frame_numbers(self) -> np.ndarray:
        """(frames_labelled,) int64, the frame number of each record with a label."""
        return _numbers(self.labelled_segments)

    @property
    def offsets(self) -> list[int]:
        """Byte of the file at which each record starts."""
        return [0, *accumulate(self.record_bytes)][:-1]


@dataclass(frozen=True)
class Manifest:
    """A packed corpus.

    Attributes:
      name: of the corpus; the files are `<name>-<split>.tfrecord-<i>-of-<n>`.
      layout: of the dataset that it was packed from.
      image_size: side of the face crops in pixels.
      alignment, margin: how the faces were cut out, see `alignment.Aligner`.
      videos: sorted by split and name.
      left_out: what of the dataset is not in the corpus, with the reason.
      annotators: names of the single annotators whose labels the records hold, in the records' order.
      expression: whether the records hold an expression class.
      fps: the fixed rate that frames were converted to; 0 where each video keeps its own.
      label_range: lowest and highest label of each dimension, by its name.
      selected: annotators whose mean is the label, by video and dimension; empty where they were not selected.
      delays: seconds by which each annotator's labels were brought forward, by name; empty where none was.
      detector: what found the faces, one of `face_settings.DETECTORS`; "given" where all boxes came with the dataset;
        "" in earlier manifests, which do not say.
      landmarks: whose 68 points the records hold, one of `face_settings.LANDMARKS`; "given" where all came with the
        dataset; "" in earlier manifests.
    """

    name: str
    layout: str
    image_size: int
    alignment: str
    margin: float
    videos: tuple[VideoEntry, ...]
    left_out: tuple[LeftOut, ...] = ()
    annotators: tuple[str, ...] = ()
    expression: bool = False
    fps: float = 0.0
    label_range: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(schema.LABEL_RANGE))
    selected: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    detector: str = ""
    landmarks: str = ""
    schema_version: int = schema.SCHEMA_VERSION
    colour_order: str = schema.COLOUR_ORDER
    jpeg_quality: int = schema.JPEG_QUALITY

    @property
    def fields(self) -> dict[str, schema.Field]:
        """The fields of the records."""
        return schema.fields(len(self.annotators), self.expression)

    @property
    def labelling(self) -> str:
        """What was done to the labels, for a person; "" where they are the dataset's own."""
        parts = []
        if self.selected:
            parts.append(f"the mean of the annotators selected for {counted(len(self.selected), 'video')}")
        if self.delays:
            shifts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.delays.items())
            parts.append(f"brought forward by the annotators' delays: {shifts}")
        return "; ".join(parts)

    def split(self, split: str) -> list[VideoEntry]:
        """Return the videos of a split.

        Raises:
          UserError: if there is none.
        """
        found = [entry for entry in self.videos if entry.split == split]
        if not found:
            held = ", ".join(sorted({entry.split for entry in self.videos})) or "none"
            raise UserError(f"The split must hold videos. Received: {split}, which is empty. The corpus has: {held}.")
        return found


def count(segments: tuple[Segment, ...]) -> int:
    """Return the number of frames in `segments`."""
    return sum(last - first + 1 for first, last in segments)


def to_segments(frames: Iterable[int]) -> tuple[Segment, ...]:
    """Return rising frame numbers as segments of consecutive ones: 1, 2, 3, 7 as (1, 3), (7, 7)."""
    segments: list[Segment] = []
    for frame in frames:
        if segments and frame == segments[-1][1] + 1:
            segments[-1] = (segments[-1][0], frame)
        else:
            segments.append((frame, frame))
    return tuple(segments)


def _numbers(segments: tuple[Segment, ...]) -> np.ndarray:
    return np.concatenate([np.arange(first, last + 1) for first, last in segments] or [np.empty(0, np.int64)])


def save(manifest: Manifest, folder: str | Path) -> None:
    """Write `manifest.json`, one line per video, whole or not at all."""
    fields = dataclasses.asdict(manifest)
    lists = {key: fields.pop(key) for key in ("videos", "left_out")}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
    for key, values in lists.items():
        rows = ",\n".join(f"    {json.dumps(value, separators=(',', ':'))}" for value in values)
        lines.append(f"  {json.dumps(key)}: [\n{rows}\n  ]" if rows else f"  {json.dumps(key)}: []")
    with whole(Path(folder) / FILE_NAME) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def load(folder: str | Path) -> Manifest:
    """Read the manifest of a packed corpus.

    Raises:
      UserError: if there is none, or not one of this schema version; or if packing was killed while it put the files
        in their places.
    """
    path = Path(folder) / FILE_NAME
    if interrupted(Path(folder)):
        raise UserError(
            f"{folder}: not all files are in place, packing was killed while it replaced them. Nothing is lost: "
            f"`python -m tfrecords_tools verify {folder}` completes it, and so does packing again."
        )
    try:
        fields = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder}: not a packed corpus, it has no {FILE_NAME}. "
            "Make one with `python -m tfrecords_tools pack --layout=... --source=... --output=...`."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: must be readable JSON. Received: {error}. Pack the corpus again.") from None
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if version != schema.SCHEMA_VERSION:
        raise UserError(
            f"{path}: the schema version must be {schema.SCHEMA_VERSION}. Received: {version}. Pack the corpus again."
        )
    try:
        videos = tuple(entry_from(entry) for entry in fields.pop("videos"))
        left_out = tuple(LeftOut(**entry) for entry in fields.pop("left_out"))
        annotators = tuple(fields.pop("annotators", ()))
        said = fields.pop("label_range", _FORMER_LABEL_RANGES.get(fields["layout"], schema.LABEL_RANGE))
        label_range = {name: (low, high) for name, (low, high) in said.items()}
        found = Manifest(videos=videos, left_out=left_out, annotators=annotators, label_range=label_range, **fields)
        check_manifest(found)
        return found
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: not a manifest of schema version {version} ({reason}). Pack it again.") from None


def entry_from(fields: dict) -> VideoEntry:
    """Return the entry of a video from its fields in JSON.

    Raises:
      AttributeError, KeyError, TypeError, ValueError: if they are not those of an entry.
    """
    fields = {_FORMER_NAMES.get(name, name): value for name, value in fields.items()}
    for name in _FORMER_NAMES.values():
        fields[name] = tuple((first, last) for first, last in fields[name])
    entry = VideoEntry(**{**fields, "record_bytes": tuple(fields["record_bytes"])})
    check_entry(entry)
    return entry
