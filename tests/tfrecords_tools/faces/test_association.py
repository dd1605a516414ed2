"""Matching the faces of a frame with those seen before."""

import numpy as np
import pytest

from tfrecords_tools.faces.association import Seen, associate, histogram, similarity
from tfrecords_tools.faces.boxes import Box


def colours(similarity=1.0):
    """A histogram that has this similarity to the one of a single colour."""
    found = np.zeros(256)
    found[:2] = similarity**2, 1 - similarity**2
    return found


def seen(x=100.0, side=20.0, time=0.0, similarity=1.0, **more):
    box = Box(x - side / 2, 50 - side / 2, x + side / 2, 50 + side / 2)
    return Seen(box, colours(similarity), time, **more)


def test_the_expected_box_goes_on_with_the_face():
    face = seen(time=1.0, speed=(40.0, -20.0))
    assert face.expected(1.5) == Box(110, 30, 130, 50)
    assert face.expected(1.0) == face.box


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({}, {"time": 0.5, "similarity": 0.51}, True),
        ({}, {"time": 0.5, "similarity": 0.49}, False),  # the scene has changed
        ({}, {"time": 1.5, "similarity": 0.79}, False),  # after a while a place says nothing
        ({}, {"time": 1.5, "similarity": 0.81}, True),
        ({}, {"time": 0.5, "x": 119, "similarity": 0.79}, True),  # 0.95 sides off
        ({}, {"time": 0.5, "x": 121, "similarity": 0.79}, False),  # 1.05 sides off
        ({}, {"time": 0.5, "x": 300, "similarity": 0.81}, True),  # it comes back elsewhere
        ({"speed": (200.0, 0.0)}, {"time": 0.5, "x": 200, "similarity": 0.6}, True),
        ({"speed": (-200.0, 0.0)}, {"time": 0.5, "x": 200, "similarity": 0.6}, False),
        ({}, {"time": 0.5, "side": 39}, True),
        ({}, {"time": 0.5, "side": 41}, False),  # more than twice as large
        ({"side": 41}, {"time": 0.5}, False),
    ],
)
def test_whether_a_face_is_the_same(old, new, same):
    assert associate([seen(**old)], [seen(**new)]) == ({0: 0} if same else {})


def test_the_sum_of_the_likeness_is_greatest():
    # The first of the new faces lies nearer to both old ones, but the second can only be the first old one.
    before = [seen(100), seen(112)]
    now = [seen(110, time=0.1), seen(88, time=0.1)]
    assert associate(before, now) == {0: 1, 1: 0}
    assert associate([], now) == associate(before, []) == {}


def test_a_histogram_is_of_hue_and_saturation_within_the_box():
    image = np.full((40, 60, 3), (0, 0, 255), np.uint8)
    image[:, 20:40] = 255, 0, 0
    red, blue = histogram(image, Box(20, 0, 40, 20)), histogram(image, Box(0, 0, 20, 20))
    # Of 16 bins each, hue 0 of 180 and the largest saturation; blue has the hue 120.
    assert np.flatnonzero(red).tolist() == [15]
    assert np.flatnonzero(blue).tolist() == [10 * 16 + 15]
    assert red.sum() == pytest.approx(1)
    assert similarity(red, blue) == 0
    assert similarity(red, red) == pytest.approx(1)
    assert histogram(image, Box(-50, -50, -20, -20)).sum() == 0
