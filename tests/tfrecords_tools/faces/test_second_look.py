"""People of like colours whom a cut puts into each other's places, or who come back: distinguished by their faces."""

from functools import partial

import cv2
import numpy as np
import pytest

from tfrecords_tools.faces.association import RECENT, Seen
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.causal_following import CausalFollower
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.recognition import SIDE, likeness, look_of
from tfrecords_tools.faces.second_look import MOST_LOOKS, forget_looks, match_faces
from tfrecords_tools.faces.tracking import UNSEEN, follow_faces
from tfrecords_tools.sample.portraits import load_portraits
from tfrecords_tools.video.reading import Frame

COLOURS = np.full(256, 1 / 256, np.float32)
LEFT, RIGHT = Box(0, 0, 100, 100), Box(200, 0, 300, 100)


def look(person, moved=0):
    image = np.random.default_rng(person).integers(0, 256, (10, 10, 3), np.uint8)
    return np.roll(cv2.resize(image, (SIDE, SIDE)), moved, 1)


def seen(person, box, time=0.0, moved=0):
    return Seen(box, COLOURS, time, look=look(person, moved))


class Asked:
    """Describes a look by the person whose it is."""

    def __init__(self, people=4):
        self.people, self.asked = people, 0

    def describe(self, shown):
        self.asked += 1
        return np.eye(self.people)[max(range(self.people), key=lambda person: likeness(look(person), shown))]


def test_two_people_whom_a_cut_puts_into_each_others_places():
    before, now = [seen(0, LEFT), seen(1, RIGHT)], [seen(1, LEFT, 0.3), seen(0, RIGHT, 0.3)]
    assert match_faces(before, now) == {0: 0, 1: 1}
    recogniser = Asked()
    assert match_faces(before, now, recogniser) == {0: 1, 1: 0}
    assert recogniser.asked == 4


def test_a_cut_to_someone_who_was_there_before():
    before = [seen(0, LEFT, -5.0), seen(1, LEFT)]
    assert match_faces(before, [seen(0, LEFT, 0.3)]) == {0: 1}
    assert match_faces(before, [seen(0, LEFT, 0.3)], Asked()) == {0: 0}


def test_who_comes_back_is_the_one_whose_face_it_is():
    before = [seen(0, LEFT), seen(1, LEFT, 0.1)]
    for person in (0, 1):
        assert match_faces(before, [seen(person, RIGHT, 0.1 + 2 * RECENT)], Asked()) == {0: person}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([seen(0, LEFT), seen(1, RIGHT)], [seen(0, LEFT, 0.3, moved=4), seen(1, RIGHT, 0.3)]),  # both look the same
        ([seen(0, LEFT)], [seen(1, LEFT, 0.3)]),  # there is nobody else
        ([seen(0, LEFT), seen(1, RIGHT)], [seen(2, LEFT, 0.3), seen(1, RIGHT, 0.3)]),  # the other one is there
        ([Seen(LEFT, COLOURS, 0.0), seen(1, RIGHT)], [seen(1, LEFT, 0.3)]),  # it was too small to be recognised
    ],
)
def test_nobody_is_asked_where_places_and_colours_can_tell(before, now):
    recogniser = Asked()
    assert match_faces(before, now, recogniser) == match_faces(before, now)
    assert recogniser.asked == 0


def test_a_stranger_keeps_the_track_of_the_place():
    # Who turns to the side is far from all descriptions: a track is not torn for it.
    assert match_faces([seen(0, LEFT), seen(1, RIGHT)], [seen(3, LEFT, 0.3)], Asked()) == {0: 0}


def test_the_looks_of_those_seen_last_are_kept():
    faces = [seen(0, LEFT, time) for time in range(MOST_LOOKS + 3)]
    forget_looks(faces)
    assert [face.look is None for face in faces] == [True] * 3 + [False] * MOST_LOOKS


def test_a_look_is_upright_and_of_what_lies_around_the_box():
    image = np.zeros((300, 300, 3), np.uint8)
    image[100:150, 100:200] = 255  # the upper half of the box
    upright = look_of(image, Box(100, 100, 200, 200))
    assert upright.shape == (SIDE, SIDE, 3)
    assert [int(upright[y, 100].max()) for y in (25, 75, 125)] == [0, 255, 0]
    turned = look_of(np.rot90(image, -1), Box(100, 100, 200, 200, np.pi / 2))  # clockwise, as it is seen
    assert likeness(upright, turned) > 0.95
    assert look_of(image, Box(0, 0, 30, 30)) is None


def cut_frames(frames=40, cut=18):
    """Frames of two grey portraits side by side, which change places at a cut; and who is on the left."""
    portraits = load_portraits()
    for number in range(1, frames + 1):
        shown = portraits if number < cut else portraits[::-1]
        image = np.full((360, 640, 3), 120.0)
        for portrait, x in zip(shown, (200 + number % 3, 440), strict=True):
            scale = 90 / np.linalg.norm(portrait.landmarks[16] - portrait.landmarks[0])
            middle = portrait.landmarks[27:].mean(0)
            matrix = np.array([[scale, 0, x - scale * middle[0]], [0, scale, 180 - scale * middle[1]]])
            head = cv2.warpAffine(cv2.GaussianBlur(portrait.image, (0, 0), 0.4 / scale), matrix, (640, 360))
            opacity = head[..., 3:] / 255
            image = head[..., :3] * opacity + image * (1 - opacity)
        grey = cv2.cvtColor(image.round().astype(np.uint8), cv2.COLOR_RGB2GRAY)
        yield Frame(number, number / 30, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), number), int(number >= cut)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
def test_real_faces_keep_their_tracks_over_a_cut(causal):
    finder, given = FaceFinder(), list(cut_frames())
    frames = [frame for frame, _ in given]
    if causal:
        follower = CausalFollower(finder.detector, finder.predictor, recogniser=finder.recogniser)
        followed = [follower.step(frame) for frame in frames]
    else:
        follow = partial(follow_faces, frames, finder.detector, finder.predictor)
        followed = list(follow(recogniser=finder.recogniser))
        without = list(follow())
        assert min(without[-1].boxes, key=lambda track: without[-1].boxes[track].left) == 1  # the wrong one
    wrong = 0
    for each, (_, cut) in zip(followed, given, strict=True):
        assert sorted(each.boxes) == [1, 2]
        wrong += min(each.boxes, key=lambda track: each.boxes[track].left) != 1 + cut
    assert wrong <= (10 if causal else UNSEEN)  # until the next frame that is searched whole, or its middle
