"""The layout omg: arousal first and from 0 to 1, one label per utterance, names in several splits."""

import numpy as np
import pytest

from tests.helpers.layout_trees import by_frame, labels_of, lay
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.omg import find_videos
from tfrecords_tools.records import schema

HEADER = "link,start,end,video,utterance,arousal,valence,EmotionMaxVote\n"
TRAIN, VALIDATION, TEST = "omg_TrainVideos.csv", "omg_ValidationVideos.csv", "omg_TestVideos_WithLabels.csv"


def row(video="vid", utterance="utterance_1.mp4", arousal=0.25, valence=-0.5, vote=3):
    return f"https://youtu.be/x,10.5,14.25,{video},{utterance},{arousal},{valence},{vote}\n"


def test_every_frame_of_a_clip_has_the_label_of_its_row(tmp_path):
    lay(tmp_path, {
        TRAIN: HEADER + row("b", "utterance_2.mp4", 1, -1, 0) + row("b", "utterance_1.mp4") + row("a", vote=6),
        "Train_Set/b/utterance_2.mp4": "", "Train_Set/b/utterance_1.mp4": "", "Train_Set/a/utterance_1.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    assert [(video.video, video.subject, video.split) for video in videos] == [
        ("b_utterance_2", "b", "train"), ("b_utterance_1", "b", "train"), ("a_utterance_1", "a", "train"),
    ]  # fmt: skip
    assert {(video.start, video.end, video.expression) for video in videos} == {(None, None, True)}
    labels = by_frame(videos[0], 500, 30)
    assert labels.values.shape == (500, 2)
    np.testing.assert_array_equal(labels.values, np.tile(np.float32([-1, 1]), (500, 1)))  # valence comes first here
    assert set(labels.expression) == {0}
    np.testing.assert_array_equal(by_frame(videos[1], 1, 30).values, np.float32([[-0.5, 0.25]]))


@pytest.mark.parametrize(
    ("vote", "name"),
    list(enumerate(("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"))),
)
def test_votes_are_classes_of_the_schema(tmp_path, vote, name):
    lay(tmp_path, {TRAIN: HEADER + row(vote=vote), "vid/utterance_1.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert [schema.EXPRESSIONS[index] for index in labels_of(video).expression] == [name]


def test_no_vote_is_no_class(tmp_path):
    lay(tmp_path, {TRAIN: HEADER + row(vote=""), "vid/utterance_1.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert list(labels_of(video).expression) == [-1]


def test_the_same_clip_name_in_three_splits_is_three_clips(tmp_path):
    lay(tmp_path, {
        TRAIN: HEADER + row(valence=0.1), VALIDATION: HEADER + row(valence=0.2), TEST: HEADER + row(valence=0.3),
        "Train_Set/vid/utterance_1.mp4": "", "deep/Validation_Set/vid/utterance_1.mp4": "",
        "Test_Set/vid/utterance_1.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    found = [
        (video.split, str(video.path.relative_to(tmp_path)), labels_of(video).values[0, 0].item()) for video in videos
    ]
    assert [(split, path, round(valence, 6)) for split, path, valence in found] == [
        ("train", "Train_Set/vid/utterance_1.mp4", 0.1),
        ("validation", "deep/Validation_Set/vid/utterance_1.mp4", 0.2),
        ("test", "Test_Set/vid/utterance_1.mp4", 0.3),
    ]


def test_a_clip_of_another_split_is_not_taken(tmp_path):
    lay(tmp_path, {
        TRAIN: HEADER + row() + row(utterance="utterance_2.mp4"), "Test_Set/vid/utterance_1.mp4": "",
        "clips/vid/utterance_2.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["vid_utterance_2"]
    assert [(left.video, left.split) for left in left_out] == [("vid_utterance_1", "train")]


def test_one_file_is_not_used_for_two_splits(tmp_path):
    lay(tmp_path, {TRAIN: HEADER + row(), TEST: HEADER + row(), "clips/vid/utterance_1.mp4": ""})
    videos, left_out = find_videos(tmp_path)
    assert [video.split for video in videos] == ["train"]
    assert [left.split for left in left_out] == ["test"]
    assert "TrainVideos.csv, line 2" in left_out[0].reason


def test_byte_order_mark_line_ends_and_spaces_do_not_matter(tmp_path):
    text = "\ufeff" + HEADER.replace(",", " , ") + row()
    lay(tmp_path, {TRAIN: text.replace("\n", "\r\n"), "vid/utterance_1.mp4": ""})
    (video,), left_out = find_videos(tmp_path)
    assert left_out == []
    np.testing.assert_array_equal(labels_of(video).values, np.float32([[-0.5, 0.25]]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(utterance="utterance_9.mp4"), "line 3: must have one clip <video>/<utterance>.mp4 of the split"),
        (row(arousal=-0.1), "line 3, `arousal`: must be from 0 to 1. Received: -0.1"),
        (row(arousal=1.1), "line 3, `arousal`: must be from 0 to 1"),
        (row(valence=-1.1), "line 3, `valence`: must be from -1 to 1"),
        (row(valence="high"), "line 3, `valence`: must be one number. Received: 'high'"),
        (row(vote=7), "line 3, `EmotionMaxVote`: must be from 0 to 6"),
        (row(vote=1.5), "line 3, `EmotionMaxVote`: must be a whole number"),
        (row(utterance="utterance_0.mp4"), "line 3: a clip must have one row"),
        ("a,b,c\n", "line 3: must have 8 cells"),
    ],
)  # fmt: skip
def test_a_bad_row_is_left_out_with_file_and_line(tmp_path, bad, says):
    lay(tmp_path, {
        TRAIN: HEADER + row(utterance="utterance_0.mp4") + bad,
        "vid/utterance_0.mp4": "", "vid/utterance_1.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["vid_utterance_0"]
    assert len(left_out) == 1
    assert says in left_out[0].reason
    assert TRAIN in left_out[0].reason


def test_a_table_without_a_column_and_a_folder_without_a_table_are_errors(tmp_path):
    with pytest.raises(UserError, match=r"layout omg needs omg_TrainVideos\.csv"):
        find_videos(tmp_path)
    lay(tmp_path, {TRAIN: "video,utterance,valence\na,b,0\n"})
    with pytest.raises(UserError, match="must name each column once, among them video, utterance, arousal"):
        find_videos(tmp_path)
