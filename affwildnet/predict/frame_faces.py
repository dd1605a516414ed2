"""A frame with its faces, as it passes through a prediction from detection to the table."""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.video.reading import Frame

REMEMBERED = 256  # faces: the ones seen last are recognised when they come back


@dataclass(eq=False)
class Face:
    """A face in one frame.

    Attributes:
      track: number of the face in the video, from 1.
      box: its box in the frame's pixels.
      landmarks: (68, 2) float32 in the frame's pixels.
      crop: (S, S, 3) uint8 RGB, what the network sees.
      points: (68, 2) float32, the landmarks in the crop divided by its side.
      prediction: (2,) float32 valence and arousal; None until the network has run.
    """

    track: int
    box: Box
    landmarks: np.ndarray
    crop: np.ndarray
    points: np.ndarray
    prediction: np.ndarray | None = None


@dataclass(eq=False)
class FrameFaces:
    """A frame and the faces in it.

    Attributes:
      number: the frame's number, 1-based.
      timestamp: in seconds.
      image: (height, width, 3) uint8 RGB; None where nothing is drawn, to save memory.
      faces: the faces to predict from, by track.
      removed: number of faces that were false detections.
    """

    number: int
    timestamp: float
    image: np.ndarray | None
    faces: list[Face] = field(default_factory=list)
    removed: int = 0

    @classmethod
    def of(cls, frame: Frame, faces: list[Face], keep_image: bool) -> "FrameFaces":
        """Return a frame with these faces, with its image or without."""
        return cls(frame.number, frame.timestamp, frame.image if keep_image else None, faces)


class Recent(OrderedDict):
    """A dict of at most `REMEMBERED` entries: it drops those that were set longest ago."""

    def __setitem__(self, key, value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)
