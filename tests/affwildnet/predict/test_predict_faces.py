"""From frames to faces with a bounded look ahead: as in packing, where packing does not look further ahead."""

import weakref

import numpy as np
import pytest

from affwildnet.predict.face_stream import HELD, OneFace, face_stream, without_jumps
from affwildnet.predict.frame_faces import REMEMBERED, Face, FrameFaces, Recent
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracking import follow_faces, track_faces
from tfrecords_tools.faces.tracks import Track, TrackedFrame, remove_jumps
from tfrecords_tools.video.reading import Frame

COLOURS = ((200, 30, 30), (30, 30, 200), (30, 200, 30))
SIDE = 20


def drawn(places):
    """Frames from 1 with a square for each (colour, left) of `places`."""
    for number, squares in enumerate(places, 1):
        image = np.full((60, 320, 3), 255, np.uint8)
        for colour, left in squares:
            image[10 : 10 + SIDE, left : left + SIDE] = COLOURS[colour]
        yield Frame(number, (number - 1) / 30, image, number)


class Squares:
    """Finds whole squares by their colour."""

    def detect(self, image):
        found = []
        for colour in COLOURS:
            down, across = np.nonzero((image == colour).all(-1))
            if len(down):
                found.append(Box(across.min(), down.min(), across.max() + 1, down.max() + 1))
        return found

    def detect_near(self, image, box):
        return [found for found in self.detect(image) if found.overlap(box) > 0]


class Corner:
    """Give the box's left top as every landmark."""

    def predict(self, image, box):
        return np.full((68, 2), (box.left, box.top), np.float32)


def come_and_go(number):
    """A face that stays, one that comes at 13 and goes at 40, one from 35 on, and the second again from 60 on."""
    there = [(0, 10 + number), (1, 200), (2, 280)]
    return [there[0]] + [there[1]] * (13 <= number < 40 or number >= 60) + [there[2]] * (number >= 35)


def test_following_frame_by_frame_is_tracking_the_whole_video():
    places = [come_and_go(number) for number in range(1, 80)]
    frames, waiting = 0, []
    followed = []
    for each in follow_faces(drawn(places), Squares(), Corner()):
        frames += 1
        assert each.frame.number == frames
        waiting = [image for image in [*waiting, weakref.ref(each.frame.image)] if image() is not None]
        assert len(waiting) <= 12  # the frames between two searches: `every` + 1, and the one at hand
        followed.append((each.boxes, each.landmarks))
    assert frames == len(places)
    tracks = track_faces(drawn(places), Squares(), Corner())
    assert [list(track.boxes) for track in tracks] == [
        [*range(1, 80)], [*range(13, 40), *range(60, 80)], [*range(35, 80)]
    ]  # fmt: skip
    for number, (boxes, landmarks) in enumerate(followed, 1):
        assert boxes == {track.number: track.boxes[number] for track in tracks if number in track.boxes}
        assert boxes.keys() == landmarks.keys()


def test_only_the_faces_seen_last_are_recognised():
    # Each face is there for two seconds, and the first comes back at the end.
    places = [[(0, 20)]] * 60 + [[(1, 120)]] * 60 + [[(2, 220)]] * 60 + [[(0, 20)]] * 30

    def numbers(remembered):
        followed = follow_faces(drawn(places), Squares(), Corner(), remembered=remembered)
        return [list(each.boxes) for each in followed][-1]

    assert numbers(None) == [1]
    assert numbers(3) == [1]
    assert numbers(2) == [4]


def seen(number, *faces):
    """A frame, ten a second, with faces given as (track, side of the box)."""
    frame = Frame(number, number / 10, np.zeros((4, 4, 3), np.uint8), number)
    boxes = {track: Box(0, 0, side, side) for track, side in faces}
    return TrackedFrame(frame, boxes, {track: np.zeros((68, 2), np.float32) for track in boxes})


def test_the_largest_face_is_kept_until_it_is_away_for_a_second():
    frames = [
        seen(1), seen(2, (1, 30), (2, 40)), seen(3, (1, 90), (2, 40)), seen(4, (1, 90)),
        *(seen(number, (1, 50), (3, 60)) for number in range(5, 16)), seen(16, (2, 99), (3, 60)), seen(17, (2, 99)),
    ]  # fmt: skip
    followed = [list(each.boxes) for each in map(OneFace().of, frames)]
    # Face 2 was seen last in frame 3: it is away for more than a second from frame 14 on; then face 3 is the largest.
    assert followed == [[], [2], [2], *[[]] * 10, [3], [3], [3], []]


def moved(places):
    """Return frames and a track with a face of side 10 at each place (frame number, left)."""
    track, found = Track(1), []
    for number in range(1, max(number for number, _ in places) + 1):
        faces = []
        for _, left in (place for place in places if place[0] == number):
            track.boxes[number] = box = Box(left, 0, left + 10, 10)
            track.landmarks[number] = points = np.full((68, 2), left, np.float32)
            faces = [Face(1, box, points, None, None)]
        found.append(FrameFaces(number, number / 30, None, faces))
    return found, track


@pytest.mark.parametrize(
    "lengths",
    [
        [(9, 0)], [(3, 0), (9, 50)], [(9, 0), (2, 50), (9, 0)], [(9, 0), (4, 50)], [(9, 0), (5, 50)],
        [(2, 0), (3, 50), (6, 0), (1, 80), (1, 20), (7, 60)],
    ],
)  # fmt: skip
def test_false_detections_are_removed_as_in_packing(lengths):
    lefts = [left for length, left in lengths for _ in range(length)]
    coming, track = moved([(number, left) for number, left in enumerate(lefts, 1)])
    kept, removed = remove_jumps(track)
    frames = list(without_jumps(coming))
    assert [frame.number for frame in frames] == list(range(1, len(lefts) + 1))
    assert [frame.number for frame in frames if frame.faces] == list(kept.boxes)
    assert sum(frame.removed for frame in frames) == removed


def test_false_detections_at_random_are_removed_as_in_packing():
    rng = np.random.default_rng(5)
    jumps = 0
    for _ in range(200):
        lefts = np.repeat(50 * rng.integers(0, 4, 8), rng.integers(1, 9, 8))
        numbers = np.cumsum(rng.choice([1, 1, 1, 2, 3], len(lefts)))
        coming, track = moved(list(zip(numbers.tolist(), lefts.tolist(), strict=True)))
        kept, removed = remove_jumps(track)
        if max(map(len, np.split(lefts, np.flatnonzero(np.diff(lefts)) + 1))) < 5:
            continue  # packing then believes the longest piece: it has seen all of them
        found = [frame.number for frame in without_jumps(coming) if frame.faces]
        assert found == list(kept.boxes)
        jumps += removed
    assert jumps > 500


def test_frames_wait_for_a_few_others_only():
    coming, _ = moved([(1, 0), (2, 0), (200, 0)])
    arrived, ahead = iter(coming), 0

    def counted():
        nonlocal ahead
        for frame in arrived:
            ahead += 1
            yield frame

    for left, frame in enumerate(without_jumps(counted()), 1):
        assert ahead - left <= HELD
        assert len(frame.faces) == (frame.number in (1, 2, 200))


def test_what_began_with_a_jump_and_was_not_seen_again_is_removed():
    coming, track = moved([*((number, 0) for number in range(1, 10)), (10, 50), (11, 50), (90, 50)])
    kept, _ = remove_jumps(track)
    assert [frame.number for frame in without_jumps(coming) if frame.faces] == list(kept.boxes) == list(range(1, 10))


@pytest.mark.parametrize(("last", "is_confirmed"), [(10 + HELD, True), (11 + HELD, False)])
def test_what_began_with_a_jump_has_fifteen_frames_to_be_confirmed(last, is_confirmed):
    numbers = [10, 11, 12, 13, last]
    coming, _ = moved([*((number, 0) for number in range(1, 10)), *((number, 50) for number in numbers)])
    found = [frame.number for frame in without_jumps(coming) if frame.faces]
    assert set(numbers[:4]) <= set(found) if is_confirmed else not set(numbers[:4]) & set(found)


def test_a_face_may_move_further_over_frames_without_it():
    coming, track = moved([*((number, 0) for number in range(1, 8)), *((number, 12) for number in range(12, 15))])
    kept, removed = remove_jumps(track)
    assert removed == 0
    assert [frame.number for frame in without_jumps(coming) if frame.faces] == list(kept.boxes)


def test_frames_keep_no_image_where_nothing_is_drawn():
    places = [come_and_go(number) for number in range(1, 30)]
    found = list(face_stream(drawn(places), Squares(), Corner(), Aligner(16), which="all", look_ahead=True))
    assert [len(frame.faces) for frame in found] == [len(squares) for squares in places]
    assert all(frame.image is None for frame in found)
    images = [frame.image for frame in drawn(places)]
    options = {"which": "all", "look_ahead": True, "keep_images": True}
    for frame in face_stream(drawn(places), Squares(), Corner(), Aligner(16), **options):
        assert np.array_equal(frame.image, images[frame.number - 1])
        for face in frame.faces:
            crop, points = Aligner(16)(frame.image, face.box, face.landmarks)
            assert np.array_equal(face.crop, crop)
            assert np.array_equal(face.points, points)


def test_the_entry_set_longest_ago_is_dropped():
    recent = Recent()
    for number in range(REMEMBERED):
        recent[number] = number
    recent[0] = "again"
    recent["new"] = 1
    assert 0 in recent
    assert 1 not in recent
    assert len(recent) == REMEMBERED
