"""Which face `Predictor.step` follows, and when its states start afresh."""

from types import SimpleNamespace

import numpy as np

from affwildnet.predict.predictor import Predictor
from tfrecords_tools.faces.boxes import Box

SMALL, LARGE, ELSEWHERE = Box(10, 10, 30, 30), Box(100, 20, 180, 100), Box(220, 10, 250, 40)
COLOURS = {SMALL: (200, 30, 30), LARGE: (30, 30, 200), ELSEWHERE: (30, 200, 30)}


class Counting:
    """A network whose prediction is the number of frames that its states have seen."""

    def initial_states(self):
        return 0

    def run(self, crops, points, states):
        return np.full((1, 2), states + 1, np.float32), states + 1


def corners(box):
    return np.array([(box.left, box.top), (box.right, box.bottom)] * 34, np.float32)


def rounded(box):
    return Box(*(round(side) for side in (box.left, box.top, box.right, box.bottom)))


def follow(*frames, every=0.04):
    """Return (box, frames that the states have seen) of each frame, which holds the boxes that the detector returns."""
    boxes, found = [], []
    detector = SimpleNamespace(
        detect=lambda image: boxes, detect_near=lambda image, near: [box for box in boxes if box.overlap(near) > 0]
    )
    predict = SimpleNamespace(predict=lambda image, box: corners(box))
    finder = SimpleNamespace(detector=detector, predictor=predict, recogniser=None)
    predictor = Predictor(Counting(), lambda image, box, landmarks: (np.zeros(1), np.zeros(1)), finder)
    for boxes in frames:
        image = np.full((120, 320, 3), 255, np.uint8)
        for box in boxes:
            image[box.top : box.bottom, box.left : box.right] = COLOURS[box]
        prediction = predictor.step(image, seconds=every * len(found))
        found.append(prediction and (rounded(prediction.box), prediction.valence))
    return found


def test_the_first_face_is_the_largest_whatever_the_order():
    assert follow([SMALL, LARGE, ELSEWHERE]) == follow([LARGE, ELSEWHERE, SMALL]) == [(LARGE, 1)]


def test_the_same_face_is_followed_and_another_one_waits_a_second_and_starts_afresh():
    assert follow([SMALL], [LARGE, SMALL], [], [SMALL], [LARGE], [LARGE], every=0.4) == [
        (SMALL, 1),
        (SMALL, 2),
        None,
        (SMALL, 3),
        None,
        None,
    ]
    frames = [[SMALL]] * 3 + [[LARGE, ELSEWHERE]] * 10 + [[LARGE, SMALL]] * 2
    found = follow(*frames, every=0.2)
    assert found[:3] == [(SMALL, 1), (SMALL, 2), (SMALL, 3)]
    there = [each for each in found if each is not None and each[0] == LARGE]
    first = found.index((LARGE, 1))
    assert 0.2 * (first - 2) > 1.0  # away for more than a second
    assert found[3:first] == [None] * (first - 3)
    assert there == [(LARGE, number) for number in range(1, len(there) + 1)]
    assert found[first:] == there  # the first face does not take its place again


def test_a_face_that_comes_back_goes_on_with_its_states():
    frames = [[SMALL]] * 3 + [[LARGE]] * 40 + [[SMALL]] * 40
    found = [each for each in follow(*frames, every=0.1) if each is not None]
    small = [seen for box, seen in found if box == SMALL]
    assert small == list(range(1, len(small) + 1))
    assert len(small) > 20
