"""Curves over a part of one video: its labels with frames (ijcv2019 fig. 3), its annotations with MAC-S (fig. 6)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import folder_at
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.reader import decode_face, read_columns, read_records
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study import agreement, figures

FACES = 8  # crops below the curves


@dataclass(frozen=True)
class Segment:
    """The records of a part of a video.

    Attributes:
      folder: of the corpus.
      packed: its manifest.
      entry: of the video.
      rows: indices of the records.
    """

    folder: Path
    packed: Manifest
    entry: VideoEntry
    rows: np.ndarray

    def columns(self, names: list[str]) -> dict[str, np.ndarray]:
        """Return fields of the records, see `reader.read_columns`."""
        found = read_columns(self.folder, self.entry, names, self.packed.fields)
        return {name: values[self.rows] for name, values in found.items()}


def find(folder: str | Path, video: str, first: int = 1, frames: int | None = None) -> Segment:
    """Return the segment of a video from the frame number `first` on, `frames` long or to the end.

    Raises:
      UserError: if there is no such video or two splits have it, or no frame of it lies there.
    """
    folder = folder_at(folder)
    packed = manifest.load(folder)
    names = {f"{entry.split}/{entry.video}": entry for entry in packed.videos}
    bare = [entry for entry in packed.videos if entry.video == video]
    if len(bare) > 1:
        raise UserError(f"`video` must name one. Received: {video}, which is in {' and '.join(e.split for e in bare)}.")
    if not bare:
        check_choice("video", video, names if "/" in video else [entry.video for entry in packed.videos])
    entry = bare[0] if bare else names[video]
    numbers = entry.frame_numbers
    end = np.inf if frames is None else first + frames
    rows = np.flatnonzero((numbers >= first) & (numbers < end))
    if len(rows) < 2:
        raise UserError(
            f"{entry.video}: at least two frames must lie in the segment. Received: {len(rows)} from frame {first} on; "
            f"the video has {numbers[0]} to {numbers[-1]}."
        )
    return Segment(folder, packed, entry, rows)


def draw_labels(segment: Segment, path: Path) -> None:
    """Draw the labels of a segment with some of its crops below, as ijcv2019 fig. 3."""
    columns = segment.columns(["timestamp", "label"])
    chosen = np.unique(np.linspace(0, len(segment.rows) - 1, FACES).round().astype(int))
    records = read_records(segment.folder, segment.entry, [int(segment.rows[row]) for row in chosen])
    crops = [decode_face(record) for record in records]
    if any(crop is None for crop in crops):
        raise UserError(f"{segment.folder / segment.entry.file}: a face is no image. Pack the corpus again.")
    times = columns["timestamp"].ravel()
    curves = {name: columns["label"][:, index] for index, name in enumerate(DIMENSIONS)}
    figures.labels_with_crops(times, curves, list(zip(times[chosen], crops, strict=True)), segment.entry.video, path)


def draw_annotations(segment: Segment, selection: agreement.Selection, path: Path) -> dict[str, float | None]:
    """Draw the annotations of a segment with their MAC, as ijcv2019 fig. 6; return it by dimension.

    Args:
      segment: of a corpus with single annotators.
      selection: the annotators that are drawn, by video and dimension; all where it has none.
      path: of the figure.

    Raises:
      UserError: if the corpus has no single annotators.
    """
    names = segment.packed.annotators
    if not names:
        raise UserError(f"{segment.folder}: must hold single annotators' labels. Received: none.")
    columns = segment.columns(["timestamp", "annotators"])
    panels, found = {}, {}
    for index, dimension in enumerate(DIMENSIONS):
        chosen = selection.get((segment.entry.video, dimension)) or range(len(names))
        ratings = columns["annotators"][:, :, index]
        found[dimension] = agreement.mac(agreement.correlations(ratings), list(chosen))
        kind = "MAC-S" if (segment.entry.video, dimension) in selection else "MAC-A"
        shown = "not defined" if found[dimension] is None else f"{found[dimension]:.2f}"
        panels[f"{dimension}, {kind} {shown}"] = {names[place]: ratings[:, place] for place in chosen}
    figures.annotations(columns["timestamp"].ravel(), panels, segment.entry.video, path)
    return found
