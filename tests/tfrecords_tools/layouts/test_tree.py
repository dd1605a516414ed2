"""Folders as people have them: links, links in a circle, and what other programs leave there."""

import numpy as np

from tests.helpers.layout_trees import lay
from tfrecords_tools.layouts import LAYOUTS, tree

JUNK = {
    ".DS_Store": "x", "Thumbs.db": "x", ".ipynb_checkpoints/00001.pts": "x", "@eaDir/00001.jpg/thumb.jpg": "x",
    "desktop.ini": "x", "__MACOSX/._a.mp4": "x",
}  # fmt: skip
BOX = "version: 1\nn_points: 4\n{\n1 1\n9 1\n9 9\n1 9\n}\n"


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_linked_folders_are_those_of_the_dataset(tmp_path):
    elsewhere = lay(tmp_path / "elsewhere", {"part1/a.mp4": "", "a/1.pts": BOX, "a/2.pts": BOX})
    source = lay(tmp_path / "source", {
        "annotations/train/valence/a.txt": "0\n0\n", "annotations/train/arousal/a.txt": "0\n0\n",
    })  # fmt: skip
    link(source / "videos/train/part1", elsewhere / "part1")
    link(source / "bboxes/train/a", elsewhere / "a")
    (video,), left_out = LAYOUTS["aff_wild"].find_videos(source)
    assert left_out == []
    assert video.read_faces is not None  # or detected faces would take the place of the given ones
    assert sorted(video.read_faces().boxes) == [1, 2]


def test_linked_crops_are_used(tmp_path):
    lay(tmp_path / "elsewhere", {"00001.jpg": ""})
    source = lay(tmp_path / "source", {"annotations/VA_Set/Training_Set/a.txt": "valence,arousal\n0,0\n"})
    link(source / "cropped_aligned/a", tmp_path / "elsewhere")
    (video,), _ = LAYOUTS["aff_wild2"].find_videos(source)
    assert video.cropped


def test_links_in_a_circle_end(tmp_path):
    lay(tmp_path, {"one/a.mp4": "", "two/b.mp4": ""})
    link(tmp_path / "one/again", tmp_path)
    link(tmp_path / "one/self", tmp_path / "one")
    link(tmp_path / "two/other", tmp_path / "one")
    found = [str(path.relative_to(tmp_path)) for path in tree.files(tmp_path, (".mp4",))]
    assert found == ["one/a.mp4", "two/b.mp4", "two/other/a.mp4"]


def test_junk_and_links_to_nothing_cost_no_video(tmp_path):
    folder = tmp_path / "source/bboxes/train/a"
    source = lay(tmp_path / "source", {
        "videos/train/a.mp4": "", "annotations/train/valence/a.txt": "0\n", "annotations/train/arousal/a.txt": "0\n",
        "bboxes/train/a/1.pts": BOX,
    })  # fmt: skip
    for place in (folder, folder.parent, source / "videos/train", source / "annotations/train/valence"):
        lay(place, JUNK)
    link(folder / "2.pts", tmp_path / "gone")
    link(source / "videos/train/gone.mp4", tmp_path / "gone")
    (video,), left_out = LAYOUTS["aff_wild"].find_videos(source)
    assert left_out == []
    assert sorted(video.read_faces().boxes) == [1]


def test_an_empty_row_is_a_row_where_rows_count_frames(tmp_path):
    lay(tmp_path, {
        "annotations/VA_Set/Training_Set/a.txt": "valence,arousal\n0.1,0.2\n\n,\n0.3,\n0.5,0.6\n\n",
        "videos/a.mp4": "",
    })  # fmt: skip
    (video,), _ = LAYOUTS["aff_wild2"].find_videos(tmp_path)
    labels = video.read_labels().values
    nothing = [np.nan, np.nan]
    np.testing.assert_allclose(labels, [[0.1, 0.2], nothing, nothing, nothing, [0.5, 0.6]], rtol=1e-6)


def test_an_empty_line_of_aff_wild_is_a_frame_without_a_label(tmp_path):
    lay(tmp_path, {
        "videos/train/a.mp4": "", "annotations/train/valence/a.txt": "0.25\n\n0.5\n",
        "annotations/train/arousal/a.txt": "-0.25\n0\n-0.5\n",
    })  # fmt: skip
    (video,), _ = LAYOUTS["aff_wild"].find_videos(tmp_path)
    labels = video.read_labels().values
    np.testing.assert_array_equal(labels, [[0.25, -0.25], [np.nan, 0], [0.5, -0.5]])
