"""The layout aff_wild: which videos it finds, and what it leaves out with which reason."""

import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.aff_wild import find_videos


@pytest.fixture
def dataset(tmp_path):
    """Makes files by path: videos empty, annotations of one line."""

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


def test_hidden_files_and_other_files_are_passed_over(dataset):
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
def test_no_video_is_an_error_that_tells_the_layout(dataset, paths):
    with pytest.raises(UserError, match=r"no videos.*videos/<split>/<name>\.mp4.*train, validation, test"):
        find_videos(dataset(*paths))


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="nowhere: no videos"):
        find_videos(tmp_path / "nowhere")
