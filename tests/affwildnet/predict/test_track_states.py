"""Each track's faces are predicted as a sequence of its own, however the frames come."""

from types import SimpleNamespace

import numpy as np
import pytest

from affwildnet.predict import predict_source
from affwildnet.predict.frame_faces import Face, FrameFaces
from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.predict_options import PredictOptions
from affwildnet.predict.stateful_networks import StatefulNetwork
from affwildnet.predict.timing import PhaseTimes
from affwildnet.predict.track_states import with_predictions
from tfrecords_tools.video.reading import Frame, Frames


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


@pytest.mark.parametrize("which", ["one", "all"])
def test_the_result_counts_frames_and_faces(which, tmp_path, monkeypatch):
    def stream(frames, detector, predictor, aligner, **options):
        assert options.pop("times").total >= 0
        assert options == {"which": which, "every": 7, "look_ahead": False, "keep_images": False, "recogniser": None}
        for frame, tracks in zip(frames, PLACES, strict=True):
            yield FrameFaces(frame.number, frame.timestamp, None, [a_face(track, frame.number) for track in tracks], 2)

    monkeypatch.setattr(predict_source, "face_stream", stream)
    monkeypatch.setattr(predict_source, "plot_curves", lambda *_: None)
    monkeypatch.setattr(predict_source.prediction_table.PredictionTable, "write", lambda *_: None)
    frames = [Frame(number, number / 25, None, number) for number in range(1, len(PLACES) + 1)]
    source = FrameSource(
        "made", "made", lambda: Frames(SimpleNamespace(lost=11), iter(frames)), lambda: 25.0, lambda: 20
    )
    models = SimpleNamespace(detector=None, predictor=None, recogniser=None)
    predictor = SimpleNamespace(network=Summing(), aligner=None, finder=models, path=None, settings=dict)
    options = PredictOptions(tmp_path, which, every=7, progress=False)
    found = predict_source.predict_source(source, predictor, options)
    assert (found.frames, found.frames_with_face, found.tracks, found.removed) == (9, 8, 3, 18)
    lines = found.summary("made.mp4").splitlines()
    assert lines[0] == "made.mp4: 9 frames, 8 with a face, 3 faces, 18 false detections removed"
    assert lines[1] == "  11 frames cannot be decoded: left out, the others keep their numbers"


def test_few_frames_are_held():
    given = 0

    def counted():
        nonlocal given
        for number in range(1, 50):
            given += 1
            yield FrameFaces(number, 0.0, None)

    for returned, _ in enumerate(with_predictions(counted(), Summing(), PhaseTimes(), 4)):
        assert given - returned <= 4
