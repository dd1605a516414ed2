"""What a dataset's layout is: the reader of its folder, and the range of its labels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records import schema
from tfrecords_tools.records.packed_corpus import LeftOut


@dataclass(frozen=True)
class Layout:
    """How a dataset lies on disk.

    Attributes:
      name: of the layout.
      find_videos: returns the videos of every split in a folder, and what lies there but cannot be used, with the
        reason; raises `UserError` if the folder is not such a dataset.
      label_range: lowest and highest label of each dimension.
    """

    name: str
    find_videos: Callable[[Path], tuple[list[VideoSource], list[LeftOut]]]
    label_range: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(schema.LABEL_RANGE))
