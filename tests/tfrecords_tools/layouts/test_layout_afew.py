"""The layout afew: one class per clip and no valence, one name in two splits and in two classes."""

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
