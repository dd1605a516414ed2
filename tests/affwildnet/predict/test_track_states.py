"""Each track's faces are predicted as a sequence of its own, however the frames come."""

import numpy as np
import pytest

from affwildnet.predict.frame_faces import Face, FrameFaces
from affwildnet.predict.stateful_networks import StatefulNetwork
from affwildnet.predict.timing import PhaseTimes
from affwildnet.predict.track_states import with_predictions


class Summing(StatefulNetwork):
    """Predicts the sum of all crops and the sum of all landmarks of its sequence so far."""

    def __init__(self):
        pass

    def initial_states(self):
        return [0.0, 0.0]

    def run(self, crops, landmarks, states):
        sums = np.cumsum(crops.mean((1, 2, 3))) + states[0], np.cumsum(landmarks.mean((1, 2))) + states[1]
        return np.stack(sums, 1), [part[-1] for part in sums]


def a_face(track, number):
    """Return a face whose crop and landmarks say which track and frame it is of."""
    return Face(track, None, None, np.full((2, 2, 3), 10 * track + number), np.full((68, 2), track + number / 100))


# Tracks by frame: they come and go, and one of them is in a single frame.
PLACES = [(1,), (1, 2), (2, 1), (), (2,), (3, 2), (1,), (2, 1), (1, 2)]


@pytest.mark.parametrize("chunk", [1, 2, 4, 16])
def test_each_track_has_states_of_its_own(chunk):
    frames = [
        FrameFaces(number, number / 25, None, [a_face(track, number) for track in tracks])
        for number, tracks in enumerate(PLACES, 1)
    ]
    found = list(with_predictions(iter(frames), Summing(), PhaseTimes(), chunk))
    assert [frame.number for frame in found] == list(range(1, len(PLACES) + 1))
    sums = {track: np.zeros(2) for track in (1, 2, 3)}
    for frame, tracks in zip(found, PLACES, strict=True):
        assert [face.track for face in frame.faces] == list(tracks)
        for face in frame.faces:
            sums[face.track] += (10 * face.track + frame.number, face.track + frame.number / 100)
            np.testing.assert_allclose(face.prediction, sums[face.track])


def test_few_frames_are_held():
    given = 0

    def counted():
        nonlocal given
        for number in range(1, 50):
            given += 1
            yield FrameFaces(number, 0.0, None)

    for returned, _ in enumerate(with_predictions(counted(), Summing(), PhaseTimes(), 4)):
        assert given - returned <= 4
