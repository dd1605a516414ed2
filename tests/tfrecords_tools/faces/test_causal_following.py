"""Faces followed frame by frame: nothing of a later frame is used, boxes move with landmarks, what is gone is gone."""

import numpy as np
import pytest

from tests.helpers.real_clips import clip
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.causal_following import SOUGHT, CausalFollower, _moved_with
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.tracking import UNSEEN, follow_faces
from tfrecords_tools.video.reading import Frame, read_frames

COLOURS = ((200, 30, 30), (30, 30, 200), (30, 200, 30))
SIDE = 24


class Squares:
    """Finds coloured squares, and counts how often it was asked."""

    def __init__(self):
        self.whole = self.near = 0

    def _found(self, image):
        boxes = []
        for colour in COLOURS:
            down, across = np.nonzero((image == colour).all(-1))
            if len(down):
                boxes.append(Box(across.min(), down.min(), across.max() + 1, down.max() + 1))
        return boxes

    def detect(self, image):
        self.whole += 1
        return self._found(image)

    def detect_near(self, image, box):
        self.near += 1
        return [found for found in self._found(image) if found.overlap(box) > 0]


class Corners:
    """The corners of the square that overlaps a box; those of the box where there is none."""

    def predict(self, image, box):
        near = [found for found in Squares()._found(image) if found.overlap(box) > 0]
        found = max(near, key=box.overlap, default=box)
        return np.array([(found.left, found.top), (found.right, found.bottom)] * 34, np.float32)


def drawn(places):
    """Frames from 1 with a square for each (colour, left, side) of `places`."""
    for number, squares in enumerate(places, 1):
        image = np.full((80, 400, 3), 255, np.uint8)
        for colour, left, side in squares:
            image[10 : 10 + side, left : left + side] = COLOURS[colour]
        yield Frame(number, (number - 1) / 30, image, number)


def follow(places, every=10):
    detector = Squares()
    follower = CausalFollower(detector, Corners(), every)
    return [follower.step(frame).boxes for frame in drawn(places)], detector


def box(left, side=SIDE):
    return Box(left, 10, left + side, 10 + side)


def near(one, other):
    return max(abs(getattr(one, side) - getattr(other, side)) for side in ("left", "top", "right", "bottom")) < 1e-3


@pytest.mark.parametrize("speed", [0, 1, 5])
def test_a_box_moves_with_its_landmarks_and_few_frames_are_searched(speed):
    places = [[(0, 10 + speed * number, SIDE)] for number in range(60)]
    found, detector = follow(places)
    for (square,), boxes in zip(places, found, strict=True):
        assert list(boxes) == [1]
        assert near(boxes[1], box(square[1]))
    assert detector.whole == 6
    # A box that stays is confirmed after 5 frames; one that moves by more than 0.15 of its side, there and then.
    assert detector.near == 6 * {0: 1, 1: 2, 5: 9}[speed]


def test_a_box_grows_with_its_landmarks():
    places = [[(0, 50, 40 + number // 2)] for number in range(40)]
    found, _ = follow(places)
    for ((_, left, side),), boxes in zip(places, found, strict=True):
        assert near(boxes[1], box(left, side))


def test_a_box_turns_with_its_landmarks_where_the_detector_knows_its_roll():
    rng = np.random.default_rng(0)
    before = rng.normal(50, 10, (68, 2))
    turn, centre = 0.2, before.mean(0)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    after = 1.5 * (before - centre) @ turned.T + centre + (7, -3)
    moved = _moved_with(Box(*(centre - 20), *(centre + 20), 0.1), before, after)
    assert moved.roll == pytest.approx(0.3)
    assert moved.centre == pytest.approx(tuple(centre + (7, -3)))
    assert (moved.right - moved.left, moved.bottom - moved.top) == pytest.approx((60, 60))
    assert _moved_with(Box(0, 0, 9, 9), before, after).roll == 0


def test_a_face_is_gone_at_once_and_found_again_as_the_same():
    there = [[(0, 50, SIDE)]]
    places = there * 13 + [[]] * 9 + there * 5 + [[]] * 60 + [[(0, 300, SIDE)]] * 10
    found, _ = follow(places)
    assert [list(boxes) for boxes in found[:27]] == [[1]] * 13 + [[]] * 9 + [[1]] * 5
    assert [list(boxes) for boxes in found[27:87]] == [[]] * 60
    back = [list(boxes) for boxes in found[87:]]
    late = back.index([1])  # elsewhere, after two seconds: recognised by its colours
    assert late < SOUGHT
    assert back == [[]] * late + [[1]] * (10 - late)


def test_a_second_face_gets_the_next_number_when_the_frame_is_searched():
    places = [[(0, 20, SIDE)] + [(1, 200, SIDE)] * (number >= 13) for number in range(40)]
    found, _ = follow(places)
    assert [list(boxes) for boxes in found] == [[1]] * 20 + [[1, 2]] * 20


def test_no_later_frame_has_an_influence():
    places = [
        [(0, 10 + 3 * number, SIDE)] * (number % 17 < 14) + [(1, 300, SIDE)] * (number > 20) for number in range(60)
    ]
    whole, _ = follow(places)
    for length in (1, 12, 31, 50):
        assert follow(places[:length])[0] == whole[:length]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("single_face.mp4", 0.05), ("face_noface.mov", 0.05)])
def test_a_real_face_is_where_looking_ahead_finds_it(name, most):
    frames = list(read_frames(clip(name), end=3.2))
    detector, predictor = FaceDetector(), LandmarkPredictor(find_model())
    follower = CausalFollower(detector, predictor)
    found = [follower.step(frame).boxes for frame in frames]
    ahead = [each.boxes for each in follow_faces(frames, detector, predictor)]
    both = [(one[1], other[1]) for one, other in zip(found, ahead, strict=True) if 1 in one and 1 in other]
    assert sum(bool(one) != bool(other) for one, other in zip(found, ahead, strict=True)) <= UNSEEN
    off = [np.hypot(*np.subtract(one.centre, other.centre)) / (other.right - other.left) for one, other in both]
    assert np.mean(off) < most
