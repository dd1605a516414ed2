"""A video of a dataset, as the reader of its layout describes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts.labels import MAX_HOLE, Labels
from tfrecords_tools.video.reading import Frame


@dataclass(frozen=True)
class VideoSource:
    """A video of a dataset, not yet opened.

    Attributes:
      video: its name, unique in its split.
      split: one of `schema.SPLITS`.
      subject: who is seen; the video's name where the dataset does not say.
      path: the video file, or a folder of images named by their frame numbers.
      read_labels: returns the labels or raises `UserError`. It is called in another process, and so must be a function
        of a module, or a `functools.partial` of one.
      read_faces: returns the faces that come with the dataset, as a function like `read_labels`; None detects them.
      annotators: names of the single annotators, the same for all videos of a dataset.
      expression: whether the labels hold an expression class, the same for all videos of a dataset.
      which: the face that is labelled where there are several: "longest" (the longest track), "left", "right", or
        "annotated" (the face that overlaps `read_faces` best).
      cropped: whether the frames are face crops already, so that the box is the whole frame.
      start, end: seconds between which the video is used; None is its beginning or its end. Frame numbers stay those of
        the whole video.
      fps: frames per second of a folder of images; None for a video file, which has its own rate.
      first: number of the first image of a folder, 0 or 1. Frame numbers are 1-based in both cases.
      gender: of who is seen, as the dataset says it; "" where it does not.
      frames: returns an iterator over the frames, in the place of what `video.reading.read_frames` reads of `path`; a
        function like `read_labels`. Its frames have the numbers and times of the source.
      resampled: whether `read_labels` matches rows with times itself, and takes `max_hole` as `labels.nearest` does.
    """

    video: str
    split: str
    subject: str
    path: Path
    read_labels: Callable[..., Labels]
    read_faces: Callable[[], Faces] | None = None
    annotators: tuple[str, ...] = ()
    expression: bool = False
    which: str = "longest"
    cropped: bool = False
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    first: int = 1
    resampled: bool = False
    gender: str = ""
    frames: Callable[[], Iterator[Frame]] | None = None

    def labels(self, max_hole: float = MAX_HOLE) -> Labels:
        """Return the labels; `max_hole` is in seconds, see `labels.nearest`."""
        return self.read_labels(max_hole=max_hole) if self.resampled else self.read_labels()
