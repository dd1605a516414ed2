"""Find all faces of a video as tracks, with few whole frames searched by the detector."""

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np

from tfrecords_tools.faces.association import SAME_PLACE, Seen, histogram, similarity
from tfrecords_tools.faces.boxes import Box, Detector, Landmarks
from tfrecords_tools.faces.face_settings import FaceSettings
from tfrecords_tools.faces.recognition import FaceRecogniser, look_of
from tfrecords_tools.faces.second_look import forget_looks, match_faces
from tfrecords_tools.faces.tracks import Track, TrackedFrame, tracks_of
from tfrecords_tools.video.reading import Frame

EVERY = FaceSettings.every
AGREE = 0.15  # sides of the box; dlib's boxes lie on a grid of 0.1 of their side, and its landmarks bear that much
UNSEEN = 5  # frames, the most between two searched ones: a head that nods can turn round in more
TAKEN = 0.5  # overlap from which a box that is found belongs to another face
CONTINUES = 0.3  # overlap from which a face found near a box is the one that is searched for


def track_faces(
    frames: Iterable[Frame],
    detector: Detector,
    predictor: Landmarks,
    every: int = EVERY,
    agree: float = AGREE,
) -> list[Track]:
    """Return the faces of a video, by first appearance and from left to right.

    Arguments and method are those of `follow_faces`, memory is that of `tracks_of`.
    """
    return tracks_of(follow_faces(frames, detector, predictor, every, agree))


def follow_faces(
    frames: Iterable[Frame],
    detector: Detector,
    predictor: Landmarks,
    every: int = EVERY,
    agree: float = AGREE,
    remembered: int | None = None,
    recogniser: FaceRecogniser | None = None,
) -> Iterator[TrackedFrame]:
    """Yield every frame with its faces, `every` frames late; tracks are numbered in the order of `track_faces`.

    The detector searches one in `every` frames whole. Between two of them a face is followed by bisection: a segment of
    at most 5 frames whose boxes at both ends agree is interpolated; otherwise the face is searched for in the middle
    frame, near the place where it should be, and both halves are followed in the same way. A face that is found at one
    end only is searched for frame by frame from that end until it is lost. Landmarks are predicted in every frame.

    Hold `every` + 1 frames, and of each face how it looked when it was seen last, some 1,500 bytes.

    Args:
      frames: of one video, in order, as `read_frames` yields them.
      detector: finds the faces.
      predictor: finds their landmarks.
      every: frames from one that is searched whole to the next; 1 searches every frame.
      agree: how far apart the sides of two boxes may be, in sides of the box, where those between are interpolated.
      remembered: how many faces, those seen last, are recognised when they come back; None is all.
      recogniser: distinguishes people whom places and colours confuse, see `second_look`; None does without.
    """
    follower = _Follower(detector, predictor, agree, remembered, recogniser)
    segment: list[Frame] = []
    for frame in frames:
        segment.append(frame)
        if len(segment) > every or not follower.begun:
            yield from follower.follow(segment)
            segment = [frame]
    if len(segment) > 1:
        yield from follower.follow(segment)


class _Follower:
    """The faces up to the last frame that was searched whole, by keys that rise in the order of detection."""

    def __init__(
        self,
        detector: Detector,
        predictor: Landmarks,
        agree: float,
        remembered: int | None,
        recogniser: FaceRecogniser | None,
    ):
        self._detector, self._predictor, self._agree, self._remembered = detector, predictor, agree, remembered
        self._recogniser = recogniser
        self._seen: dict[int, Seen] = {}
        self._numbers: dict[int, int] = {}
        self._next_face, self._next_number = count(), count(1)
        # Of the present segment, by key and then by frame number.
        self._boxes: dict[int, dict[int, Box]] = {}
        self._landmarks: dict[int, dict[int, np.ndarray]] = {}
        self.begun = False

    def follow(self, segment: list[Frame]) -> list[TrackedFrame]:
        """Follow all faces through `segment`, whose first frame is done already; return the frames that now are."""
        begun, self.begun = self.begun, True
        first, last = segment[0], segment[-1]
        now = [
            seen_now(last, box, self._recogniser)
            for box in self._detector.detect(last.image)
            if box.right > box.left and box.bottom > box.top
        ]
        known = list(self._seen)
        faces = {index: known[row] for index, row in self._matches(now)}
        for index, seen in enumerate(now):
            if index not in faces:
                faces[index] = next(self._next_face)
                self._seen[faces[index]] = seen
        ends: dict[int, dict[int, Box]] = {
            face: {0: boxes[first.number]} for face, boxes in self._boxes.items() if first.number in boxes
        }
        for index, face in faces.items():
            ends.setdefault(face, {})[len(segment) - 1] = now[index].box
        # Faces that are found at both ends come first: one that hides must not take the boxes of another.
        for face, found in sorted(ends.items(), key=lambda item: (-len(item[1]), item[0])):
            self._within(segment, face, found)
            self._keep(segment, face, found)
        for index, face in faces.items():
            self._seen[face] = moved(self._seen[face], now[index])
        self._number()
        done = [self._followed(frame) for frame in (segment[1:] if begun else segment)]
        self._forget(last)
        return done

    def _matches(self, now: list[Seen]) -> Iterable[tuple[int, int]]:
        return match_faces(list(self._seen.values()), now, self._recogniser).items()

    def _number(self) -> None:
        """Number the faces that are new in this segment."""
        new = [face for face in self._boxes if face not in self._numbers]
        for face in sorted(new, key=lambda face: (*_appears(self._boxes[face]), face)):
            self._numbers[face] = next(self._next_number)

    def _followed(self, frame: Frame) -> TrackedFrame:
        found = sorted((self._numbers[face], face) for face, boxes in self._boxes.items() if frame.number in boxes)
        return TrackedFrame(
            frame,
            {number: self._boxes[face][frame.number] for number, face in found},
            {number: self._landmarks[face][frame.number] for number, face in found},
        )

    def _forget(self, last: Frame) -> None:
        """Drop all of the segment but its last frame, with which the next one begins, and the faces to be forgotten."""
        there = [face for face, boxes in self._boxes.items() if last.number in boxes]
        self._boxes = {face: {last.number: self._boxes[face][last.number]} for face in there}
        self._landmarks = {face: {last.number: self._landmarks[face][last.number]} for face in there}
        if self._remembered is not None and len(self._seen) > self._remembered:
            gone = sorted(self._seen.keys() - there, key=lambda face: (self._seen[face].time, face))
            for face in gone[: len(self._seen) - self._remembered]:
                del self._seen[face], self._numbers[face]
        forget_looks(self._seen.values())

    def _keep(self, segment: list[Frame], face: int, found: dict[int, Box]) -> None:
        boxes = self._boxes.setdefault(face, {})
        landmarks = self._landmarks.setdefault(face, {})
        for place, box in sorted(found.items()):
            frame = segment[place]
            if frame.number not in boxes:
                boxes[frame.number], landmarks[frame.number] = box, self._predictor.predict(frame.image, box)

    def _within(self, segment: list[Frame], face: int, found: dict[int, Box]) -> None:
        """Add to `found`, boxes by place in the segment, the boxes between its ends."""
        end = len(segment) - 1
        if 0 in found and end in found:
            self._between(segment, face, found, 0, end)
        elif 0 in found:
            self._search(segment, face, found, 0, range(1, end + 1))
        else:
            self._search(segment, face, found, end, range(end - 1, 0, -1))

    def _between(self, segment: list[Frame], face: int, found: dict[int, Box], begin: int, end: int) -> None:
        if end - begin < 2:
            return
        if end - begin <= UNSEEN and apart(found[begin], found[end]) <= self._agree:
            for place in range(begin + 1, end):
                found[place] = _blend(found[begin], found[end], (place - begin) / (end - begin))
            return
        middle = (begin + end) // 2
        box = self._near(segment[middle], face, _blend(found[begin], found[end], (middle - begin) / (end - begin)))
        if box is not None:
            found[middle] = box
            self._between(segment, face, found, begin, middle)
            self._between(segment, face, found, middle, end)
        else:
            self._search(segment, face, found, begin, range(begin + 1, middle + 1))
            last = middle + 1 if middle in found else middle
            self._search(segment, face, found, end, range(end - 1, last - 1, -1))

    def _search(self, segment: list[Frame], face: int, found: dict[int, Box], begin: int, places: range) -> None:
        expected = found[begin]
        for place in places:
            box = self._near(segment[place], face, expected)
            if box is None:
                return
            found[place] = expected = box

    def _near(self, frame: Frame, face: int, expected: Box) -> Box | None:
        """Return the face's box if it is found where it is expected, looks the same, and belongs to no other track."""
        boxes = self._detector.detect_near(frame.image, expected)
        best = max(boxes, key=expected.overlap, default=None)
        if best is None or best.overlap(expected) < CONTINUES:
            return None
        others = (boxes.get(frame.number) for other, boxes in self._boxes.items() if other != face)
        if any(other is not None and other.overlap(best) > TAKEN for other in others):
            return None
        return best if similarity(histogram(frame.image, best), self._seen[face].colours) >= SAME_PLACE else None


def _appears(boxes: dict[int, Box]) -> tuple[int, float]:
    first = min(boxes)
    return first, boxes[first].left


def _sides(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom], np.float64)


def apart(one: Box, other: Box) -> float:
    """Return how far apart the most distant sides of two boxes are, in sides of the smaller box."""
    side = min(one.right - one.left, other.right - other.left)
    return float(np.abs(_sides(one) - _sides(other)).max()) / side


def _blend(one: Box, other: Box, share: float) -> Box:
    turn = (other.roll - one.roll + np.pi) % (2 * np.pi) - np.pi  # the shorter way round
    return Box(*((1 - share) * _sides(one) + share * _sides(other)).tolist(), one.roll + share * turn)


def seen_now(frame: Frame, box: Box, recogniser: FaceRecogniser | None) -> Seen:
    """Return a face as it is seen in a frame that is searched whole."""
    look = None if recogniser is None else look_of(frame.image, box)
    return Seen(box, histogram(frame.image, box), frame.timestamp, look=look)


def moved(before: Seen, now: Seen) -> Seen:
    """Return a face as it is seen now, with its speed, and with the look it had where that is not known now."""
    look = before.look if now.look is None else now.look
    passed = now.time - before.time
    x, y = np.subtract(now.box.centre, before.box.centre) / passed if passed > 0 else now.speed
    return Seen(now.box, now.colours, now.time, (float(x), float(y)), look, before.description)
