"""The layout afew_va: images from 0, integers from -10 to 10, actors, landmarks."""

import json

import numpy as np
import pytest

from tests.helpers.layout_trees import by_frame, faces_of, frames_seen, labels_of, lay, numbered_images
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.afew_va import find_videos
from tfrecords_tools.packing.labelling import check_fits

POINTS = [[100.0 + (7 * i) % 68, 50.0 + i / 2] for i in range(68)]


def clip(frames, actor="Ann", **others):
    return json.dumps({"actor": actor, "frames": frames, **others})


def entry(valence, arousal, landmarks=POINTS):
    return {"landmarks": landmarks, "valence": valence, "arousal": arousal}


def test_image_zero_is_frame_one_and_ten_is_one(tmp_path):
    # 21 frames, whose labels are -10 to 10 and the opposite; image 00000 is frame 1
    frames = {f"{k:05d}": entry(k - 10, 10 - k) for k in range(21)}
    lay(tmp_path, {"01/007/007.json": clip(frames, video_id="007"), **numbered_images("01/007", 0, 21, ".png")})
    (video,), left_out = find_videos(tmp_path)
    assert left_out == []
    assert (video.video, video.split, video.subject, video.fps, video.first) == ("007", "train", "Ann", 25, 0)
    seen = frames_seen(video)
    assert list(seen) == list(range(1, 22))
    labels = by_frame(video, 21, 25)
    for frame, number in seen.items():
        np.testing.assert_allclose(labels.values[frame - 1], [(number - 11) / 10, (11 - number) / 10], atol=1e-6)


def test_clips_come_sorted_from_folders_of_any_depth_and_share_an_actor(tmp_path):
    for name in ("AFEW-VA/12/600", "AFEW-VA/01/001", "AFEW-VA/02/051"):
        number = name[-3:]
        lay(tmp_path, {f"{name}/{number}.json": clip({"00000": entry(1, 2)}), **numbered_images(name, 0, 1, ".png")})
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["001", "051", "600"]
    assert {video.subject for video in videos} == {"Ann"}
    assert left_out == []


def test_a_clip_without_an_actor_is_its_own_subject(tmp_path):
    lay(tmp_path, {"001/001.json": json.dumps({"frames": {"00000": entry(0, 0)}}), "001/00000.png": ""})
    assert find_videos(tmp_path)[0][0].subject == "001"


def test_landmarks_give_the_box_and_a_frame_without_has_no_face(tmp_path):
    shifted = [[x + 3, y + 4] for x, y in POINTS]
    frames = {"00000": entry(0, 0), "00001": entry(0, 0, []), "00003": entry(0, 0, shifted)}
    lay(tmp_path, {"01/001/001.json": clip(frames), **numbered_images("01/001", 0, 4, ".png")})
    (video,), _ = find_videos(tmp_path)
    faces = faces_of(video)
    assert video.which == "annotated"
    assert sorted(faces.boxes) == sorted(faces.landmarks) == [1, 4]
    np.testing.assert_array_equal(faces.landmarks[4], np.float32(shifted))
    box = faces.boxes[4]
    assert (box.left, box.top, box.right, box.bottom) == (103, 54, 170, 87.5)


def test_a_frame_that_is_not_in_the_file_has_no_label_and_shifts_none(tmp_path):
    frames = {"00004": entry(5, 5), "00001": entry(-2, 2)}
    lay(tmp_path, {"01/001/001.json": clip(frames), **numbered_images("01/001", 0, 8, ".png")})
    (video,), _ = find_videos(tmp_path)
    values = by_frame(video, 8, 25).values
    assert [i + 1 for i, row in enumerate(values) if not np.isnan(row).any()] == [2, 5]
    np.testing.assert_allclose(values[[1, 4]], [[-0.2, 0.2], [0.5, 0.5]], atol=1e-6)
    check_fits(labels_of(video), 8, 1, video)
    with pytest.raises(UserError, match="2 frames longer"):
        check_fits(labels_of(video), 3, 1, video)


def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path):
    good = clip({"00000": entry(1, 1)})
    lay(tmp_path, {
        "01/001/001.json": good, "01/001/00000.png": "",
        "01/002/00000.png": "",
        "01/003/003.json": good,
        "01/004/004.json": "{", "01/004/00000.png": "",
        "01/005/005.json": clip({}), "01/005/00000.png": "",
        "01/006/006.json": clip({"00000": entry(1, 1)}, video_id="060"), "01/006/00000.png": "",
        "01/007/007.json": good, "01/007/00000.png": "", "02/007/007.json": good, "02/007/00000.png": "",
        "01/008/008.json": "[1]", "01/008/00000.png": "",
        "01/009/009.json": b"\xff\xfe", "01/009/00000.png": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["001"]
    reasons = {left.video: left.reason for left in left_out}
    expected = {
        "002": "no annotation",
        "003": "must hold images",
        "004": "must be JSON",
        "005": "at least one",
        "006": "`video_id` must be the clip's name. Received: 060",
        "007": "02/007/007.json",
        "008": "must be an object",
        "009": "readable text",
    }
    assert set(reasons) == set(expected)
    assert len(left_out) == len(expected)
    for name, says in expected.items():
        assert says in reasons[name]
        assert "\n" not in reasons[name]


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ({"00002": entry(11, 0)}, "frame 00002, `valence`: must be from -10 to 10. Received: 11"),
        ({"00002": entry(0, None)}, "frame 00002, `arousal`: must be one number. Received: 'None'"),
        ({"00002": {"valence": 1}}, "frame 00002, `arousal`: must be one number"),
        ({"x2": entry(0, 0)}, "frame x2: must be a number"),
        ({"00002": 3}, "frame 00002: must be a number such as 00012 with an object"),
        ({"2": entry(0, 0), "00002": entry(0, 0)}, "each frame must have one entry"),
    ],
)
def test_bad_labels_are_named_by_file_and_frame(tmp_path, frames, says):
    lay(tmp_path, {"001/001.json": clip(frames), "001/00000.png": ""})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError) as error:
        labels_of(video)
    assert says in str(error.value)
    assert "001.json" in str(error.value)


@pytest.mark.parametrize(
    "landmarks",
    [
        POINTS[:67],
        [[1, 2, 3]] * 68,
        "points",
        [[1, None]] * 68,
        [[1], [2, 3]],
        [[1e39, 1]] * 68,
        [["1_0", 2]] * 68,
        [[True, False]] * 68,
        [[float("nan"), 1]] * 68,
        [[10**400, 1]] * 68,
    ],
)
def test_bad_landmarks_are_named_by_file_and_frame(tmp_path, landmarks):
    lay(tmp_path, {"001/001.json": clip({"00003": entry(0, 0, landmarks)}), "001/00000.png": ""})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match=r"001\.json, frame 00003: `landmarks` must be 68 pairs"):
        faces_of(video)
