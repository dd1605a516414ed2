"""All faces of a video as tracks, with the detector run on few whole images."""

from collections.abc import Iterable

import numpy as np

from tfrecords_tools.appearance import histogram, similarity
from tfrecords_tools.association import SAME_PLACE, Seen, associate
from tfrecords_tools.faces import Box, Detector
from tfrecords_tools.landmarks import LandmarkPredictor
from tfrecords_tools.tracks import Track
from tfrecords_tools.video import Frame

EVERY = 10  # frames: a third of a second, in which few faces come and go unseen
AGREE = 0.15  # sides of the box; dlib's boxes lie on a grid of 0.1 of their side, and its landmarks bear that much
UNSEEN = 5  # frames, the most from one searched image to the next: a head that nods turns round between two others
TAKEN = 0.5  # overlap by which a box found is another face's
CONTINUES = 0.3  # overlap by which a face found near a box is the one that was looked for


def track_faces(
    frames: Iterable[Frame],
    detector: Detector,
    predictor: LandmarkPredictor,
    every: int = EVERY,
    agree: float = AGREE,
) -> list[Track]:
    """Returns the faces of a video, by first appearance and from left to right.

    The detector sees every `every`-th image whole. Between two of them a face is followed by halves: a stretch of at
    most 5 frames at whose ends its boxes agree is interpolated; else it is searched for near the place where it should
    be in the middle, and both halves are followed likewise. A face that is there at one end only is searched for frame
    by frame from that end until it is lost. Landmarks are predicted from the image of their own frame.

    It holds `every` + 1 images, and the boxes and landmarks of all faces (some 700 bytes for each face and frame).

    Args:
      frames: of one video, in order, from `video.read_frames`.
      detector: finds the faces.
      predictor: finds their landmarks.
      every: frames from one whole image to the next; 1 detects in every frame.
      agree: how far the sides of two boxes may lie apart, in sides of the box, for those between to be interpolated.
    """
    follower = _Follower(detector, predictor, agree)
    stretch: list[Frame] = []
    for frame in frames:
        stretch.append(frame)
        if len(stretch) > every or not follower.begun:
            follower.follow(stretch)
            stretch = [frame]
    if len(stretch) > 1:
        follower.follow(stretch)
    return follower.tracks()


class _Follower:
    """The tracks up to the last image that was seen whole."""

    def __init__(self, detector: Detector, predictor: LandmarkPredictor, agree: float):
        self._detector, self._predictor, self._agree = detector, predictor, agree
        self._boxes: list[dict[int, Box]] = []
        self._landmarks: list[dict[int, np.ndarray]] = []
        self._seen: list[Seen] = []
        self.begun = False

    def tracks(self) -> list[Track]:
        numbered = sorted(zip(self._boxes, self._landmarks, strict=True), key=lambda track: _appears(track[0]))
        return [
            Track(number, dict(sorted(boxes.items())), dict(sorted(landmarks.items())))
            for number, (boxes, landmarks) in enumerate(numbered, 1)
        ]

    def follow(self, stretch: list[Frame]) -> None:
        """Follows all faces from the first frame of `stretch`, which is done already, to its last."""
        self.begun = True
        first, last = stretch[0], stretch[-1]
        now = [
            Seen(box, histogram(last.image, box), last.timestamp)
            for box in self._detector.detect(last.image)
            if box.right > box.left and box.bottom > box.top
        ]
        pairs = associate(self._seen, now)
        for index, seen in enumerate(now):
            if index not in pairs:
                pairs[index] = len(self._seen)
                self._boxes.append({})
                self._landmarks.append({})
                self._seen.append(seen)
        known = {face: now[index].box for index, face in pairs.items()}
        ends = {}
        for face, boxes in enumerate(self._boxes):
            ends[face] = {0: boxes[first.number]} if first.number in boxes else {}
            if face in known:
                ends[face][len(stretch) - 1] = known[face]
        # Those that are there at both ends come first, so that a face that hides does not take another one's boxes.
        for face, found in sorted(ends.items(), key=lambda item: -len(item[1])):
            if found:
                self._within(stretch, face, found)
                self._keep(stretch, face, found)
        for index, face in pairs.items():
            self._seen[face] = _moved(self._seen[face], now[index])

    def _keep(self, stretch: list[Frame], face: int, found: dict[int, Box]) -> None:
        boxes, landmarks = self._boxes[face], self._landmarks[face]
        for place, box in sorted(found.items()):
            frame = stretch[place]
            if frame.number not in boxes:
                boxes[frame.number], landmarks[frame.number] = box, self._predictor.predict(frame.image, box)

    def _within(self, stretch: list[Frame], face: int, found: dict[int, Box]) -> None:
        """Adds to `found`, boxes by place in the stretch, those between its ends."""
        end = len(stretch) - 1
        if 0 in found and end in found:
            self._between(stretch, face, found, 0, end)
        elif 0 in found:
            self._search(stretch, face, found, 0, range(1, end + 1))
        else:
            self._search(stretch, face, found, end, range(end - 1, 0, -1))

    def _between(self, stretch: list[Frame], face: int, found: dict[int, Box], begin: int, end: int) -> None:
        if end - begin < 2:
            return
        if end - begin <= UNSEEN and _apart(found[begin], found[end]) <= self._agree:
            for place in range(begin + 1, end):
                found[place] = _blend(found[begin], found[end], (place - begin) / (end - begin))
            return
        middle = (begin + end) // 2
        box = self._near(stretch[middle], face, _blend(found[begin], found[end], (middle - begin) / (end - begin)))
        if box is not None:
            found[middle] = box
            self._between(stretch, face, found, begin, middle)
            self._between(stretch, face, found, middle, end)
        else:
            self._search(stretch, face, found, begin, range(begin + 1, middle))
            self._search(stretch, face, found, end, range(end - 1, middle, -1))

    def _search(self, stretch: list[Frame], face: int, found: dict[int, Box], begin: int, places: range) -> None:
        expected = found[begin]
        for place in places:
            box = self._near(stretch[place], face, expected)
            if box is None:
                return
            found[place] = expected = box

    def _near(self, frame: Frame, face: int, expected: Box) -> Box | None:
        """The face in this frame, if it is found near where it is expected, looks the same, and is no other track's."""
        boxes = self._detector.detect_near(frame.image, expected)
        best = max(boxes, key=expected.overlap, default=None)
        if best is None or best.overlap(expected) < CONTINUES:
            return None
        others = (boxes.get(frame.number) for other, boxes in enumerate(self._boxes) if other != face)
        if any(other is not None and other.overlap(best) > TAKEN for other in others):
            return None
        return best if similarity(histogram(frame.image, best), self._seen[face].colours) >= SAME_PLACE else None


def _appears(boxes: dict[int, Box]) -> tuple[int, float]:
    first = min(boxes)
    return first, boxes[first].left


def _sides(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom], np.float64)


def _apart(one: Box, other: Box) -> float:
    """How far the most distant of the sides lie from each other, in sides of the smaller box."""
    side = min(one.right - one.left, other.right - other.left)
    return float(np.abs(_sides(one) - _sides(other)).max()) / side


def _blend(one: Box, other: Box, share: float) -> Box:
    return Box(*((1 - share) * _sides(one) + share * _sides(other)).tolist())


def _moved(before: Seen, now: Seen) -> Seen:
    passed = now.time - before.time
    if passed <= 0:
        return now
    x, y = np.subtract(now.box.centre, before.box.centre) / passed
    return Seen(now.box, now.colours, now.time, (float(x), float(y)))
