"""What every reader of a dataset yields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfrecords_tools.faces import Box


@dataclass(frozen=True)
class Labels:
    """What a dataset says about the frames of one video.

    Attributes:
      values: (n, 2) float32 valence and arousal in the common range, NaN where missing.
      times: (n,) seconds of the rows, rising, where the annotation has its own clock; a frame takes the row of the
        nearest time (ijcv2019 section 3.2). None: row i is frame i + 1 of the source video.
      annotators: (n, A, 2) float32, single annotators' labels in the order of `VideoSource.annotators`; None where the
        dataset does not give them.
      expression: (n,) int64, index into `schema.EXPRESSIONS`, -1 where missing; None where there is none.
    """

    values: np.ndarray
    times: np.ndarray | None = None
    annotators: np.ndarray | None = None
    expression: np.ndarray | None = None


@dataclass(frozen=True)
class Faces:
    """Faces that come with a dataset, by 1-based frame number; a frame without an entry has no face.

    Attributes:
      boxes: in source pixels.
      landmarks: (68, 2) float32 in source pixels; empty where the dataset has none, and they are predicted in the box.
    """

    boxes: dict[int, Box]
    landmarks: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoSource:
    """A video of a dataset, not yet opened.

    Attributes:
      video: its name, unique in its split.
      split: one of `schema.SPLITS`.
      subject: who is seen; the video's name where the dataset does not tell.
      path: the video file, or a folder of images named by their frame numbers.
      read_labels: returns the labels; raises `UserError`. It is called in another process: a function of a module, or a
        `functools.partial` of one.
      read_faces: returns the faces that come with the dataset; called likewise. None: they are detected.
      annotators: names of the single annotators, the same for all videos of a dataset.
      expression: whether the labels hold a class of expression, the same for all videos of a dataset.
      which: the face that the labels are about where there are several: "longest" (the longest track), "left", "right",
        or "annotated" (the one that overlaps `read_faces` best).
      cropped: the images are face crops already: the box is the whole image.
      start, end: seconds between which the video is used; None is its beginning or its end. Frame numbers stay those of
        the whole video.
      fps: frames per second of a folder of images; None for a video file, which tells its own.
      first: number of the first image of a folder, 0 or 1. Frame numbers are 1-based whichever it is.
    """

    video: str
    split: str
    subject: str
    path: Path
    read_labels: Callable[[], Labels]
    read_faces: Callable[[], Faces] | None = None
    annotators: tuple[str, ...] = ()
    expression: bool = False
    which: str = "longest"
    cropped: bool = False
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    first: int = 1


@dataclass(frozen=True)
class LeftOut:
    """A video (or an annotation) that is not in the packed corpus, and why."""

    video: str
    split: str
    reason: str
