"""The layout csv: your own tables by frame, by time or with one row per video, and lists of images."""

import re

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, by_frame, code, frames_seen, labels_of, lay, numbered_images
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.csv_tables import find_videos
from tfrecords_tools.packing.labelling import check_fits
from tfrecords_tools.records import schema


def by_number(name, frames):
    return "".join(f"{name},{frame},{code(frame)},{code(frame, -1)}\n" for frame in frames)


def test_rows_by_frame_in_any_order(tmp_path):
    frames = [7, 3, 4, 12]
    lay(tmp_path, {"mine.csv": "video,frame,valence,arousal\n" + by_number("clips/a.mp4", frames), "clips/a.mp4": ""})
    (video,), left_out = find_videos(tmp_path)
    assert (video.video, video.split, video.subject, video.path) == ("a", "train", "a", tmp_path / "clips/a.mp4")
    assert (video.cropped, video.fps, video.which, video.start, video.end) == (False, None, "longest", None, None)
    assert left_out == []
    values = by_frame(video, 20, 25).values
    assert (~np.isnan(values).any(1)).nonzero()[0].tolist() == [2, 3, 6, 11]
    assert_codes(values[[frame - 1 for frame in frames]], frames)
    check_fits(labels_of(video), 20, 1, video)
    with pytest.raises(UserError, match="3 frames longer"):
        check_fits(labels_of(video), 9, 1, video)


def test_columns_go_by_their_names_and_the_source_may_be_the_table(tmp_path):
    text = "arousal,subject,split,valence,start,which,end,frame,video,expression\n"
    text += "0.5,ann,test,-0.25,1,left,2.5,1,a.mp4,anger\n0.5,ann,test,,1,left,2.5,2,a.mp4,\n"
    lay(tmp_path, {"labels.csv": text, "other.csv": "", "a.mp4": ""})
    (video,), left_out = find_videos(tmp_path / "labels.csv")
    assert left_out == []
    assert (video.video, video.split, video.subject, video.which) == ("a_left", "test", "ann", "left")
    assert (video.start, video.end, video.expression) == (1, 2.5, True)
    labels = labels_of(video)
    np.testing.assert_array_equal(labels.values, np.float32([[-0.25, 0.5], [np.nan, 0.5]]))
    assert labels.expression.tolist() == [schema.EXPRESSIONS.index("anger"), -1]


def test_rows_by_time_are_matched_by_the_nearest(tmp_path):
    rows = "".join(f"a.mp4,{(frame - 1) / 25:.2f},{code(frame)},{code(frame, -1)}\n" for frame in range(1, 51))
    lay(tmp_path, {"mine.csv": "video,time,valence,arousal\n" + rows, "a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert_codes(by_frame(video, 50, 25).values, range(1, 51))
    # at 50 frames a second each row is nearest to two frames, the earlier of two rows that are as near
    assert_codes(by_frame(video, 99, 50).values, [1 + k // 2 for k in range(99)])
    check_fits(labels_of(video), 99, 1, video)


def test_the_one_row_of_a_video_is_the_label_of_all_its_frames(tmp_path):
    lay(tmp_path, {"mine.csv": "video,valence,arousal\na.mp4,0.5,-1\nb.mp4,,0\n", "a.mp4": "", "b.mp4": ""})
    (first, second), _ = find_videos(tmp_path)
    np.testing.assert_array_equal(by_frame(first, 900, 30).values, np.tile(np.float32([0.5, -1]), (900, 1)))
    assert np.isnan(by_frame(second, 9, 30).values[:, 0]).all()


@pytest.mark.parametrize("first", [0, 1])
def test_a_folder_of_images_from_zero_or_one(tmp_path, first):
    table = "video,frame,valence,arousal,fps\n" + by_number("a", range(1, 6)).replace("\n", ",12.5\n")
    lay(tmp_path, {"mine.csv": table, **numbered_images("a", first, 5, ".png")})
    (video,), _ = find_videos(tmp_path)
    assert (video.first, video.fps, video.cropped) == (first, 12.5, False)
    seen = frames_seen(video)
    assert_codes(by_frame(video, 5, 12.5).values[[frame - 1 for frame in seen]], list(seen.values()))


def test_left_and_right_are_two_videos_of_one_file(tmp_path):
    rows = "a.mp4,1,0.1,0.1,left\na.mp4,1,0.2,0.2,right\n"
    lay(tmp_path, {"mine.csv": "video,frame,valence,arousal,which\n" + rows, "a.mp4": ""})
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    assert [(v.video, v.which, round(labels_of(v).values[0, 0].item(), 6)) for v in videos] == [
        ("a_left", "left", 0.1), ("a_right", "right", 0.2),
    ]  # fmt: skip


def test_tables_named_by_the_splits(tmp_path):
    row = "video,valence,arousal\n{}.mp4,0,0\n"
    lay(tmp_path, {f"{split}.csv": row.format(split[0]) for split in schema.SPLITS})
    videos, left_out = find_videos(lay(tmp_path, {f"{split[0]}.mp4": "" for split in schema.SPLITS}))
    assert [(video.split, video.video) for video in videos] == [("train", "t"), ("validation", "v"), ("test", "t")]
    assert left_out == []


def test_folders_distinguish_files_of_one_name_in_a_split(tmp_path):
    names = ["s1/x/clip.mp4", "s2/x/clip.mp4", "s2/y/clip.mp4", "solo.mp4"]
    rows = "".join(f"{name},0,0,train\n" for name in names) + "s3/clip.mp4,0,0,test\n"
    lay(tmp_path, {"mine.csv": "video,valence,arousal,split\n" + rows, **dict.fromkeys([*names, "s3/clip.mp4"], "")})
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["s1_x_clip", "s2_x_clip", "y_clip", "solo", "clip"]
    assert left_out == []


@pytest.mark.parametrize("header", ["", "image_location,valence,arousal\n", "\ufeffjpg_path,valence,arousal\r\n"])
@pytest.mark.parametrize("first", [0, 1])
def test_the_list_of_the_evaluation_code(tmp_path, header, first):
    images = {name: numbered_images(name, first, 30, without={4, 11}) for name in ("v1", "v2")}
    listed = [(path, frame) for files in images.values() for path, frame in files.items()]
    rows = "".join(f"{path},{code(int(frame))},{code(int(frame), -1)}\n" for path, frame in reversed(listed))
    lay(tmp_path, {"test.csv": header + rows, **images["v1"], **images["v2"]})
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    assert [(v.video, v.split, v.cropped, v.fps, v.first) for v in videos] == [
        ("v2", "test", True, 30, first), ("v1", "test", True, 30, first),
    ]  # fmt: skip
    for video in videos:
        seen = frames_seen(video)
        assert len(seen) == 28
        values = by_frame(video, 30, 30).values
        assert_codes(values[[frame - 1 for frame in seen]], list(seen.values()))
        assert np.isnan(values[[3, 10]]).all()


def test_what_cannot_be_used_is_left_out_with_file_and_line(tmp_path):
    lay(tmp_path, {
        "mine.csv": "video,frame,valence,arousal,subject,start,end,split\n"
        "good.mp4,1,0,0,x,,,\n"
        "gone.mp4,1,0,0,x,,,\n"
        "high.mp4,1,1.5,0,x,,,\n"
        "twice.mp4,1,0,0,x,,,\ntwice.mp4,1,0,0,x,,,\n"
        "whose.mp4,1,0,0,x,,,\nwhose.mp4,2,0,0,y,,,\n"
        "order.mp4,1,0,0,x,2,1,\n"
        "zero.mp4,0,0,0,x,,,\n"
        "empty,1,0,0,x,,,\n"
        ",1,0,0,x,,,\n"
        "split.mp4,1,0,0,x,,,part\n"
        "short.mp4,1\n"
        "huge.mp4,1e12,0,0,x,,,\n",
        **dict.fromkeys(("good.mp4", "high.mp4", "twice.mp4", "whose.mp4", "order.mp4", "zero.mp4"), ""),
        "huge.mp4": "", "empty/readme.txt": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["good"]
    reasons = {left.video: left.reason for left in left_out}
    expected = {
        "gone": r"line 3: the video .*gone\.mp4 must be a file, or a folder of images",
        "high": r"line 4, `valence`: must be from -1 to 1",
        "twice": r"line 6: each frame of a video must have one row",
        "whose": r"line 8, `subject`: must be the same",
        "order": r"line 9: `start` must lie before `end`",
        "zero": r"line 10, `frame`: must be from 1",
        "empty": r"line 11: the video .*empty must be",
        "line 12": r"line 12, `video`: must name a file",
        "line 13": r"line 13, `split`: must be one of train, validation, test, val, dev\. Received: part",
        "line 14": r"line 14: must have 8 cells",
        "huge": r"line 15, `frame`: must be from 1",
    }
    assert set(reasons) == set(expected)
    for name, says in expected.items():
        assert re.search(says, reasons[name])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.mp4,2,0,0,trian", "line 3, `split`: must be one of .* Received: trian"),
        ("a.mp4,2,0,0,train,x", "line 3: must have 5 cells .* Received: 6"),
    ],
)
def test_one_row_that_cannot_be_used_leaves_its_whole_video_out(tmp_path, row, says):
    table = f"video,frame,valence,arousal,split\na.mp4,1,0,0,train\n{row}\na.mp4,3,0,0,train\nb.mp4,1,0,0,test\n"
    videos, (left,) = find_videos(lay(tmp_path, {"mine.csv": table, "a.mp4": "", "b.mp4": ""}))
    assert [video.video for video in videos] == ["b"]
    assert (left.video, left.split) == ("a", "train")
    assert re.search(says, left.reason)


def test_names_that_no_folder_distinguishes(tmp_path):
    names = ["same.mp4", "same.avi", "a/b.mp4", "c/b.mp4", "a_b.mp4"]
    rows = "".join(f"{name},0,0\n" for name in names)
    lay(tmp_path, {"mine.csv": "video,valence,arousal\n" + rows, **dict.fromkeys(names, "")})
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["same.mp4", "same.avi", "a_b", "c_b"]
    assert [left.video for left in left_out] == ["a_b"]
    assert "line 6: another video of the split has the name a_b" in left_out[0].reason


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, r"must be a \.csv file, a folder with one.*Received: a folder with neither a \.csv nor a video"),
        ({"a.csv": "", "b.csv": ""}, r"Received: a\.csv, b\.csv"),
        ({"a.csv": ""}, r"a\.csv: must hold a table"),
        ({"a.csv": "video,valance,arousal\nx,0,0\n"}, "Received: valance. Did you mean valence?"),
        ({"a.csv": "video,valence\nx,0\n"}, "must have both columns, valence and arousal"),
        ({"a.csv": "video,frame,time,valence,arousal\nx,1,0,0,0\n"}, "must have the column frame or time"),
        (
            {"a.csv": "x.mp4,1,0.5,0.5\n"},
            "the first line must name the columns, which are video, valence",
        ),
        ({"a.csv": "path,arousal,valence\n"}, "the first line must name the columns"),
    ],
)
def test_a_table_without_its_columns_is_an_error(tmp_path, files, says):
    with pytest.raises(UserError, match=says):
        find_videos(lay(tmp_path, files))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("v/face_1.jpg,0,0", "line 2: an image must be named by its number"),
        ("v/00002.jpg,0,2", "line 2, `arousal`: must be from -1 to 1"),
        ("v/00001.png,0,0", "line 2: each frame of a video must have one row"),
        ("w/00001.jpg,0,0", "w must hold images named by number. Received: none"),
    ],
)
def test_bad_images_are_left_out_with_file_and_line(tmp_path, row, says):
    lay(tmp_path, {"a.csv": f"v/00001.jpg,0,0\n{row}\n", "v/00001.jpg": "1"})
    _, left_out = find_videos(tmp_path)
    assert len(left_out) == 1
    assert says in left_out[0].reason


def test_rows_of_a_video_without_frame_or_time_must_be_one(tmp_path):
    lay(tmp_path, {"a.csv": "video,valence,arousal\na.mp4,0,0\na.mp4,0,0\n", "a.mp4": ""})
    videos, left_out = find_videos(tmp_path)
    assert videos == []
    assert "line 3: a video with several rows must have a frame or a time" in left_out[0].reason


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_column_names_in_any_case_and_other_separators(separator, tmp_path):
    lines = ["Video,FRAME,Valence,Arousal,Split", "a.mp4,1,0.5,-1,Val", "a.mp4,2,.25,0,val"]
    lay(tmp_path, {"mine.csv": "\n".join(line.replace(",", separator) for line in lines) + "\n", "a.mp4": ""})
    (video,), left_out = find_videos(tmp_path)
    assert left_out == []
    assert video.split == "validation"
    np.testing.assert_array_equal(labels_of(video).values, [[0.5, -1], [0.25, 0]])


def test_a_comma_is_the_decimal_point_where_it_separates_nothing(tmp_path):
    lay(tmp_path, {"mine.csv": "video;time;valence;arousal\na,b.mp4;0,04;0,5;-,25\n", "a,b.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    labels = labels_of(video)
    np.testing.assert_allclose(labels.values, [[0.5, -0.25]])
    assert labels.times.tolist() == [0.04]


def test_tables_named_by_other_names_of_the_splits(tmp_path):
    rows = "video,valence,arousal\n{}.mp4,0,0\n"
    lay(tmp_path, {"Train.csv": rows.format("a"), "dev.CSV": rows.format("b"), "a.mp4": "", "b.mp4": ""})
    lay(tmp_path, {".ipynb_checkpoints/train-checkpoint.csv": "", "._train.csv": "junk"})
    assert [(video.video, video.split) for video in find_videos(tmp_path)[0]] == [("a", "train"), ("b", "validation")]
    lay(tmp_path, {"validation.csv": rows.format("b")})
    with pytest.raises(UserError, match=r"must be a \.csv file, a folder with one"):
        find_videos(tmp_path)


def test_raters_by_frame(tmp_path):
    rows = "a.mp4,1,ben,0.5,0\na.mp4,1,anna,0.1,0\na.mp4,2,anna,0.2,1\na.mp4,4,ben,-1,\n"
    lay(
        tmp_path,
        {"mine.csv": "video,frame,Rater,valence,arousal\n" + rows + "b.mp4,1,anna,0,0\n", "a.mp4": "", "b.mp4": ""},
    )
    (video, other), left_out = find_videos(tmp_path)
    assert left_out == []
    assert video.annotators == other.annotators == ("anna", "ben")
    labels, nan = labels_of(video), np.nan
    np.testing.assert_allclose(labels.annotators[:, 0], [[0.1, 0], [0.2, 1], [nan, nan], [nan, nan]])
    np.testing.assert_allclose(labels.annotators[:, 1], [[0.5, 0], [nan, nan], [nan, nan], [-1, nan]])
    np.testing.assert_allclose(labels.values, [[0.3, 0], [0.2, 1], [nan, nan], [-1, nan]], atol=1e-6)


def test_raters_by_time_have_each_their_nearest_row(tmp_path):
    rows = "a.mp4,0,anna,0.1,0\na.mp4,0.4,anna,0.3,0\na.mp4,0.1,ben,0.5,0\na.mp4,3,ben,0.7,0\n"
    lay(tmp_path, {"mine.csv": "video,time,rater,valence,arousal\n" + rows, "a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    labels = video.labels(max_hole=1.0)
    np.testing.assert_allclose(labels.times, [0, 0.1, 0.4, 3])
    np.testing.assert_allclose(labels.annotators[:, 0, 0], [0.1, 0.1, 0.3, np.nan])
    np.testing.assert_allclose(labels.annotators[:, 1, 0], [0.5, 0.5, 0.5, 0.7])


def test_raters_of_whole_videos(tmp_path):
    rows = "a.mp4,anna,0.1,0\na.mp4,ben,0.5,0\nb.mp4,ben,1,1\nc.mp4,ben,1,1\nc.mp4,ben,1,1\n"
    lay(tmp_path, {"mine.csv": "video,rater,valence,arousal\n" + rows, "a.mp4": "", "b.mp4": "", "c.mp4": ""})
    (video, other), (left,) = find_videos(tmp_path)
    np.testing.assert_allclose(by_frame(video, 3, 25).values, [[0.3, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(by_frame(other, 2, 25).annotators[:, 0], np.full((2, 2), np.nan))
    assert left.video == "c"
    assert "several rows of a video must have a frame or a time" in left.reason


def test_a_folder_of_videos_without_a_table_has_no_labels(tmp_path):
    lay(
        tmp_path,
        {"a.mp4": "", "part/b.MKV": "", "part/notes.txt": "", ".hidden.mp4": "", "one/c.avi": "", "two/c.avi": ""},
    )
    videos, left_out = find_videos(tmp_path)
    assert [(video.video, video.split, len(labels_of(video).values)) for video in videos] == [
        ("a", "test", 0), ("b", "test", 0),
    ]  # fmt: skip
    assert [left.video for left in left_out] == ["c"]
    check_fits(labels_of(videos[0]), 99, 1, videos[0])


def test_a_table_of_videos_alone_has_no_labels(tmp_path):
    lay(tmp_path, {"mine.csv": "video,split\na.mp4,dev\n", "a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert video.split == "validation"
    assert np.isnan(by_frame(video, 3, 25).values).all()


def test_times_in_milliseconds_are_named_as_such(tmp_path):
    lay(tmp_path, {"mine.csv": "video,time,valence,arousal\na.mp4,0,0,0\na.mp4,120000,0,0\n", "a.mp4": ""})
    _, (left,) = find_videos(tmp_path)
    assert re.search(r"line 3, `time`: must be seconds.*Received: 120000\. If these are milliseconds", left.reason)


def test_a_name_that_no_file_system_takes_costs_its_own_video_only(tmp_path):
    lay(tmp_path, {"mine.csv": f"video,valence,arousal\n{'a' * 300}.mp4,0,0\nb.mp4,0.5,0\n", "b.mp4": ""})
    (video,), (left,) = find_videos(tmp_path)
    assert video.video == "b"
    assert "line 2: the video" in left.reason


def test_a_rate_of_zero_is_refused_and_not_taken_for_the_usual_one(tmp_path):
    lay(tmp_path, {"mine.csv": "video,frame,valence,arousal,fps\na,1,0,0,0\n", **numbered_images("a", 1, 1)})
    videos, (left,) = find_videos(tmp_path)
    assert videos == []
    assert "line 2, `fps`: must be from 0.001" in left.reason
