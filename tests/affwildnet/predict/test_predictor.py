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


def follow(*frames):
    """Return (box, frames that the states have seen) of each frame, which holds the boxes that the detector returns."""
    boxes, found = [], []
    detector = SimpleNamespace(
        detect=lambda image: boxes, detect_near=lambda image, near: [box for box in boxes if box.overlap(near) > 0]
    )
    finder = SimpleNamespace(detector=detector, predictor=SimpleNamespace(predict=lambda image, box: None))
    predictor = Predictor(Counting(), lambda image, box, landmarks: (np.zeros(1), None), finder)
    for boxes in frames:
        image = np.full((120, 320, 3), 255, np.uint8)
        for box in boxes:
            image[box.top : box.bottom, box.left : box.right] = COLOURS[box]
        prediction = predictor.step(image)
        found.append(prediction and (prediction.box, prediction.valence))
    return found


def test_the_first_face_is_the_largest_whatever_the_order():
    assert follow([SMALL, LARGE, ELSEWHERE]) == follow([LARGE, ELSEWHERE, SMALL]) == [(LARGE, 1)]


def test_the_same_face_is_followed_and_another_one_starts_afresh():
    assert follow([SMALL], [LARGE, SMALL], [], [SMALL], [LARGE, ELSEWHERE], [LARGE]) == [
        (SMALL, 1),
        (SMALL, 2),
        None,
        (SMALL, 3),
        (LARGE, 1),
        (LARGE, 2),
    ]
