"""The layout aff_wild: the videos that it finds, and what it leaves out for which reason."""

import shutil

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, by_frame, code, faces_of, labels_of, lay
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.aff_wild import find_videos
from tfrecords_tools.packing.labelling import check_fits


@pytest.fixture
def dataset(tmp_path):
    """Make files by path: videos empty, annotations of one line."""

    def make(*paths):
        for name in paths:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("0.5\n" if path.suffix == ".txt" else "")
        return tmp_path

    return make


def annotated(split, video, folder=""):
    return [f"annotations/{split}/{folder}{name}/{video}.txt" for name in ("valence", "arousal")]


def test_splits_are_found_in_order_and_sorted(dataset):
    source = dataset(
        *("videos/test/9.mp4", "videos/train/b.mp4", "videos/train/a.avi", "videos/validation/c.mp4"),
        *annotated("train", "a"), *annotated("train", "b"), *annotated("validation", "c"), *annotated("test", "9"),
    )  # fmt: skip
    videos, left_out = find_videos(source)
    assert [(video.split, video.video) for video in videos] == [
        ("train", "a"), ("train", "b"), ("validation", "c"), ("test", "9"),
    ]  # fmt: skip
    assert [video.path for video in videos][:2] == [source / "videos/train/a.avi", source / "videos/train/b.mp4"]
    assert left_out == []


def test_valence_comes_first(dataset):
    source = dataset("videos/train/a.mp4", *annotated("train", "a"))
    (video,), _ = find_videos(source)
    (source / "annotations/train/valence/a.txt").write_text("0.1\n0.2\n")
    (source / "annotations/train/arousal/a.txt").write_text("-0.1\n-0.2\n")
    np.testing.assert_array_equal(video.read_labels().values, np.float32([[0.1, -0.1], [0.2, -0.2]]))


def test_folders_that_unpack_into_themselves_are_searched(dataset):
    source = dataset("videos/train/train/a.mp4", *annotated("train", "a", folder="train/"))
    (video,), left_out = find_videos(source)
    assert (video.video, video.split, left_out) == ("a", "train", [])
    assert video.read_labels().values.shape == (1, 2)


@pytest.mark.parametrize("suffix", [".MP4", ".Avi", ".mkv"])
def test_suffixes_count_in_any_case(dataset, suffix):
    videos, _ = find_videos(dataset(f"videos/train/a{suffix}", *annotated("train", "a")))
    assert [video.path.name for video in videos] == [f"a{suffix}"]


def test_a_video_without_annotation_fails_where_its_labels_are_read(dataset):
    source = dataset("videos/train/a.mp4", "videos/train/b.mp4", annotated("train", "a")[0], *annotated("train", "b"))
    videos, left_out = find_videos(source)
    assert left_out == []
    with pytest.raises(UserError, match=r"arousal/a\.txt: no annotation"):
        videos[0].read_labels()
    assert videos[1].read_labels().values.shape == (1, 2)


def test_an_annotation_without_video_is_left_out(dataset):
    source = dataset("videos/train/a.mp4", *annotated("train", "a"), *annotated("train", "lost"))
    videos, left_out = find_videos(source)
    assert [video.video for video in videos] == ["a"]
    assert [(left.video, left.split) for left in left_out] == [("lost", "train")]
    assert "no video" in left_out[0].reason


def test_a_second_video_of_a_name_is_left_out(dataset):
    source = dataset("videos/train/a.avi", "videos/train/a.mp4", *annotated("train", "a"))
    videos, left_out = find_videos(source)
    assert [video.path.name for video in videos] == ["a.avi"]
    assert [(left.video, left.split) for left in left_out] == [("a", "train")]
    assert "a.mp4" in left_out[0].reason


def test_the_same_name_in_two_splits_is_two_videos(dataset):
    source = dataset("videos/train/a.mp4", "videos/test/a.mp4", *annotated("train", "a"), *annotated("test", "a"))
    videos, left_out = find_videos(source)
    assert [(video.split, video.video) for video in videos] == [("train", "a"), ("test", "a")]
    assert left_out == []


def test_hidden_files_and_other_files_are_skipped(dataset):
    source = dataset(
        *("videos/train/a.mp4", "videos/train/._a.mp4", "videos/train/.b.mp4", "videos/train/readme.txt"),
        *annotated("train", "a"), *annotated("train", "._a"),
        "annotations/train/valence/notes.md",
    )  # fmt: skip
    (source / "videos/train/folder.mp4").mkdir()
    videos, left_out = find_videos(source)
    assert [video.video for video in videos] == ["a"]
    assert left_out == []


@pytest.mark.parametrize("paths", [(), ("videos/holiday/a.mp4",), ("a.mp4",), ("annotations/train/valence/a.txt",)])
def test_no_video_is_an_error_that_describes_the_layout(dataset, paths):
    with pytest.raises(UserError, match=r"no videos.*videos/<split>/<name>\.mp4.*train, validation, test"):
        find_videos(dataset(*paths))


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="nowhere: no videos"):
        find_videos(tmp_path / "nowhere")


def test_line_i_is_frame_i_whatever_the_rate(tmp_path):
    lay(tmp_path, {
        "videos/train/a.mp4": "",
        "annotations/train/valence/a.txt": "\ufeff" + "".join(f"{code(n)}\r\n" for n in range(1, 301)),
        "annotations/train/arousal/a.txt": "".join(f"{code(n, -1)}\n" for n in range(1, 301)),
    })  # fmt: skip
    (video,), _ = find_videos(tmp_path)
    for fps in (30, 29.97, 12.5):
        labels = by_frame(video, 301, fps)
        assert_codes(labels.values[:300], range(1, 301))
        assert np.isnan(labels.values[300]).all()


def test_an_annotation_in_two_folders_is_left_out_and_both_are_named(dataset):
    source = dataset(
        *("videos/train/a.mp4", "videos/train/b.mp4"), *annotated("train", "b"),
        *annotated("train", "a"), *annotated("train", "a", folder="train/"),
    )  # fmt: skip
    videos, left_out = find_videos(source)
    assert [video.video for video in videos] == ["b"]
    assert [(left.video, left.split) for left in left_out] == [("a", "train")]
    assert "annotations/train/train/arousal/a.txt" in left_out[0].reason
    assert "annotations/train/arousal/a.txt" in left_out[0].reason


def test_test_videos_without_any_annotation_have_no_labels(dataset):
    source = dataset("videos/test/a.mp4", "videos/train/b.mp4", *annotated("train", "b"))
    videos, left_out = find_videos(source)
    assert [video.split for video in videos] == ["train", "test"]
    assert left_out == []
    labels = labels_of(videos[1])
    assert labels.values.shape == (0, 2)
    assert np.isnan(by_frame(videos[1], 5, 30).values).all()
    check_fits(labels, 1000, 1, videos[1])


@pytest.mark.parametrize(
    ("split", "present"), [("train", ()), ("validation", ()), ("test", ("annotations/test/x.md",))]
)
def test_only_a_test_split_without_its_folder_may_lack_labels(dataset, split, present):
    (video,), _ = find_videos(dataset(f"videos/{split}/a.mp4", *present))
    with pytest.raises(UserError, match=r"valence/a\.txt: no annotation"):
        video.read_labels()


def points(rows):
    lines = "".join(f"{x} {y}\n" for x, y in rows)
    return f"version: 1\nn_points:  {len(rows)}\n{{\n{lines}}}\n"


def corners(frame):
    """Four corners, not in order; the box of frame k is from (k, 2 k) on, 50 wide and 60 high, pixels from 1."""
    x, y = frame + 1, 2 * frame + 1
    return points([(x + 50, y), (x, y + 60), (x + 50, y + 60), (x, y)])


def outline(frame):
    """68 points within the box of `corners`, the nose's tip (landmark 30) at (k + 20, 2 k + 30)."""
    return points(
        [(frame + 1 + (i - 10) % 50, 2 * frame + 1 + i) if i < 60 else (frame + 5, 2 * frame + 5) for i in range(68)]
    )


def faces(part, frames, make, folder="train"):
    return {f"{part}/{folder}/a/{frame}.pts": make(frame) for frame in frames}


@pytest.fixture
def ten_frames(dataset):
    source = dataset("videos/train/a.mp4", *annotated("train", "a"))
    for path in (source / "annotations/train").rglob("*.txt"):
        path.write_text("0\n" * 10)
    return source


def faces_found(source):
    (video,), left_out = find_videos(source)
    assert left_out == []
    return video, faces_of(video)


@pytest.mark.parametrize("folder", ["train", "train/train", "train/a"])
def test_boxes_and_landmarks_are_those_of_the_frame_in_their_name(ten_frames, folder):
    lay(
        ten_frames, faces("bboxes", (1, 2, 9, 10), corners, folder) | faces("landmarks", (1, 2, 9, 10), outline, folder)
    )
    video, found = faces_found(ten_frames)
    assert video.which == "annotated"
    assert sorted(found.boxes) == sorted(found.landmarks) == [1, 2, 9, 10]
    for frame, box in found.boxes.items():
        assert (box.left, box.top, box.right, box.bottom) == (frame, 2 * frame, frame + 50, 2 * frame + 60)
        assert found.landmarks[frame].shape == (68, 2)
        np.testing.assert_array_equal(found.landmarks[frame][30], [frame + 20, 2 * frame + 30])


def test_a_frame_needs_both_files_and_those_beyond_the_labels_are_not_used(ten_frames):
    lay(ten_frames, faces("bboxes", (1, 3, 4, 10, 11, 12), corners) | faces("landmarks", (1, 2, 4, 10, 11), outline))
    _, found = faces_found(ten_frames)
    assert sorted(found.boxes) == sorted(found.landmarks) == [1, 4, 10]


def test_boxes_alone_and_landmarks_alone(ten_frames):
    lay(ten_frames, faces("bboxes", (2, 5), corners))
    _, found = faces_found(ten_frames)
    assert (sorted(found.boxes), found.landmarks) == ([2, 5], {})
    shutil.rmtree(ten_frames / "bboxes")
    lay(ten_frames, faces("landmarks", (3,), outline))
    _, found = faces_found(ten_frames)
    box = found.boxes[3]
    assert (box.left, box.top, box.right, box.bottom) == (3, 6, 3 + 49, 6 + 59)
    assert list(found.landmarks) == [3]


def test_a_video_without_a_folder_of_faces_is_left_to_detection_and_an_empty_one_has_none(ten_frames):
    lay(ten_frames, {"bboxes/train/b/1.pts": corners(1)})
    (video,), _ = find_videos(ten_frames)
    assert (video.read_faces, video.which) == (None, "longest")
    (ten_frames / "bboxes/train/a").mkdir()
    _, found = faces_found(ten_frames)
    assert found.boxes == {}


def test_faces_of_unlabelled_test_videos_are_all_used(tmp_path):
    lay(tmp_path, {"videos/test/a.mp4": "", **faces("bboxes", (1, 5000), corners, "test")})
    _, found = faces_found(tmp_path)
    assert sorted(found.boxes) == [1, 5000]


def test_faces_in_two_folders_are_left_out(ten_frames):
    lay(ten_frames, faces("bboxes", (1,), corners) | faces("bboxes", (1,), corners, "train/again"))
    with pytest.raises(UserError, match="no videos"):
        find_videos(ten_frames)
    lay(ten_frames, {"videos/train/b.mp4": ""})
    videos, left_out = find_videos(ten_frames)
    assert [video.video for video in videos] == ["b"]
    assert "bboxes/train/again/a" in left_out[0].reason


@pytest.mark.parametrize(
    "content",
    [
        points([(1, 1)] * 3), points([(1, 1)] * 68), points([(1, 1)] * 4).replace("4", "5"), "", "{", "{\n1 1\n}",
        points([(1, 1)] * 4).replace("1 1\n}", "1\n}"), points([("x", 1)] * 4), points([("nan", 1)] * 4), b"\xff\xfe",
        points([(1, 1), (2, "1e39"), (3, 3), (4, 4)]), points([(1, 1), (2, 1e9), (3, 3), (4, 4)]),
        points([("1_0", 1)] * 4), points([("\uff11", 1)] * 4), points([("1\x0c1", 1)] * 4),
        points([(1, "1\u2028")] * 4),
    ],
)  # fmt: skip
def test_bad_points_are_named_by_file(ten_frames, content):
    lay(ten_frames, {"bboxes/train/a/7.pts": content})
    (video,), _ = find_videos(ten_frames)
    with pytest.raises(UserError, match=r"bboxes/train/a/7\.pts: ") as error:
        faces_of(video)
    assert "\n" not in str(error.value)
