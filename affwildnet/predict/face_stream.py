"""From frames to the faces to predict from: one frame after the other, or as in packing with a bounded look ahead."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from affwildnet.predict.frame_faces import REMEMBERED, Face, FrameFaces, Recent
from affwildnet.predict.timing import PhaseTimes, TimedDetector, TimedLandmarks
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box, Detector
from tfrecords_tools.faces.causal_following import CausalFollower
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.faces.recognition import FaceRecogniser
from tfrecords_tools.faces.tracking import EVERY, follow_faces
from tfrecords_tools.faces.tracks import SHORTEST, TrackedFrame, jumps
from tfrecords_tools.video.reading import Frame

FACES = ("one", "all")
AWAY = 1.0  # seconds without the followed face, after which another one may take its place
HELD = 15  # frames, the most that wait until a detection is confirmed as a face


def face_stream(
    frames: Iterable[Frame],
    detector: Detector,
    predictor: LandmarkPredictor,
    aligner: Aligner,
    *,
    which: str = "one",
    every: int = EVERY,
    look_ahead: bool = False,
    keep_images: bool = False,
    times: PhaseTimes | None = None,
    recogniser: FaceRecogniser | None = None,
) -> Iterator[FrameFaces]:
    """Yield every frame with the faces to predict from, cut out.

    Args:
      frames: the frames of one video, in order.
      detector: finds faces.
      predictor: finds their landmarks.
      aligner: cuts them out.
      which: "one" face at a time, see `OneFace`; or "all".
      every: every how many frames the whole frame is searched.
      look_ahead: whether faces are followed as in packing, see `tracking.follow_faces`: the result lags by `every`
        frames, and by up to `HELD` more. Otherwise each frame is answered at once, see `CausalFaces`.
      keep_images: whether frames keep their images.
      times: where to add the time of each phase.
      recogniser: distinguishes people whom places and colours confuse; None does without.
    """
    times = times or PhaseTimes()
    timed = TimedDetector(detector, times), TimedLandmarks(predictor, times)
    decoded = times.decoding(frames)
    if not look_ahead:
        return map(CausalFaces(*timed, aligner, which, every, keep_images, times, recogniser).step, decoded)
    followed = follow_faces(decoded, *timed, every, remembered=REMEMBERED, recogniser=recogniser)
    if which == "one":
        followed = map(OneFace().of, followed)
    return without_jumps(_cut_out(each, aligner, keep_images, times) for each in followed)


class CausalFaces:
    """The faces to predict from, frame by frame: each frame is answered before the next one is there.

    They are followed by a `CausalFollower`. A face that jumps as no face does is believed when it has been there for
    five frames.
    """

    def __init__(
        self,
        detector: Detector,
        predictor: LandmarkPredictor,
        aligner: Aligner,
        which: str = "one",
        every: int = EVERY,
        keep_images: bool = False,
        times: PhaseTimes | None = None,
        recogniser: FaceRecogniser | None = None,
    ):
        """Begin a video; see `face_stream` for the arguments."""
        self._follower = CausalFollower(detector, predictor, every, REMEMBERED, recogniser)
        self._chosen = OneFace() if which == "one" else None
        self._aligner, self._keep_images, self._times = aligner, keep_images, times or PhaseTimes()
        self._segments: Recent[int, _Segment] = Recent()

    def step(self, frame: Frame) -> FrameFaces:
        """Return the next frame of the video with its faces, cut out."""
        followed = self._follower.step(frame)
        doubted = [number for number in followed.boxes if not self._believed(frame, number, followed)]
        for number in doubted:
            del followed.boxes[number], followed.landmarks[number]
        if self._chosen is not None:
            followed = self._chosen.of(followed)
        found = _cut_out(followed, self._aligner, self._keep_images, self._times)
        found.removed = len(doubted)
        return found

    def _believed(self, frame: Frame, number: int, followed: TrackedFrame) -> bool:
        box, landmarks = followed.boxes[number], followed.landmarks[number]
        segment = self._segments.get(number) or _Segment(after_jump=False)
        if segment.last is not None:
            before, *place = segment.last
            if jumps(tuple(place), (box, landmarks), frame.number - before):
                segment = _Segment(after_jump=True)
        segment.frames += 1
        segment.last = (frame.number, box, landmarks)
        self._segments[number] = segment
        return not segment.after_jump or segment.frames >= SHORTEST


class OneFace:
    """Keeps one face in each frame: the largest at first, and then the same one.

    When that face has been away for more than a second, the largest face of the frame takes its place. (Packing sees
    the whole video before it chooses, and takes the face of most frames.)
    """

    def __init__(self):
        self._current: int | None = None
        self._seen = 0.0

    def of(self, each: TrackedFrame) -> TrackedFrame:
        """Return the next frame with that face alone, or with none."""
        time = each.frame.timestamp
        if self._current not in each.boxes and each.boxes and (self._current is None or time - self._seen > AWAY):
            self._current = max(each.boxes, key=lambda number: each.boxes[number].area)
        current = self._current
        if current not in each.boxes:
            return TrackedFrame(each.frame)
        self._seen = time
        return TrackedFrame(each.frame, {current: each.boxes[current]}, {current: each.landmarks[current]})


def _cut_out(each: TrackedFrame, aligner: Aligner, keep_images: bool, times: PhaseTimes) -> FrameFaces:
    faces = []
    with times.of("crop"):
        for number, box in each.boxes.items():
            landmarks = each.landmarks[number]
            faces.append(Face(number, box, landmarks, *aligner(each.frame.image, box, landmarks)))
    return FrameFaces.of(each.frame, faces, keep_images)


@dataclass(eq=False)
class _Segment:
    """The segment of a track between two jumps.

    Attributes:
      after_jump: whether it begins with a jump.
      frames: number of its frames so far.
      waiting: those of its faces that are neither confirmed nor removed yet, with their frames.
      last: frame number, box and landmarks of the newest face.
    """

    after_jump: bool
    frames: int = 0
    waiting: list[tuple[FrameFaces, Face]] = field(default_factory=list)
    last: tuple[int, Box, np.ndarray] | None = None


def without_jumps(frames: Iterable[FrameFaces]) -> Iterator[FrameFaces]:
    """Remove false detections from the frames, as `tracks.remove_jumps` does, holding at most `HELD` frames.

    The segment of a track beside a jump is confirmed when it has five frames. If it has fewer after `HELD` frames, it
    is removed if it began with a jump, and confirmed if it is the first of its track. Unlike in packing, the longest
    segment of a track has no privilege.
    """
    segments: Recent[int, _Segment] = Recent()
    held: deque[FrameFaces] = deque()
    undecided: dict[Face, _Segment] = {}
    for frame in frames:
        held.append(frame)
        for face in list(frame.faces):
            segments[face.track] = _extended(segments.get(face.track), frame, face, undecided)
        while held:
            oldest = [face for face in held[0].faces if face in undecided]
            if oldest and len(held) <= HELD:
                break
            for face in oldest:
                _settle(undecided[face], not undecided[face].after_jump, undecided)
            yield held.popleft()
    for segment in set(undecided.values()):
        _settle(segment, not segment.after_jump, undecided)
    yield from held


def _extended(segment: _Segment | None, frame: FrameFaces, face: Face, undecided: dict[Face, _Segment]) -> _Segment:
    """Return the segment with one more face, or the new one that begins with it."""
    if segment is None:
        segment = _Segment(after_jump=False)
    else:
        number, box, landmarks = segment.last
        if jumps((box, landmarks), (face.box, face.landmarks), frame.number - number):
            _settle(segment, False, undecided)
            segment = _Segment(after_jump=True)
    segment.frames += 1
    segment.last = (frame.number, face.box, face.landmarks)
    segment.waiting.append((frame, face))
    undecided[face] = segment
    if segment.frames >= SHORTEST:
        _settle(segment, True, undecided)
    return segment


def _settle(segment: _Segment, confirmed: bool, undecided: dict[Face, _Segment]) -> None:
    for frame, face in segment.waiting:
        del undecided[face]
        if not confirmed:
            frame.faces.remove(face)
            frame.removed += 1
    segment.waiting = []
