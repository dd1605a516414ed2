"""What a packed corpus is, video by video, as `manifest.json` and `index.npy` say it."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.errors import count as counted
from tfrecords_tools.records import schema

# Layouts that read a dataset of another layout's name: in other splits, or from other files.
_DATASETS = {"recola_46": "recola", "thesis_records": "thesis"}

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
      file_bytes: size of the file.
      index: (frames,) of `index.ROW`, a row for each record.
      rows_unused: of the annotation, those after the end of the video.
      detector, landmarks: as in the manifest, of this video.
      frames_lost: number of frames that the source video has, or counts, and that do not decode.
      gender: of who is seen, as the dataset says it; "" where it does not.
      width, height: of its frames in pixels, upright; 0 where they are not known.
      container: suffix of its file without the dot, such as "mp4"; "images" for a folder of them; "" where not known.
    """

    video: str
    split: str
    subject: str
    file: str
    sha256: str
    fps: float
    frames_decoded: int
    frames_without_face: int
    file_bytes: int
    index: np.ndarray = field(compare=False, repr=False)
    frames_removed: int = 0
    input_sha256: str = ""
    rows_unused: int = 0
    detector: str = ""
    landmarks: str = ""
    frames_lost: int = 0
    gender: str = ""
    width: int = 0
    height: int = 0
    container: str = ""

    @property
    def frames(self) -> int:
        """Number of records."""
        return len(self.index)

    @property
    def frames_labelled(self) -> int:
        """Number of records with a label."""
        return int(np.count_nonzero(self.index["labelled"]))

    @property
    def frame_numbers(self) -> np.ndarray:
        """(frames,) int64, the frame number of each record."""
        return self.index["frame"].astype(np.int64)

    @property
    def labelled_frame_numbers(self) -> np.ndarray:
        """(frames_labelled,) int64, the frame number of each record with a label."""
        return self.frame_numbers[self.index["labelled"]]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Frame numbers of the records, in order."""
        return to_segments(self.frame_numbers)

    @property
    def labelled_segments(self) -> tuple[Segment, ...]:
        """Frame numbers of the records with a label, in order."""
        return to_segments(self.labelled_frame_numbers)

    @property
    def offsets(self) -> np.ndarray:
        """(frames,) int64, byte of the file at which each record starts."""
        return np.ascontiguousarray(self.index["offset"])

    @property
    def record_bytes(self) -> np.ndarray:
        """(frames,) int64, size of each record in the file, framing included."""
        return np.diff(self.index["offset"], append=self.file_bytes)

    def to_json(self) -> dict:
        """Return the fields that `manifest.json` holds: the numbers of the rows, in place of the rows."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "index"}
        return {**fields, "frames": self.frames, "frames_labelled": self.frames_labelled}


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
      annotators_chosen: annotators whose mean is the label, by split and dimension, in place of `selected` or the
        dataset's own; a split or dimension that it does not name keeps those.
      nearest: the dimensions whose annotator was chosen as the nearest to the landmarks.
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
    annotators_chosen: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    nearest: tuple[str, ...] = ()
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
    def has_labels(self) -> bool:
        """Whether the rows of the records have their labels and expressions: not those of earlier versions."""
        return self.schema_version >= schema.SCHEMA_VERSION

    @property
    def dataset(self) -> str:
        """The dataset that the layout reads, by the name of its first layout."""
        return dataset_of(self.layout)

    @property
    def labelling(self) -> str:
        """What was done to the labels, for a person; "" where they are the dataset's own."""
        parts = []
        splits = ", ".join(self.annotators_chosen)
        for dimension, names in next(iter(self.annotators_chosen.values()), {}).items():
            who = f"the mean of {', '.join(names)}" if len(names) > 1 else names[0]
            how = ", who is nearest to the landmarks" if dimension in self.nearest else ""
            parts.append(f"{dimension} of {splits}: {who}{how}")
        if parts and not self.selected:
            parts.append("otherwise the dataset's own")
        if self.selected:
            otherwise, videos = "otherwise " if parts else "", counted(len(self.selected), "video")
            parts.append(f"{otherwise}the mean of the annotators selected for {videos}")
        if self.delays:
            shifts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.delays.items())
            parts.append(f"brought forward by the annotators' delays: {shifts}")
        return "; ".join(parts)

    def one_annotator(self, split: str) -> bool | None:
        """Return whether each label of a split is a single annotator's; None where that cannot be known."""
        chosen = self.annotators_chosen.get(split, {})
        named = [list(chosen.values())]
        if self.selected:
            videos = [entry.video for entry in self.videos if entry.split == split]
            named = [list({**self.selected[video], **chosen}.values()) for video in videos if video in self.selected]
        if not all(len(names) == len(schema.DIMENSIONS) for names in named):
            return False if len(self.annotators) > 1 else None  # in some dimension the mean of all, or not known
        return all(len(annotators) == 1 for names in named for annotators in names)

    @property
    def shared_subjects(self) -> dict[str, list[str]]:
        """The subjects that are in more than one split, each with the names of these splits, sorted."""
        held: dict[str, set[str]] = {}
        for entry in self.videos:
            held.setdefault(entry.subject, set()).add(entry.split)
        return {subject: sorted(splits) for subject, splits in held.items() if len(splits) > 1}

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


def dataset_of(layout: str) -> str:
    """Return the dataset that a layout reads, by the name of its first layout: "recola" for "recola_46"."""
    return _DATASETS.get(layout, layout)


def to_segments(frames: Iterable[int]) -> tuple[Segment, ...]:
    """Return rising frame numbers as segments of consecutive ones: 1, 2, 3, 7 as (1, 3), (7, 7)."""
    numbers = np.fromiter(frames, np.int64)
    if not len(numbers):
        return ()
    cuts = np.flatnonzero(np.diff(numbers) != 1)
    firsts, lasts = numbers[[0, *(cuts + 1)]], numbers[[*cuts, -1]]
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))
