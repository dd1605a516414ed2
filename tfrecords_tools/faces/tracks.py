"""One face across the frames of a video: the choice of one of several, and the removal of false detections."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.video.reading import Frame

CHOICES = ("longest", "left", "right", "annotated")


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
class Track:
    """A face in the frames of one video.

    Attributes:
      number: 1-based, in the order of first appearance, from left to right where faces appear together.
      boxes: by frame number, in source pixels; a frame where the face was not found has none. The keys rise.
      landmarks: (68, 2) float32 source pixels, for the same frames.
    """

    number: int
    boxes: dict[int, Box] = field(default_factory=dict)
    landmarks: dict[int, np.ndarray] = field(default_factory=dict)

    def only(self, frames: Iterable[int]) -> "Track":
        """Return the track with these of its frames."""
        kept = sorted(set(frames))
        return replace(
            self, boxes={n: self.boxes[n] for n in kept}, landmarks={n: self.landmarks[n] for n in kept}
        )  # fmt: skip


def given_track(frames: Iterable[Frame], faces: Faces, predictor: LandmarkPredictor) -> Track:
    """Return the track of the faces that come with a dataset; landmarks that it lacks are predicted in the boxes.

    Boxes are looked up by the frame's source number, so they stay with their images when the rate is converted.
    """
    track = Track(1)
    for frame in frames:
        box = faces.boxes.get(frame.source)
        if box is not None:
            landmarks = faces.landmarks.get(frame.source)
            track.boxes[frame.number] = box
            track.landmarks[frame.number] = predictor.predict(frame.image, box) if landmarks is None else landmarks
    return track


def choose_track(tracks: list[Track], which: str | int = "longest", faces: Faces | None = None) -> Track:
    """Return the track of the annotated face.

    Args:
      tracks: all faces of a video.
      which: "longest", the face of most frames; "left" or "right" of the two faces that are seen together longest;
        "annotated", the one that overlaps `faces` most; or the number of a track.
      faces: boxes that come with the dataset, by the tracks' frame numbers; for "annotated" alone.

    Raises:
      UserError: if there is no track, or none that `which` describes.
    """
    if not tracks:
        raise UserError("A face must be found in at least one frame. Received: no face in the whole video.")
    if isinstance(which, int):
        found = next((track for track in tracks if track.number == which), None)
        if found is None:
            numbers = ", ".join(str(track.number) for track in tracks)
            raise UserError(f"`which` must be the number of a face of the video: {numbers}. Received: {which}.")
        return found
    check_choice("which", which, CHOICES)
    if which == "longest":
        return max(tracks, key=lambda track: len(track.boxes))
    if which == "annotated":
        return _annotated(tracks, faces)
    return _side(tracks, which)


def _annotated(tracks: list[Track], faces: Faces | None) -> Track:
    if faces is None:
        raise UserError("`which` must not be annotated where no boxes come with the data. Choose longest, or a side.")

    def shared(track: Track) -> float:
        return sum(box.overlap(faces.boxes[n]) for n, box in track.boxes.items() if n in faces.boxes)

    best = max(tracks, key=shared)
    if shared(best) == 0:
        raise UserError(
            f"The annotated face must be among the faces found. Received: {len(tracks)} faces, of which none overlaps "
            "an annotated box. Check that the boxes belong to this video."
        )
    return best


def _side(tracks: list[Track], which: str) -> Track:
    pairs = [(one, other) for index, one in enumerate(tracks) for other in tracks[index + 1 :]]
    together, pair = max(
        ((len(one.boxes.keys() & other.boxes.keys()), (one, other)) for one, other in pairs),
        key=lambda found: found[0],
        default=(0, None),
    )
    if not together:
        raise UserError(
            f"The {which} face must be one of two that are seen together. Received: {len(tracks)} faces, never two in "
            "one frame. Small faces are found with `--upsample=1`."
        )
    shared = pair[0].boxes.keys() & pair[1].boxes.keys()
    places = [np.median([track.boxes[n].centre[0] for n in shared]) for track in pair]
    return pair[int(np.argmin(places) if which == "left" else np.argmax(places))]


# What a face cannot do between two frames, in sides of its box. A nod of a whole head in a fifth of a second moves it
# by some 0.15 a frame; dlib's boxes themselves lie on a grid of 0.1, in sizes of 1.2 to each other.
MAX_SHIFT = 0.4
MAX_GROWTH = 1.4
SHORTEST = 5
PATIENCE = 5


def remove_jumps(track: Track, max_shift: float = MAX_SHIFT, shortest: int = SHORTEST) -> tuple[Track, int]:
    """Remove the frames of false detections, which significant shifts of box or landmarks tell (ijcv2019 section 3.1).

    The track is cut wherever the box's centre or the landmarks' mean shift between two frames by more than `max_shift`,
    or the box's side changes by more than a factor of 1.4; over frames without a face the allowance grows with them,
    fivefold at most. Pieces beside a cut that are shorter than `shortest` frames are removed; the longest piece stays.

    Args:
      track: not changed.
      max_shift: in sides of the box, a frame.
      shortest: frames of the shortest piece that is believed.

    Returns:
      The track without those frames, and their number.
    """
    numbers = sorted(track.boxes)
    pieces: list[list[int]] = []
    for number in numbers:
        if pieces and not _cut(track, pieces[-1][-1], number, max_shift):
            pieces[-1].append(number)
        else:
            pieces.append([number])
    if len(pieces) < 2:
        return track, 0
    longest = max(pieces, key=len)
    kept = [number for piece in pieces if piece is longest or len(piece) >= shortest for number in piece]
    return track.only(kept), len(numbers) - len(kept)


def _cut(track: Track, before: int, after: int, max_shift: float) -> bool:
    one, other = ((track.boxes[number], track.landmarks[number]) for number in (before, after))
    return jumps(one, other, after - before, max_shift)


def jumps(
    before: tuple[Box, np.ndarray], after: tuple[Box, np.ndarray], frames: int, max_shift: float = MAX_SHIFT
) -> bool:
    """Return whether a face cannot have come from one place to the other in so many frames, see `remove_jumps`.

    Args:
      before: box and landmarks, in source pixels.
      after: the same, later.
      frames: from the one to the other, at least 1.
      max_shift: in sides of the box, a frame.
    """
    (one, one_points), (other, other_points) = before, after
    frames = min(frames, PATIENCE)
    sides = [max(1e-6, box.right - box.left) for box in (one, other)]
    if max(sides) / min(sides) > MAX_GROWTH**frames:
        return True
    shifts = [np.subtract(other.centre, one.centre), other_points.mean(0) - one_points.mean(0)]
    return max(float(np.hypot(*shift)) for shift in shifts) > max_shift * frames * sum(sides) / 2
