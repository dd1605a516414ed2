"""Following faces with few whole frames searched."""

import weakref

import cv2
import numpy as np
import pytest

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.tracking import track_faces
from tfrecords_tools.faces.tracks import choose_track, remove_jumps
from tfrecords_tools.sample.canvas import EYES
from tfrecords_tools.sample.portraits import load_portraits
from tfrecords_tools.video.reading import Frame

SIDE = 20
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 200, 30)


def drawn(places):
    """Frames from 1 with squares: `places(n)` gives [(colour, left, top)], the later ones in front; None ends them."""
    number = 0
    while (squares := places(number := number + 1)) is not None:
        image = np.full((60, 320, 3), 255, np.uint8)
        for colour, x, y in squares:
            image[y : y + SIDE, x : x + SIDE] = colour
        yield Frame(number, (number - 1) / 30, image, number)


class Squares:
    """Find whole squares by their colour, and count the searches."""

    def __init__(self, colours=(RED, BLUE, GREEN)):
        self.colours, self.whole, self.near = colours, 0, 0

    def detect(self, image):
        self.whole += 1
        return self._find(image)

    def _find(self, image):
        boxes = []
        for colour in self.colours:
            rows, columns = np.nonzero((image == colour).all(-1))
            if len(rows) > 0.5 * SIDE**2:
                boxes.append(Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        return boxes

    def detect_near(self, image, box):
        self.near += 1
        return [found for found in self._find(image) if found.overlap(box) > 0]


class Corner:
    """Give the box's left top as every landmark."""

    def predict(self, image, box):
        return np.full((68, 2), (box.left, box.top), np.float32)


def test_a_moving_face_is_followed_with_few_whole_frames():
    detector = Squares()
    xs = [round(100 + 60 * np.sin(n / 12)) for n in range(101)]
    (track,) = track_faces(drawn(lambda n: [(RED, xs[n], 10)] if n <= 100 else None), detector, Corner(), every=10)
    assert list(track.boxes) == list(track.landmarks) == list(range(1, 101))
    assert max(abs(track.boxes[n].left - xs[n]) for n in range(1, 101)) <= 0.16 * SIDE
    assert detector.whole == 11  # frames 1, 11, ..., 91 and the last one
    assert detector.near < 80  # it moves by up to a quarter of its side a frame: it never rests


def test_a_face_is_searched_for_where_uniform_motion_takes_it():
    # Seven pixels a frame: too far for interpolation, so that the middles of 10, 5, 3 and 2 frames are all searched.
    asked = []

    class Asked(Squares):
        def detect_near(self, image, box):
            asked.append((self._find(image)[0], box))
            return super().detect_near(image, box)

    track_faces(drawn(lambda n: [(RED, 7 * n, 10)] if n <= 31 else None), Asked((RED,)), Corner(), every=10)
    assert len(asked) > 12
    for there, expected in asked:
        assert (expected.left, expected.top) == pytest.approx((there.left, there.top), abs=1e-6)


def test_a_face_found_too_far_from_where_it_should_be_is_none():
    # In frames 5 to 7 it is 14 pixels off, which leaves an overlap of 0.18: less than continues a face.
    (track,) = track_faces(
        drawn(lambda n: [(RED, 114 if 5 <= n <= 7 else 100, 10)] if n <= 11 else None), Squares((RED,)), Corner()
    )
    assert list(track.boxes) == [1, 2, 3, 4, 8, 9, 10, 11]


@pytest.mark.parametrize("first", [2, 3, 10])
def test_a_face_is_followed_back_to_where_it_appears(first):
    (track,) = track_faces(
        drawn(lambda n: [(RED, 100 + n, 10)] * (n >= first) if n <= 21 else None), Squares((RED,)), Corner()
    )
    assert list(track.boxes) == list(range(first, 22))


def test_every_frame_is_searched_when_asked_for():
    detector = Squares()
    (track,) = track_faces(drawn(lambda n: [(RED, 3 * n, 10)] if n <= 20 else None), detector, Corner(), every=1)
    assert (detector.whole, detector.near) == (20, 0)
    assert [track.boxes[n].left for n in range(1, 21)] == [3 * n for n in range(1, 21)]


def test_a_face_that_leaves_and_comes_back_elsewhere_is_one_track():
    def places(number):
        if number > 120:
            return None
        return [(RED, 40, 10)] if number <= 34 else [(RED, 240, 30)] if number >= 87 else []

    tracks = track_faces(drawn(places), Squares(), Corner())
    assert [list(track.boxes) for track in tracks] == [[*range(1, 35), *range(87, 121)]]  # to the frame
    assert remove_jumps(tracks[0])[1] == 0


def test_another_face_at_the_same_place_is_another_track():
    def places(number):
        return [(RED if number <= 45 else BLUE, 40, 10)] if number <= 90 else None

    tracks = track_faces(drawn(places), Squares(), Corner())
    assert [list(track.boxes) for track in tracks] == [list(range(1, 46)), list(range(46, 91))]


def test_two_faces_that_cross_keep_their_tracks():
    def places(number):
        return [(BLUE, 240 - 2 * number, 10), (RED, 20 + 2 * number, 10)] if number <= 100 else None

    left, right = track_faces(drawn(places), Squares(), Corner())
    assert list(left.boxes) == list(range(1, 101))
    assert all(abs(left.boxes[n].left - (20 + 2 * n)) <= 0.16 * SIDE for n in left.boxes)
    assert all(abs(right.boxes[n].left - (240 - 2 * n)) <= 0.5 * SIDE for n in right.boxes)  # hidden for a while
    assert len(right.boxes) >= 85


def test_two_faces_that_look_alike_and_cross_keep_their_motion():
    near_red = (199, 30, 30)

    def places(number):
        return [(near_red, 240 - 2 * number, 10), (RED, 20 + 2 * number, 10)] if number <= 100 else None

    left, right = track_faces(drawn(places), Squares((RED, near_red)), Corner())
    assert left.boxes[100].left == 220
    assert right.boxes[100].left == 40


def test_a_face_that_goes_does_not_take_the_boxes_of_one_that_passes():
    near_red = (199, 30, 30)

    def places(number):
        one, other = (near_red, 200, 10), (RED, 20 + 4 * number, 10)
        return ([other, one] if number < 45 else [other]) if number <= 70 else None

    passing, gone = track_faces(drawn(places), Squares((RED, near_red)), Corner())
    assert len(passing.boxes) >= 66
    assert 41 <= max(gone.boxes) <= 44  # from frame 45 on the other one is found where it was


def test_frames_are_released():
    alive = []

    def frames():
        for frame in drawn(lambda n: [(RED, 40, 10)] if n <= 100 else None):
            alive.append(weakref.ref(frame.image))
            yield frame
            assert sum(image() is not None for image in alive) <= 12

    (track,) = track_faces(frames(), Squares(), Corner(), every=10)
    assert len(track.boxes) == 100


@pytest.mark.slow
def test_two_portraits_side_by_side_give_a_left_and_a_right_record():
    portraits = load_portraits()

    def frames(count):
        for number in range(1, count + 1):
            image = np.full((360, 640, 3), 150, np.uint8)
            for portrait, x, scale in zip(
                portraits, (150 + number, 490 - number), (1.0 - 0.004 * number, 0.8 + 0.004 * number), strict=True
            ):
                place = np.array([[scale, 0, x - scale * EYES[0]], [0, scale, 140 - scale * EYES[1]]])
                head = cv2.warpAffine(portrait.image, place, (640, 360))
                image = np.where(head[..., 3:] > 127, head[..., :3], image)
            yield Frame(number, (number - 1) / 30, image, number)

    tracks = track_faces(frames(50), FaceDetector(), LandmarkPredictor(find_model()))
    for which, start, step in (("left", 150, 1), ("right", 490, -1)):
        track, _ = remove_jumps(choose_track(tracks, which))
        assert len(track.boxes) >= 45
        for number, points in track.landmarks.items():
            np.testing.assert_allclose(points[36:48].mean(0), (start + step * number, 140), atol=8)
