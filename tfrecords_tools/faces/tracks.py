"""A track, one face across the frames of a video: the choice of one of several, the removal of false detections."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.boxes import Box, Landmarks
from tfrecords_tools.faces.given_faces import in_square_pixels, is_face
from tfrecords_tools.video.reading import Frame

CHOICES = ("longest", "left", "right", "annotated")


@dataclass(frozen=True)
class Faces:
    """Faces that come with a dataset, by 1-based frame number; a frame without an entry has no face.

    Attributes:
      boxes: in source pixels.
      landmarks: (68, 2) float32 in source pixels; a frame without an entry has them predicted in its box.
    """

    boxes: dict[int, Box]
    landmarks: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """A face in the frames of one video.

    Attributes:
      number: 1-based, in the order of first appearance, from left to right where faces appear together.
      boxes: by rising frame number, in source pixels; frames in which the face was not found have none.
      landmarks: (68, 2) float32 source pixels, for the same frames.
    """

    number: int
    boxes: dict[int, Box] = field(default_factory=dict)
    landmarks: dict[int, np.ndarray] = field(default_factory=dict)

    def only(self, frames: Iterable[int]) -> "Track":
        """Return the track in these of its frames."""
        kept = sorted(set(frames))
        return replace(
            self, boxes={n: self.boxes[n] for n in kept}, landmarks={n: self.landmarks[n] for n in kept}
        )  # fmt: skip


@dataclass(frozen=True)
class TrackedFrame:
    """One frame with all faces in it.

    Attributes:
      frame: of the video.
      boxes: by the number of the track, in source pixels.
      landmarks: (68, 2) float32 in source pixels, by the number of the track.
    """

    frame: Frame
    boxes: dict[int, Box] = field(default_factory=dict)
    landmarks: dict[int, np.ndarray] = field(default_factory=dict)


def tracks_of(frames: Iterable[TrackedFrame]) -> list[Track]:
    """Return the tracks of a video, by their numbers.

    Hold the boxes and landmarks of all faces, some 700 bytes for each face and frame.
    """
    tracks: dict[int, Track] = {}
    for each in frames:
        for number, box in each.boxes.items():
            track = tracks.setdefault(number, Track(number))
            track.boxes[each.frame.number] = box
            track.landmarks[each.frame.number] = each.landmarks[number]
    return [tracks[number] for number in sorted(tracks)]


def follow_given(frames: Iterable[Frame], faces: Faces, predictor: Landmarks) -> Iterator[TrackedFrame]:
    """Yield frames with the face that comes with a dataset, as track 1; predict landmarks in boxes that have none.

    Boxes belong to the frames' numbers in the source video, whatever rate the frames are converted to. A frame has no
    face where the box hardly meets it, or where the landmarks are none, see `given_faces.is_face`.
    """
    for frame in frames:
        box = faces.boxes.get(frame.source)
        if box is None:
            yield TrackedFrame(frame)
            continue
        box, landmarks = in_square_pixels(box, faces.landmarks.get(frame.source), frame.scale)
        if not is_face(box, landmarks, (frame.image.shape[1], frame.image.shape[0])):
            yield TrackedFrame(frame)
            continue
        yield TrackedFrame(
            frame, {1: box}, {1: predictor.predict(frame.image, box) if landmarks is None else landmarks}
        )  # fmt: skip


def choose_track(tracks: list[Track], which: str | int = "longest", faces: Faces | None = None) -> Track:
    """Return the track of the annotated face.

    Args:
      tracks: all faces of a video.
      which: "longest", the face with most frames; "left" or "right" of the two faces that are seen together longest;
        "annotated", the face that overlaps `faces` most; or the number of a track.
      faces: boxes that come with the dataset, by the tracks' frame numbers; for "annotated" only.

    Raises:
      UserError: if there is no track, or none that fits `which`.
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
        raise UserError("`which` must be longest, left or right where the data has no boxes. Received: annotated.")

    def shared(track: Track) -> float:
        return sum(box.overlap(faces.boxes[n]) for n, box in track.boxes.items() if n in faces.boxes)

    best = max(tracks, key=shared)
    if shared(best) == 0:
        raise UserError(
            f"The annotated face must be among those found. Received: {_faces(tracks)}, none of which overlaps an "
            "annotated box. Check that the boxes belong to this video."
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
            f"The {which} face must be one of two that are seen together. Received: {_faces(tracks)}, never two in "
            "one frame. Small faces are found with larger frames: set `upsample` to 1."
        )
    shared = pair[0].boxes.keys() & pair[1].boxes.keys()
    places = [np.median([track.boxes[n].centre[0] for n in shared]) for track in pair]
    return pair[int(np.argmin(places) if which == "left" else np.argmax(places))]


def _faces(tracks: list[Track]) -> str:
    return "1 face" if len(tracks) == 1 else f"{len(tracks)} faces"


# Limits of a face from one frame to the next. A nod in a fifth of a second moves a head by 0.15 of its box's side a
# frame; dlib's boxes themselves lie on a grid of 0.1 of their side, and each size is 1.2 times the one before.
MAX_SHIFT = 0.4  # in sides of the box
MAX_GROWTH = 1.4  # factor of the box's side
SHORTEST = 5  # frames of a segment that is believed
PATIENCE = 5  # frames for which the limits grow where the face is not found


def remove_jumps(track: Track, max_shift: float = MAX_SHIFT, shortest: int = SHORTEST) -> tuple[Track, int]:
    """Remove the frames of false detections, where box or landmarks shift significantly (ijcv2019 section 3.1).

    Cut the track into segments wherever the box's centre or the landmarks' mean shifts by more than `max_shift` from
    one frame to the next, or the box's side changes by more than a factor of 1.4. Over frames without a face both
    limits grow with each frame, up to five. Remove segments shorter than `shortest` frames, except the longest one.

    Args:
      track: not changed.
      max_shift: in sides of the box, for each frame.
      shortest: least frames of a segment that is believed.

    Returns:
      The track without those frames, and their number.
    """
    numbers = sorted(track.boxes)
    segments: list[list[int]] = []
    for number in numbers:
        if segments and not _jumps_between(track, segments[-1][-1], number, max_shift):
            segments[-1].append(number)
        else:
            segments.append([number])
    if len(segments) < 2:
        return track, 0
    longest = max(segments, key=len)
    kept = [number for segment in segments if segment is longest or len(segment) >= shortest for number in segment]
    return track.only(kept), len(numbers) - len(kept)


def _jumps_between(track: Track, before: int, after: int, max_shift: float) -> bool:
    one, other = ((track.boxes[number], track.landmarks[number]) for number in (before, after))
    return jumps(one, other, after - before, max_shift)


def jumps(
    before: tuple[Box, np.ndarray], after: tuple[Box, np.ndarray], frames: int, max_shift: float = MAX_SHIFT
) -> bool:
    """Return whether a face cannot have moved from one place to the other in so many frames, see `remove_jumps`.

    Args:
      before: box and landmarks, in source pixels.
      after: the same, later.
      frames: from one to the other, at least 1.
      max_shift: in sides of the box, for each frame.
    """
    (one, one_points), (other, other_points) = before, after
    frames = min(frames, PATIENCE)
    sides = [max(1e-6, box.right - box.left) for box in (one, other)]
    if max(sides) / min(sides) > MAX_GROWTH**frames:
        return True
    shifts = [np.subtract(other.centre, one.centre), other_points.mean(0) - one_points.mean(0)]
    return max(float(np.hypot(*shift)) for shift in shifts) > max_shift * frames * sum(sides) / 2
