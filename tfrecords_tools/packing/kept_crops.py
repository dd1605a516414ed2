"""The crops of all faces of a video, kept until it is known whose labels they get: so it is decoded once."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracks import Track, TrackedFrame
from tfrecords_tools.records.face_encoding import encode_face
from tfrecords_tools.video.reading import Frame

IN_MEMORY = 32 * 2**20  # bytes; what is more lies in a file without a name
MOST = 2**30  # bytes, of all crops of one video


class Crop(NamedTuple):
    """A face as a record holds it.

    Attributes:
      jpeg: the image of the face.
      landmarks: (68, 2) float32, divided by the side of the crop.
    """

    jpeg: bytes
    landmarks: np.ndarray


def cut_out(aligner: Aligner, image: np.ndarray, box: Box, landmarks: np.ndarray) -> Crop:
    """Return the crop of a face, see `Aligner`."""
    face, points = aligner(image, box, landmarks)
    return Crop(encode_face(face), points)


# Returns the crop of a face from its frame's image, its box and its landmarks, or raises a `UserError`.
Cut = Callable[[np.ndarray, Box, np.ndarray], Crop]


class KeptCrops:
    """The crops of all tracks of one video. A context manager: at its end they are gone.

    Example:
        >>> with KeptCrops(cut, folder) as crops:
        ...     tracks = tracks_of(crops.keep(follow_faces(frames, detector, predictor)))
        ...     for number, crop in crops.of(choose_track(tracks)):
        ...         crop().jpeg

    Attributes:
      complete: whether none is missing; otherwise they were more than `MOST` bytes, and all were dropped.
    """

    def __init__(self, cut: Cut, folder: Path):
        """Begin.

        Args:
          cut: what cuts a face out.
          folder: where there is room for crops that do not fit into the memory.
        """
        self._cut = cut
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=folder)  # noqa: SIM115, it is closed at the end
        # Where a crop begins and how long its JPEG is, or what was wrong with it, by track and frame number.
        self._places: dict[tuple[int, int], tuple[int, int] | UserError] = {}
        self._end = 0
        self.complete = True

    def __enter__(self) -> "KeptCrops":
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    def keep(self, frames: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
        """Yield the frames of a video, and keep the crops of their faces."""
        for each in frames:
            for track, box in each.boxes.items():
                if self.complete:
                    self._add((track, each.frame.number), each.frame.image, box, each.landmarks[track])
            yield each

    def of(self, track: Track) -> Iterator[tuple[int, Callable[[], Crop]]]:
        """Yield the number of each frame of a track, and what returns its crop or raises the `UserError` of cutting."""
        for number in track.boxes:
            yield number, lambda place=self._places[track.number, number]: self._read(place)

    def _add(self, which: tuple[int, int], *face) -> None:
        try:
            crop = self._cut(*face)
        except UserError as error:  # the face may be one that is not labelled
            self._places[which] = error
            return
        written = self._file.write(crop.jpeg) + self._file.write(crop.landmarks.tobytes())
        self._places[which] = self._end, len(crop.jpeg)
        self._end += written
        if self._end > MOST:
            self.complete = False
            self._places.clear()
            self._file.close()

    def _read(self, place: tuple[int, int] | UserError) -> Crop:
        if isinstance(place, UserError):
            raise place
        self._file.seek(place[0])
        return Crop(self._file.read(place[1]), np.frombuffer(self._file.read(68 * 2 * 4), np.float32).reshape(68, 2))


def cut_again(frames: Iterable[Frame], track: Track, cut: Cut) -> Iterator[tuple[int, Callable[[], Crop]]]:
    """Yield what `KeptCrops.of` does, from frames that are decoded once more."""
    for frame in frames:
        box = track.boxes.get(frame.number)
        if box is not None:
            yield frame.number, partial(cut, frame.image, box, track.landmarks[frame.number])
