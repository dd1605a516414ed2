"""The table of who is seen: two persons in one video, parts of one, trims; through the layout thesis."""

import pytest

from tests.helpers.layout_trees import lay, numbered_images
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.thesis import find_videos

ROWS = "1 100 -100\n2 200 -200\n"
HEADER = "video,subject,gender,which,start,end\n"


def dataset(folder, names, table=None, annotated=None):
    files = {f"videos/{name}.mp4": "" for name in names}
    files |= {f"annotations/{name}.txt": ROWS for name in annotated or names}
    return lay(folder, files | ({} if table is None else {"videos.csv": table}))


def test_two_persons_in_a_video_are_two_entries_with_a_side_each(tmp_path):
    table = HEADER + "duo,ben,male,left,,\nduo,cleo,Female,right,1.5,9\nsolo,,other,,,\n"
    source = dataset(tmp_path, ["duo", "solo"], table, ["duo_left", "duo_right", "solo"])
    videos, left_out = find_videos(source)
    assert left_out == []
    assert [(v.video, v.subject, v.gender, v.which, v.start, v.end) for v in videos] == [
        ("duo_left", "ben", "male", "left", None, None),
        ("duo_right", "cleo", "female", "right", 1.5, 9.0),
        ("solo", "solo", "other", "longest", None, None),
    ]
    assert [video.path.name for video in videos] == ["duo.mp4", "duo.mp4", "solo.mp4"]


def test_parts_of_a_video_are_one_person(tmp_path):
    names = ["52-30-1280x720-p1", "52-30-1280x720-p2", "60-30"]
    videos, _ = find_videos(dataset(tmp_path, names))
    assert [video.subject for video in videos] == ["52-30-1280x720", "52-30-1280x720", "60-30"]
    table = "video,subject\n52-30-1280x720-p2,dora\n"
    videos, _ = find_videos(dataset(tmp_path, names, table))
    assert [video.subject for video in videos] == ["52-30-1280x720", "dora", "60-30"]


def test_parts_with_two_persons_are_one_person_a_side(tmp_path):
    table = "video,which\n7-p1,left\n7-p1,right\n7-p2,right\n7-p2,left\n"
    sides = ("7-p1_left", "7-p1_right", "7-p2_left", "7-p2_right")
    videos, left_out = find_videos(dataset(tmp_path, ["7-p1", "7-p2"], table, sides))
    assert left_out == []
    assert {video.video: video.subject for video in videos} == {
        "7-p1_left": "7_left", "7-p1_right": "7_right", "7-p2_left": "7_left", "7-p2_right": "7_right",
    }  # fmt: skip


def test_crops_have_notes_too(tmp_path):
    lay(tmp_path, numbered_images("faces/a", 1, 2))
    lay(tmp_path, {"annotations/a.txt": ROWS, "videos.csv": "video,gender\na,male\n"})
    (video,), _ = find_videos(tmp_path)
    assert (video.gender, video.cropped) == ("male", True)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,,,left,,\na,,,left,,\n", "line 3: a must have one line, or one with `which` left and one with right"),
        ("a,,,,,\na,,,left,,\n", "line 3: a must have one line"),
        ("a,,girl,,,\n", "line 2, `gender`: must be one of female, male, other. Received: girl"),
        ("a,,,middle,,\n", "line 2, `which`: must be one of left, right, longest"),
        ("a,,,,5,5\n", "line 2: `start` must lie before `end`. Received: 5 and 5 seconds"),
        ("a,,,,,-1\n", "line 2, `end`: must be from 0"),
        ("a,,,,soon,\n", "line 2, `start`: must be one number. Received: 'soon'"),
        ("gone,,,,,\n", "line 2: there is no video or folder of crops of the name gone"),
    ],
)
def test_a_line_that_cannot_be_leaves_its_video_out_with_file_and_line(tmp_path, rows, says):
    videos, left_out = find_videos(dataset(tmp_path, ["a", "b"], HEADER + rows))
    assert [video.video for video in videos] == (["a", "b"] if rows.startswith("gone") else ["b"])
    assert any(str(tmp_path / "videos.csv") in left.reason and says in left.reason for left in left_out)


def test_a_column_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"videos\.csv: a column must be one of video, subject, .*Received: sex"):
        find_videos(dataset(tmp_path, ["a"], "video,sex\na,male\n"))


def test_names_that_a_spreadsheet_would_compute_are_read_without_the_apostrophe(tmp_path):
    table = "video,subject\n'=1+1,'@ben\n"
    videos, left_out = find_videos(dataset(tmp_path, ["=1+1"], table))
    assert left_out == []
    assert [(video.video, video.subject) for video in videos] == [("=1+1", "@ben")]
