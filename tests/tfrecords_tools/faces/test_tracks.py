"""The choice of one face of several, and the removal of false detections."""

import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracks import Faces, Track, choose_track, follow_given, jumps, remove_jumps, tracks_of
from tfrecords_tools.video.reading import Frame


def box(x, y=100.0, side=100.0):
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def track(number, places, side=100.0):
    """A face whose centre lies at x in frame n, for `places` {n: x}."""
    boxes = {n: box(x, side=side) for n, x in places.items()}
    return Track(number, boxes, {n: np.full((68, 2), (x, 100), np.float32) for n, x in places.items()})


LEFT = track(1, {n: 100 + n for n in range(1, 40)})
RIGHT = track(2, {n: 400 - n for n in range(5, 60)})
PASSER = track(3, {n: 250 for n in range(70, 80)})


@pytest.mark.parametrize(("which", "number"), [("longest", 2), ("left", 1), ("right", 2), (3, 3), (1, 1)])
def test_a_track_is_chosen(which, number):
    assert choose_track([LEFT, RIGHT, PASSER], which).number == number


def test_sides_are_those_while_both_are_seen():
    # Over all its frames the first face lies to the right of the second, but not while both are there.
    wanderer = track(1, {n: 100 if n < 20 else 900 for n in range(1, 100)})
    other = track(2, dict.fromkeys(range(1, 20), 300))
    assert choose_track([wanderer, other], "left") is wanderer


def test_the_annotated_track_overlaps_the_boxes_most():
    faces = Faces({n: box(395 - n) for n in range(10, 20)} | {n: box(110 + n) for n in range(20, 23)})
    assert choose_track([LEFT, RIGHT, PASSER], "annotated", faces) is RIGHT


@pytest.mark.parametrize(
    ("tracks", "which", "faces", "match"),
    [
        ([], "longest", None, "no face in the whole video"),
        ([LEFT], "left", None, "1 face, never two in one frame"),
        ([LEFT, PASSER], "right", None, "never two in one frame"),
        ([LEFT], 2, None, "of the video: 1. Received: 2"),
        ([LEFT], "annotated", None, "where the data has no boxes"),
        ([LEFT], "annotated", Faces({1: box(900)}), "1 face, none of which overlaps an annotated box"),
        ([LEFT], "lft", None, "Did you mean left"),
    ],
)
def test_a_choice_that_cannot_be_made_is_an_error(tracks, which, faces, match):
    with pytest.raises(UserError, match=match):
        choose_track(tracks, which, faces)


def test_a_false_detection_is_removed_and_counted():
    places = {n: 100 + 2 * n for n in range(1, 41)} | {20: 500, 21: 505}
    cleaned, removed = remove_jumps(track(1, places))
    assert removed == 2
    assert sorted(cleaned.boxes) == sorted(cleaned.landmarks) == [n for n in range(1, 41) if n not in (20, 21)]


def test_landmarks_that_jump_alone_are_removed():
    jumping = track(1, dict.fromkeys(range(1, 31), 100.0))
    jumping.landmarks[12] = jumping.landmarks[12] + 60
    cleaned, removed = remove_jumps(jumping)
    assert (removed, 12 in cleaned.boxes) == (1, False)


def test_a_box_that_jumps_in_size_is_removed():
    jumping = track(1, dict.fromkeys(range(1, 31), 100.0))
    jumping.boxes[1] = box(100, side=250)
    assert remove_jumps(jumping)[1] == 1


def test_true_motion_cuts_and_gaps_are_kept():
    fast = track(1, {n: 35.0 * n for n in range(1, 30)})  # a third of its side a frame
    assert remove_jumps(fast) == (fast, 0)
    cut = track(1, {n: 100 if n < 20 else 500 for n in range(1, 60)})
    assert remove_jumps(cut)[1] == 0
    returned = track(1, {n: 100 if n < 20 else 250 for n in (*range(1, 20), *range(40, 43))})
    assert remove_jumps(returned)[1] == 0  # the three frames lie 1.5 sides off, but 21 frames later
    assert remove_jumps(Track(1)) == (Track(1), 0)


def test_the_longest_segment_stays_though_it_is_short():
    # Segments of 2, 3 and 1 frames: all shorter than what is believed beside a cut.
    cleaned, removed = remove_jumps(track(1, {1: 100, 2: 100, 3: 500, 4: 500, 5: 500, 6: 900}))
    assert (list(cleaned.boxes), removed) == ([3, 4, 5], 3)


@pytest.mark.parametrize(("gap", "shift", "cut"), [(5, 199, False), (5, 201, True), (30, 199, False), (30, 201, True)])
def test_the_limit_of_a_gap_grows_fivefold_at_most(gap, shift, cut):
    # 0.4 of a side of 100 pixels a frame: 200 pixels over 5 frames, and no more over 30.
    places = dict.fromkeys(range(1, 11), 100) | {10 + gap: 100 + shift, 11 + gap: 100 + shift}
    assert remove_jumps(track(1, places))[1] == (2 if cut else 0)


@pytest.mark.parametrize(("gap", "side", "cut"), [(1, 139, False), (1, 141, True), (30, 530, False), (30, 545, True)])
def test_a_box_grows_by_a_factor_a_frame(gap, side, cut):
    # 1.4 over one frame, and 1.4 to the power of 5, which is 5.38, over 5 and more.
    growing = track(1, dict.fromkeys((*range(1, 11), 10 + gap), 100.0))
    growing.boxes[10 + gap] = box(100, side=side)
    assert remove_jumps(growing)[1] == cut


@pytest.mark.parametrize(("shift", "cut"), [(45, False), (47, True), (51, True)])
def test_a_shift_is_measured_in_the_mean_of_both_sides(shift, cut):
    # Sides of 100 and 130 pixels: 0.4 of their mean is 46, of the larger one 52, of the smaller one 40.
    before, after = box(100), box(100 + shift, side=130)
    points = np.zeros((68, 2))
    assert jumps((before, points), (after, points), 1) is cut
    assert jumps((after, points), (before, points), 1) is cut


def grid(shift=0.0):
    return (np.stack(np.meshgrid(np.arange(34), np.arange(2)), -1).reshape(68, 2) * 2 + shift).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "given", "landmarks"),
    [
        ("a face", Box(40, 40, 120, 120), grid(50)),
        ("a face that looks in from the edge", Box(-60, 40, 20, 120), None),
        ("outside", Box(-90, 40, -10, 120), None),
        ("a corner of the frame", Box(-79, -79, 1, 1), None),
        ("without extent", Box(40, 40, 40, 40), None),
        ("no number", Box(float("nan"), 40, 120, 120), None),
        ("larger than anything", Box(-90_000, -90_000, 90_000, 90_000), None),
        ("landmarks of 0", Box(40, 40, 120, 120), np.zeros((68, 2), np.float32)),
        ("landmarks of -1", Box(40, 40, 120, 120), np.full((68, 2), -1, np.float32)),
        ("landmarks on a line", Box(40, 40, 120, 120), grid() * [1, 0]),
        ("landmarks outside", Box(40, 40, 120, 120), grid(-500)),
        ("landmarks that are no numbers", Box(40, 40, 120, 120), np.full((68, 2), np.nan, np.float32)),
    ],
)
def test_what_comes_with_a_dataset_may_be_no_face(kind, given, landmarks):
    faces = Faces({1: given}, {} if landmarks is None else {1: landmarks})

    class Predictor:
        def predict(self, image, box):
            return grid(50)

    (frame,) = follow_given([Frame(1, 0.0, np.zeros((200, 200, 3)), 1)], faces, Predictor())
    assert (1 in frame.boxes) == kind.startswith("a face")


def test_given_faces_lie_in_square_pixels_where_the_frame_was_scaled():
    frames = [Frame(1, 0.0, np.zeros((360, 640, 3)), 1, (640 / 450, 1.0))]
    (track,) = tracks_of(follow_given(frames, Faces({1: Box(90, 40, 180, 130)}, {1: grid(100)}), None))
    assert track.boxes[1] == Box(pytest.approx(128), 40, pytest.approx(256), 130)
    # Whole numbers are the centres of pixels, of which the first begins half a pixel before.
    np.testing.assert_allclose(track.landmarks[1][:, 0], (grid(100)[:, 0] + 0.5) * 640 / 450 - 0.5, rtol=1e-6)
    np.testing.assert_allclose(track.landmarks[1][:, 1], grid(100)[:, 1])


def test_given_boxes_follow_their_images_through_a_conversion():
    class Predictor:
        def predict(self, image, box):
            return np.full((68, 2), box.left, np.float32)

    faces = Faces({1: box(10), 2: box(20)}, {2: grid()})
    frames = [
        Frame(number, 0.0, np.zeros((200, 200, 3)), source) for number, source in ((1, 1), (2, 1), (3, 2), (4, 3))
    ]
    (given,) = tracks_of(follow_given(frames, faces, Predictor()))
    assert given.boxes == {1: box(10), 2: box(10), 3: box(20)}
    assert [float(given.landmarks[n][0, 0]) for n in (1, 2, 3)] == [-40, -40, 0]
