"""Packing of real videos of real faces, with their variable frame rates and their gaps."""

from functools import partial

import cv2
import numpy as np
import pytest

from tests.helpers.real_clips import clip
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.layouts import VideoSource
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.video.reading import read_frames


def packed(name, frames, folder):
    source = VideoSource(name, "test", name, clip(name), partial(Labels, np.zeros((frames, 2), np.float32)))
    return pack_video(source, PackOptions(landmark_model=find_model(), aligner=Aligner()), folder / "records")


def test_a_face_is_found_and_its_landmarks_lie_on_it(tmp_path):
    entry = packed("single_face.mp4", 72, tmp_path)
    assert entry.frames_decoded == 72
    assert entry.frames >= 70
    for record in read_records(tmp_path, entry):
        points = record["landmarks"]
        # In an upright face the brows are above the eyes, these above the nose, mouth and chin, left of right.
        heights = [points[part, 1].mean() for part in (slice(17, 27), slice(36, 48), slice(31, 36), slice(48, 68), 8)]
        assert heights == sorted(heights)
        assert points[36:42, 0].mean() < points[27:31, 0].mean() < points[42:48, 0].mean()
        assert ((points > -0.1) & (points < 1.1)).all()
        face = cv2.imdecode(np.frombuffer(record["face"], np.uint8), cv2.IMREAD_COLOR)
        assert face.shape == (96, 96, 3)
        # Skin between the eyes and the mouth is redder than it is blue; exchanged channels would turn it round.
        x, y = (points[30] * 96).astype(int)
        patch = face[y - 6 : y + 7, x - 6 : x + 7].reshape(-1, 3).mean(axis=0)
        assert patch[2] > patch[0]


def test_a_variable_frame_rate_keeps_its_timestamps():
    frames = list(read_frames(clip("face_noface.mov")))
    times = np.array([frame.timestamp for frame in frames])
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps.max() > 1.5 * steps.min()  # not the container's mean rate
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))


@pytest.mark.slow
def test_frames_without_a_face_are_left_out_and_split_the_run(tmp_path):
    frames = sum(1 for _ in read_frames(clip("face_noface.mov")))
    entry = packed("face_noface.mov", frames, tmp_path)
    assert entry.frames_decoded == frames
    assert 0.3 < entry.frames / frames < 0.55
    assert entry.frames + entry.frames_without_face == frames
    numbers = [int(record["frame"]) for record in read_records(tmp_path, entry)]
    assert numbers == [number for first, last in entry.segments for number in range(first, last + 1)]


@pytest.mark.slow
def test_a_video_without_any_face_is_refused_and_leaves_nothing(tmp_path):
    # The container claims 98 frames; 95 decode.
    with pytest.raises(UserError, match=r"no_face\.mp4: a face must be found .* none in 95 frames"):
        packed("no_face.mp4", 95, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_long_clip_of_strong_expressions_is_followed(tmp_path):
    entry = packed("WolfgangLanger_Pexels.mp4", 472, tmp_path)
    assert entry.frames_decoded == 472
    assert entry.frames > 0.5 * 472
    assert entry.fps == pytest.approx(23.976, abs=1e-3)


def test_a_variable_rate_is_converted_to_the_nearest_frames():
    times = np.array([frame.timestamp for frame in read_frames(clip("face_noface.mov"))])
    for number, frame in enumerate(read_frames(clip("face_noface.mov"), fps=30), 1):
        distances = np.abs(times - (number - 1) / 30)
        assert distances[frame.source - 1] <= distances.min() + 1e-9
    assert number == round(times[-1] * 30) + 1
