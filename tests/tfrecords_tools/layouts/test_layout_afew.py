"""The layout afew: one class per clip and no valence, one name in two splits and in two classes."""

import pickle

import cv2
import numpy as np
import pytest

from tests.helpers.layout_trees import by_frame, lay
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.afew import find_videos
from tfrecords_tools.records import schema

FOLDERS = {
    "Angry": "anger", "Disgust": "disgust", "Fear": "fear", "Happy": "happiness",
    "Neutral": "neutral", "Sad": "sadness", "Surprise": "surprise",
}  # fmt: skip


def test_every_frame_has_the_class_of_the_folder_and_no_valence(tmp_path):
    lay(tmp_path, {f"Train/{folder}/{index:09d}.avi": "" for index, folder in enumerate(FOLDERS)})
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    for video, expected in zip(videos, FOLDERS.values(), strict=True):
        labels = by_frame(video, 60, 25)
        assert {schema.EXPRESSIONS[index] for index in labels.expression} == {expected}
        assert labels.expression.shape == (60,)
        assert labels.values.shape == (60, 2)
        assert np.isnan(labels.values).all()
        assert video.expression


def test_the_same_name_in_both_splits_is_two_clips_of_two_subjects(tmp_path):
    lay(tmp_path, {"Train/Sad/1.avi": "", "Val/Happy/1.avi": ""})
    videos, left_out = find_videos(tmp_path)
    assert [(video.split, video.video, video.path.parent.name) for video in videos] == [
        ("train", "1", "Sad"), ("validation", "1", "Happy"),
    ]  # fmt: skip
    assert len({video.subject for video in videos}) == 2
    assert left_out == []


def test_a_name_in_two_classes_is_left_out_and_both_are_named(tmp_path):
    lay(tmp_path, {"Train/Sad/1.avi": "", "Train/Happy/1.avi": "", "Train/Sad/2.avi": "", "Train/Contempt/3.avi": ""})
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["2"]
    assert [(left.video, left.split) for left in left_out] == [("1", "train"), ("3", "train")]
    assert "Happy/1.avi and " in left_out[0].reason
    assert "Sad/1.avi" in left_out[0].reason
    assert "must lie in a folder that is one of Angry, Disgust" in left_out[1].reason


def test_no_clip_is_an_error_that_describes_the_layout(tmp_path):
    with pytest.raises(UserError, match=r"no clips\. The layout afew needs \{Train,Val\}/\{Angry"):
        find_videos(tmp_path)


def image(value):
    return cv2.imencode(".jpg", np.full((16, 16, 3), value, np.uint8))[1].tobytes()


def crops(root, clip, numbers, form="I_{:04d}.jpg", folder="AlignedFaces_LBPTOP_Points"):
    return {f"{root}/{folder}/Faces/{clip}/{form.format(number)}": image(number % 1000) for number in numbers}


@pytest.mark.parametrize(
    ("form", "numbers"), [("I_{}.jpg", [1001, 1002, 1005]), ("{:03d}.jpg", [1, 2, 5]), ("frame_{}.png", [0, 1, 4])]
)
def test_the_challenges_own_crops_are_used_where_they_are_given(tmp_path, form, numbers):
    lay(tmp_path, {
        "Train_AFEW/Sad/000046280.avi": "", "Train_AFEW/Happy/2.avi": "", "Val_AFEW/Happy/3.avi": "",
        **crops("Train_AFEW", "000046280", numbers, form),
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [(video.video, video.split, video.cropped) for video in videos] == [
        ("000046280", "train", True), ("3", "validation", False),
    ]  # fmt: skip
    frames = list(pickle.loads(pickle.dumps(videos[0].frames))())
    assert [frame.number for frame in frames] == [1, 2, 5]
    assert [frame.timestamp for frame in frames] == [0, 0.04, 0.16]
    assert [
        abs(int(frame.image[0, 0, 0]) - number % 1000) <= 1 for frame, number in zip(frames, numbers, strict=True)
    ] == [True] * 3
    (left,) = left_out
    assert (left.video, left.split) == ("2", "train")
    assert "has no crops, and the challenge's own crops" in left.reason


def test_crops_without_a_clip_have_no_class_and_one_number_is_one_crop(tmp_path):
    lay(tmp_path, {
        "Val/Sad/1.avi": "", **crops("Val", "1", [1], "a_{}.jpg", "AlignedFaces_LBPTOP_Points_Val"),
        **crops("Val", "1", [1], "b_{}.jpg", "AlignedFaces_LBPTOP_Points_Val"),
        **crops("Val", "lost", [1], folder="AlignedFaces_LBPTOP_Points_Val"),
    })  # fmt: skip
    (video,), (left,) = find_videos(tmp_path)
    assert "crops but no clip of this name" in left.reason
    with pytest.raises(UserError, match="a number must occur once"):
        list(video.frames())
    lay(tmp_path, {"Val/Fear/4.avi": "", "Val/AlignedFaces_LBPTOP_Points_Val/Faces/4/none.txt": ""})
    (_, empty), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match="whose names end in a number"):
        list(empty.frames())
