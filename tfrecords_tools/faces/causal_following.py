"""Follow all faces of a video frame by frame, without looking ahead: for cameras, and for what must answer at once."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from tfrecords_tools.faces.association import RECENT, SAME_PLACE, Seen, histogram, similarity
from tfrecords_tools.faces.boxes import Box, Detector, Landmarks
from tfrecords_tools.faces.recognition import FaceRecogniser
from tfrecords_tools.faces.second_look import forget_looks, match_faces
from tfrecords_tools.faces.tracking import AGREE, CONTINUES, EVERY, TAKEN, UNSEEN, apart, moved, seen_now
from tfrecords_tools.faces.tracks import TrackedFrame, jumps
from tfrecords_tools.video.reading import Frame

SOUGHT = 5  # frames from one that is searched whole to the next where there is no face


@dataclass
class _Present:
    """A face that was there in the last frame.

    Attributes:
      box, landmarks: where.
      found: the box that was detected last.
      unseen: frames since then.
    """

    box: Box
    landmarks: np.ndarray
    found: Box
    unseen: int = 0


class CausalFollower:
    """Follows faces as `tracking.follow_faces` does, but answers for each frame at once.

    The detector searches one in `every` frames whole, and one in five where no face is there. In between, a box moves
    and grows with its landmarks, which are predicted in every frame from where the face was. It is searched for nearby
    after 5 frames, or as soon as it has moved as far as interpolated boxes may differ, or no longer looks the same; a
    face that is not found then is gone. A face that was seen in the last second is searched for nearby in every frame.

    Example:
        >>> follower = CausalFollower(detector, predictor)
        >>> for frame in frames:
        ...     boxes = follower.step(frame).boxes  # by the number of the track
    """

    def __init__(
        self,
        detector: Detector,
        predictor: Landmarks,
        every: int = EVERY,
        remembered: int | None = None,
        recogniser: FaceRecogniser | None = None,
    ):
        """Begin a video.

        Args:
          detector: finds the faces.
          predictor: finds their landmarks.
          every: frames from one that is searched whole to the next.
          remembered: how many faces, those seen last, are recognised when they come back; None is all.
          recogniser: distinguishes people whom places and colours confuse, see `second_look`; None does without.
        """
        self._recogniser = recogniser
        self._detector, self._predictor, self._every, self._remembered = detector, predictor, every, remembered
        self._seen: dict[int, Seen] = {}
        self._present: dict[int, _Present] = {}
        self._last: dict[int, float] = {}  # when a face was there last, in seconds; detected or not
        self._next = count(1)
        self._frames = 0

    def step(self, frame: Frame) -> TrackedFrame:
        """Return the faces of the next frame of the video, by numbers in the order of their first appearance."""
        before, self._present = self._present, {}
        whole = self._frames % self._every == 0 or (not before and self._frames % SOUGHT == 0)
        self._frames += 1
        if whole:
            self._search(frame)
        for face, present in before.items():
            if face not in self._present:
                self._follow(frame, face, present, look=whole)
        if not whole:
            self._return(frame, before)
        self._last.update(dict.fromkeys(self._present, frame.timestamp))
        self._forget()
        numbers = sorted(self._present)
        return TrackedFrame(
            frame,
            {number: self._present[number].box for number in numbers},
            {number: self._present[number].landmarks for number in numbers},
        )

    def _search(self, frame: Frame) -> None:
        """Find the faces of the whole frame, those that are new from left to right."""
        boxes = [box for box in self._detector.detect(frame.image) if box.right > box.left and box.bottom > box.top]
        now = [seen_now(frame, box, self._recogniser) for box in boxes]
        known = list(self._seen)
        matches = match_faces(list(self._seen.values()), now, self._recogniser)
        faces = {index: known[row] for index, row in matches.items()}
        for index in sorted(range(len(now)), key=lambda index: boxes[index].left):
            if index not in faces:
                faces[index] = next(self._next)
            self._place(frame, faces[index], now[index])

    def _follow(self, frame: Frame, face: int, present: _Present, look: bool) -> None:
        """Follow a face from the frame before, and look for it where that is due or seems wrong."""
        landmarks = self._predictor.predict(frame.image, present.box)
        box = _moved_with(present.box, present.landmarks, landmarks)
        due = look or present.unseen + 1 >= UNSEEN or apart(box, present.found) > AGREE
        due = due or jumps((present.box, present.landmarks), (box, landmarks), 1)
        if not due and similarity(histogram(frame.image, box), self._seen[face].colours) >= SAME_PLACE:
            self._present[face] = _Present(box, landmarks, present.found, present.unseen + 1)
            return
        self._look(frame, face, box if box.overlap(present.box) >= CONTINUES else present.box)

    def _return(self, frame: Frame, before: dict[int, _Present]) -> None:
        """Look for faces that were lost a moment ago."""
        for face, seen in list(self._seen.items()):
            if face not in before and face not in self._present and frame.timestamp - self._last[face] <= RECENT:
                self._look(frame, face, seen.box)

    def _look(self, frame: Frame, face: int, expected: Box) -> None:
        """Search for a face near where it is expected: it must look the same, and belong to no other track."""
        best = max(self._detector.detect_near(frame.image, expected), key=expected.overlap, default=None)
        if best is None or best.overlap(expected) < CONTINUES:
            return
        if any(other.box.overlap(best) > TAKEN for other in self._present.values()):
            return
        colours = histogram(frame.image, best)
        if similarity(colours, self._seen[face].colours) >= SAME_PLACE:
            self._place(frame, face, Seen(best, colours, frame.timestamp))

    def _place(self, frame: Frame, face: int, now: Seen) -> None:
        self._seen[face] = moved(self._seen[face], now) if face in self._seen else now
        self._present[face] = _Present(now.box, self._predictor.predict(frame.image, now.box), now.box)

    def _forget(self) -> None:
        if self._remembered is not None and len(self._seen) > self._remembered:
            gone = sorted(self._seen.keys() - self._present.keys(), key=lambda face: (self._seen[face].time, face))
            for face in gone[: len(self._seen) - self._remembered]:
                del self._seen[face], self._last[face]
        forget_looks(self._seen.values())


def _moved_with(box: Box, before: np.ndarray, after: np.ndarray) -> Box:
    """Return a box that has moved, grown and turned as its landmarks have."""
    (one, centre), (other, to) = ((points - points.mean(0), points.mean(0)) for points in (before, after))
    one, other = (points.astype(np.float64) @ (1, 1j) for points in (one, other))
    spread = np.vdot(one, one).real
    change = complex(np.vdot(one, other) / spread) if spread > 0 else 1 + 0j
    x, y = to + abs(change) * (np.array(box.centre) - centre)
    width, height = abs(change) * (box.right - box.left) / 2, abs(change) * (box.bottom - box.top) / 2
    roll = box.roll and box.roll + float(np.angle(change))
    return Box(float(x - width), float(y - height), float(x + width), float(y + height), roll)
