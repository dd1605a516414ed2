"""The layout aff_wild2: headers, -5, persons on the left and on the right, crops with gaps, names of videos."""

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, by_frame, code, frames_seen, labels_of, lay, numbered_images
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.aff_wild2 import find_videos
from tfrecords_tools.packing.labelling import check_fits

OLD, NEW = "annotations/VA_Set", "annotations/VA_Estimation_Challenge"


def rows(count, start=1):
    return "valence,arousal\n" + "".join(f"{code(n)},{code(n, -1)}\n" for n in range(start, start + count))


@pytest.mark.parametrize(
    ("train", "validation"),
    [(f"{OLD}/Training_Set", f"{OLD}/Validation_Set"), (f"{NEW}/Train_Set", f"{NEW}/Validation_Set")],
)
def test_both_releases_give_the_videos_of_both_splits(tmp_path, train, validation):
    lay(tmp_path, {
        f"{train}/2-30-640x360.txt": rows(3), f"{train}/1-30-640x360.txt": rows(3), f"{validation}/3.txt": rows(3),
        "videos/batch1/1-30-640x360.mp4": "", "videos/2-30-640x360.avi": "", "videos/3-25.0-640x360.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    assert [(video.split, video.video, video.path.name) for video in videos] == [
        ("train", "1-30-640x360", "1-30-640x360.mp4"),
        ("train", "2-30-640x360", "2-30-640x360.avi"),
        ("validation", "3", "3-25.0-640x360.mp4"),
    ]
    assert {(video.which, video.cropped, video.fps, video.subject == video.video) for video in videos} == {
        ("longest", False, None, True)
    }


def test_the_row_under_the_header_is_frame_one_and_image_one(tmp_path):
    lay(tmp_path, {
        f"{NEW}/Train_Set/7-60-640x360.txt": rows(40),
        **numbered_images("cropped_aligned/7-60-640x360", 1, 40, without={1, 2, 9, 17, 40}),
    })  # fmt: skip
    (video,), left_out = find_videos(tmp_path)
    assert (video.cropped, video.fps, video.first, left_out) == (True, 60, 1, [])
    seen = frames_seen(video)
    assert len(seen) == 35
    labels = by_frame(video, 40, 60)
    assert_codes([labels.values[frame - 1] for frame in seen], list(seen.values()))


def test_minus_five_in_either_column_is_a_missing_label(tmp_path):
    text = "valence,arousal\n0.1,0.2\n-5,0.3\n0.4,-5.0\n-5,-5\n-1,1\n"
    lay(tmp_path, {f"{OLD}/Training_Set/a.txt": text, "videos/a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    missing = [np.nan, np.nan]
    np.testing.assert_array_equal(labels_of(video).values, np.float32([[0.1, 0.2], missing, missing, missing, [-1, 1]]))


def test_two_annotated_persons_are_two_videos_of_one_file(tmp_path):
    lay(tmp_path, {
        f"{NEW}/Train_Set/5_left.txt": rows(2), f"{NEW}/Train_Set/5_right.txt": rows(2, start=100),
        "videos/5-30-640x360.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert left_out == []
    assert [(video.video, video.which, video.path.name) for video in videos] == [
        ("5_left", "left", "5-30-640x360.mp4"),
        ("5_right", "right", "5-30-640x360.mp4"),
    ]
    assert_codes(labels_of(videos[0]).values, [1, 2])
    assert_codes(labels_of(videos[1]).values, [100, 101])


def test_crops_of_a_person_need_no_choice_of_a_face(tmp_path):
    lay(tmp_path, {
        f"{NEW}/Train_Set/5_left.txt": rows(2), f"{NEW}/Train_Set/5.txt": rows(2),
        "videos/5.mp4": "", "cropped_aligned/5_left/00002.jpg": "2",
    })  # fmt: skip
    videos, _ = find_videos(tmp_path)
    assert [(video.video, video.which, video.path.name, video.fps) for video in videos] == [
        ("5", "longest", "5.mp4", None),
        ("5_left", "longest", "5_left", 30),
    ]


def test_a_video_that_is_itself_called_left_is_not_another_one(tmp_path):
    lay(tmp_path, {f"{NEW}/Train_Set/turn_left.txt": rows(1), "videos/turn_left.mp4": "", "videos/turn.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert (video.path.name, video.which) == ("turn_left.mp4", "longest")


def test_a_number_does_not_find_the_video_of_a_longer_number(tmp_path):
    lay(tmp_path, {f"{NEW}/Train_Set/1.txt": rows(1), "videos/10-30-640x360.mp4": "", "videos/1-30-1x1.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    assert video.path.name == "1-30-1x1.mp4"


def test_counts_that_differ_by_one_fit_and_crops_may_be_missing_at_the_end(tmp_path):
    lay(tmp_path, {
        f"{NEW}/Train_Set/a.txt": rows(10), f"{NEW}/Train_Set/b.txt": rows(10),
        "videos/a.mp4": "", "cropped_aligned/b/00001.jpg": "",
    })  # fmt: skip
    (video, crops), _ = find_videos(tmp_path)
    labels = labels_of(video)
    for last in (9, 10, 11):
        check_fits(labels, last, 1, video)
    for last in (8, 12):
        with pytest.raises(UserError, match=r"a\.mp4: the annotation is 2 frames"):
            check_fits(labels, last, 1, video)
    check_fits(labels, 3, 1, crops)
    with pytest.raises(UserError, match="2 frames shorter"):
        check_fits(labels, 12, 1, crops)


def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path):
    lay(tmp_path, {
        f"{NEW}/Train_Set/good.txt": rows(1), "videos/good.mp4": "", "videos/unannotated.mp4": "",
        f"{NEW}/Train_Set/lost.txt": rows(1), f"{NEW}/Train_Set/lost_left.txt": rows(1),
        f"{NEW}/Train_Set/both.txt": rows(1), f"{NEW}/Validation_Set/both.txt": rows(1), "videos/both.mp4": "",
        f"{OLD}/Training_Set/again.txt": rows(1), f"{NEW}/Train_Set/again.txt": rows(1), "videos/again.mp4": "",
        f"{NEW}/Train_Set/unclear.txt": rows(1),
        "videos/unclear-30-8x8.mp4": "", "videos/unclear-25-8x8.mp4": "",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["good"]
    reasons = {(left.split, left.video): left.reason for left in left_out}
    assert set(reasons) == {
        ("train", "lost"), ("train", "lost_left"), ("train", "both"), ("validation", "both"), ("train", "again"),
        ("train", "unclear"),
    }  # fmt: skip
    assert "neither crops nor a video" in reasons["train", "lost"]
    assert "one split" in reasons["validation", "both"]
    assert "VA_Set" in reasons["train", "again"]
    assert "VA_Estimation" in reasons["train", "again"]
    assert "unclear-30-8x8.mp4" in reasons["train", "unclear"]
    assert "unclear-25-8x8.mp4" in reasons["train", "unclear"]


@pytest.mark.parametrize("text", ["\ufeffvalence,arousal\r\n0.5,-0.5\r\n", "valence, arousal \n 0.5 , -0.5 \n\n"])
def test_byte_order_mark_line_ends_and_spaces_do_not_matter(tmp_path, text):
    lay(tmp_path, {f"{OLD}/Training_Set/a.txt": text, "videos/a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    np.testing.assert_array_equal(labels_of(video).values, np.float32([[0.5, -0.5]]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("valence,arousal\n0.1,0.2\n0.1,1.2\n", r"a\.txt, line 3, `arousal`: must be from -1 to 1\. Received: 1\.2"),
        ("valence,arousal\n0.1,x\n", r"a\.txt, line 2, `arousal`: must be one number"),
        ("valence,arousal\n0.1\n", r"a\.txt, line 2: must have 2 cells .*Received: 1"),
        ("valence,arousal\n0.1,0.2,0.3\n", r"a\.txt, line 2: must have 2 cells .*Received: 3"),
        ("arousal,valence\n0.1,0.9\n", None),
        ("0.1,0.2\n0.1,0.2\n", r"a\.txt: the first line must name each column once, among them valence, arousal"),
        ("valence,arousal\n", r"a\.txt: must hold rows below its header"),
        ("", r"a\.txt: must hold a table\. Received: an empty file"),
        (b"\xff\xfe\x00", r"a\.txt: must be a readable text file"),
    ],
)
def test_bad_values_are_named_by_file_and_line(tmp_path, text, says):
    lay(tmp_path, {f"{OLD}/Training_Set/a.txt": text, "videos/a.mp4": ""})
    (video,), _ = find_videos(tmp_path)
    if says is None:  # columns go by their names
        np.testing.assert_array_equal(labels_of(video).values, np.float32([[0.9, 0.1]]))
    else:
        with pytest.raises(UserError, match=says):
            labels_of(video)


def test_no_annotation_is_an_error_that_describes_the_layout(tmp_path):
    lay(tmp_path, {"videos/a.mp4": "", "annotations/EXPR_Set/Training_Set/a.txt": "neutral\n"})
    with pytest.raises(UserError, match="layout aff_wild2 needs annotations/VA_Set"):
        find_videos(tmp_path)
