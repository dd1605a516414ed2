"""What goes from one stage of a prediction to the next: frames with their faces."""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.video.reading import Frame

REMEMBERED = 256  # faces, those seen last, that are known again when they come back


@dataclass(eq=False)
class Face:
    """A face in one frame.

    Attributes:
      track: number of the face in the video, from 1.
      box: in source pixels.
      landmarks: (68, 2) float32 source pixels.
      crop: (S, S, 3) uint8 RGB, what the network sees.
      points: (68, 2) float32, the landmarks in the crop divided by its side.
      prediction: (2,) float32 valence and arousal, once there.
    """

    track: int
    box: Box
    landmarks: np.ndarray
    crop: np.ndarray
    points: np.ndarray
    prediction: np.ndarray | None = None


@dataclass(eq=False)
class Row:
    """A frame on its way.

    Attributes:
      number: 1-based.
      timestamp: in seconds.
      image: (height, width, 3) uint8 RGB; None where nothing is drawn, so that images are not held.
      faces: those that are predicted from, by track.
      removed: how many faces were false detections.
    """

    number: int
    timestamp: float
    image: np.ndarray | None
    faces: list[Face] = field(default_factory=list)
    removed: int = 0

    @classmethod
    def of(cls, frame: Frame, faces: list[Face], keep_image: bool) -> "Row":
        return cls(frame.number, frame.timestamp, frame.image if keep_image else None, faces)


class Recent(OrderedDict):
    """A dict that forgets the entries not used for longest, beyond `REMEMBERED`."""

    def __setitem__(self, key, value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)
