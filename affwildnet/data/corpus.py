"""One split of a packed corpus, or of one of its folds: its videos, records and labels.

Opening one needs the manifest alone; what reads records is imported where it does.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from affwildnet.experiments.heads import EXPRESSION, OUTPUTS, VALENCE_AROUSAL
from affwildnet.runs.folds import Fold
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import file_names, folder_at
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.schema import EXPRESSIONS, FIELDS
from tfrecords_tools.study.quadrants import quadrant_of


class CorpusError(UserError):
    """A packed corpus that cannot be read: not the fault of the network that reads it."""


@dataclass(frozen=True)
class Corpus:
    """The videos of one split, in the manifest's order.

    Attributes:
      folder: the packed corpus's folder.
      split: name of the split.
      manifest: the whole corpus's manifest.
      videos: the split's videos.
      target: the labels that are read, an output of `experiments.heads`.

    Example:
      >>> corpus = Corpus.open("data/sample_packed", "test")
      >>> len(corpus.videos), corpus.frames_labelled
      (3, 865)
    """

    folder: Path
    split: str
    manifest: Manifest
    videos: tuple[VideoEntry, ...]
    target: str = VALENCE_AROUSAL

    @classmethod
    def of_run(cls, run: Run, split: str) -> "Corpus":
        """Open a split of a run's corpus with the crops and labels that its network needs; raise as `open`."""
        model = run.experiment.model
        return cls.open(run.data_dir, split, model.image_size, model.head, run.fold)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        split: str,
        image_size: int | None = None,
        target: str = VALENCE_AROUSAL,
        fold: Fold | None = None,
    ) -> "Corpus":
        """Open a split.

        Args:
          folder: the packed corpus's folder.
          split: one of `schema.SPLITS`.
          image_size: side of the crops that the network takes, in pixels; None accepts any.
          target: an output of `experiments.heads`: which labels are read, and so which frames are labelled.
          fold: the fold whose split it is, in place of the splits that the corpus was packed with; None uses these.

        Raises:
          UserError: if there is no corpus, if the split is empty or a file is missing, if the crops have another size,
            if the records hold no such labels, or if the folds are not those of this corpus.
        """
        folder = folder_at(folder)
        check_choice("model.head", target, OUTPUTS)
        packed = manifest.load(folder)
        if image_size is not None and packed.image_size != image_size:
            raise UserError(
                f"{folder}: the network takes crops of {image_size}x{image_size}. Received: crops of "
                f"{packed.image_size}x{packed.image_size}. Pack the corpus with "
                f"--size={image_size} beside the other options of `python -m tfrecords_tools pack`."
            )
        if target == EXPRESSION and not packed.expression:
            raise UserError(
                f"{folder}: a network for expressions needs records with expressions, as the layouts afew, omg, and "
                f"csv with a column `expression` write. Received: layout {packed.layout}, without them."
            )
        videos = tuple(fold.videos(packed, split, folder) if fold else packed.split(split))
        held = file_names(folder)
        for entry in videos:
            if entry.file not in held:
                raise UserError(f"{folder / entry.file}: missing. Pack the corpus again, or copy it whole.")
        return cls(folder, split, packed, videos, target)

    @property
    def files(self) -> list[str]:
        """Paths of the videos' TFRecord files, in the order of `videos`."""
        return [str(self.folder / entry.file) for entry in self.videos]

    def landmarks(self, most: int = 20_000) -> np.ndarray:
        """Return (N, 68, 2) float32: the landmarks of at most `most` records, spread evenly over the split."""
        from tfrecords_tools.records.reader import read_records

        fields = {"landmarks": FIELDS["landmarks"]}
        records = np.unique(np.linspace(0, self.first_record[-1] - 1, most).astype(int))
        found = []
        for entry, own in self.by_video(records):
            found += [record["landmarks"] for record in read_records(self.folder, entry, own, fields)]
        return np.array(found)

    def by_video(self, records: np.ndarray) -> Iterator[tuple[VideoEntry, list[int]]]:
        """Yield each video with its own among `records`: (N,) indices in the split, yielded as indices in the video."""
        for video, entry in enumerate(self.videos):
            first, end = self.first_record[video : video + 2]
            yield entry, (records[(records >= first) & (records < end)] - first).tolist()

    @property
    def frames_labelled(self) -> int:
        """Number of records with a label of the target."""
        if self.target == EXPRESSION:
            return int(self.record_labelled.sum())
        return sum(entry.frames_labelled for entry in self.videos)

    @cached_property
    def first_record(self) -> np.ndarray:
        """(videos + 1,) int64: where each video's records start in the arrays below."""
        return np.cumsum([0, *(entry.frames for entry in self.videos)], dtype=np.int64)

    @cached_property
    def record_offsets(self) -> np.ndarray:
        """(records,) int64: byte offset at which each record starts in its file."""
        return np.concatenate([entry.offsets for entry in self.videos])

    @cached_property
    def record_frames(self) -> np.ndarray:
        """(records,) int64: frame number of each record."""
        return np.concatenate([entry.frame_numbers for entry in self.videos])

    @cached_property
    def record_quadrants(self) -> np.ndarray:
        """(records,) int64: index in `quadrants.QUADRANTS` of each record's label, -1 without one."""
        from tfrecords_tools.records.reader import read_labels

        return quadrant_of(np.concatenate(read_labels(self.folder, self.manifest, self.videos)))

    @cached_property
    def record_classes(self) -> np.ndarray:
        """(records,) int64: index in `schema.EXPRESSIONS` of each record's class, -1 without one.

        Of a corpus of an earlier version, whose index lacks them, the first use reads all records.

        Raises:
          UserError: if one is not such an index, or a file cannot be read.
        """
        from tfrecords_tools.records.reader import check_sizes, read_columns

        if self.manifest.has_labels:
            check_sizes(self.folder, self.videos)
            return np.concatenate([entry.index["expression"] for entry in self.videos]).astype(np.int64)
        found = []
        for entry in self.videos:
            classes = read_columns(self.folder, entry, ["expression"], self.manifest.fields)["expression"]
            if strange := set(classes.tolist()) - set(range(-1, len(EXPRESSIONS))):
                raise UserError(
                    f"{self.folder / entry.file}: an expression must be from -1 to {len(EXPRESSIONS) - 1}. "
                    f"Received: {min(strange)}. Pack the corpus again."
                )
            found.append(classes)
        return np.concatenate(found)

    @cached_property
    def record_labelled(self) -> np.ndarray:
        """(records,) bool: whether each record has a label of the target."""
        if self.target == EXPRESSION:
            return self.record_classes >= 0
        return np.concatenate([entry.index["labelled"] for entry in self.videos])
