"""Tracking in real videos of real faces, against detecting in every frame."""

import numpy as np
import pytest

from tests.helpers.real_clips import clip
from tfrecords_tools.faces.blaze_detector import BlazeDetector
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.tracking import track_faces
from tfrecords_tools.faces.tracks import choose_track, remove_jumps
from tfrecords_tools.video.reading import read_frames


class Counting(FaceDetector):
    """Count the pixels of the frames that are searched whole."""

    pixels = 0

    def detect(self, image):
        self.pixels += image.shape[0] * image.shape[1]
        return super().detect(image)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov"])
def test_tracking_gives_the_landmarks_of_detecting_in_every_frame(name):
    detector, predictor = Counting(), LandmarkPredictor(find_model())
    frames = [frame for frame, _ in zip(read_frames(clip(name)), range(170), strict=False)]
    reference = {}
    for frame in frames:
        for box in detector.detect(frame.image)[:1]:
            reference[frame.number] = predictor.predict(frame.image, box)
    detector.pixels = 0
    (track,) = track_faces(frames, detector, predictor)
    # Every tenth frame whole, the first and the last; the searches near a box are small.
    assert detector.pixels <= (len(frames) / 10 + 2) * frames[0].image[..., 0].size
    assert len(reference.keys() ^ track.landmarks.keys()) <= 0.01 * len(frames)
    percent = 100 * np.concatenate([
        np.linalg.norm(track.landmarks[n] - points, axis=1) / np.linalg.norm(points[36] - points[45])
        for n, points in reference.items()
        if n in track.landmarks
    ])  # fmt: skip
    assert np.median(percent) <= 3
    assert np.percentile(percent, 95) <= 8
    assert remove_jumps(choose_track([track]))[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "noface_face.mov"])
def test_blaze_finds_at_least_the_faces_that_dlib_finds(name):
    frames = [frame for frame, _ in zip(read_frames(clip(name)), range(170), strict=False)]
    predictor = LandmarkPredictor(find_model())
    (blaze,), (dlib,) = (track_faces(frames, detector(), predictor) for detector in (BlazeDetector, FaceDetector))
    assert dlib.boxes.keys() <= blaze.boxes.keys()
    assert np.median([blaze.boxes[number].overlap(box) for number, box in dlib.boxes.items()]) > 0.75
    off = [
        100 * np.linalg.norm(blaze.landmarks[n] - points, axis=1) / np.linalg.norm(points[36] - points[45])
        for n, points in dlib.landmarks.items()
    ]
    assert np.median(off) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("detector", [BlazeDetector, FaceDetector])
def test_no_track_where_there_is_no_face(detector):
    assert track_faces(read_frames(clip("no_face.mp4")), detector(), LandmarkPredictor(find_model())) == []
