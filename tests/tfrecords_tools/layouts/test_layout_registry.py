"""Every layout: its error for a folder that is not its dataset, and what its sources promise to the packer."""

import contextlib
import pickle
import tempfile
from pathlib import Path

import pytest
import tensorflow as tf

from tests.helpers.layout_trees import lay
from tests.tfrecords_tools.layouts.test_layout_thesis_records import record
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.records.schema import SPLITS


def thesis_record():
    """A file with one record of the thesis, framed as TFRecord files are, with checksums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tfrecords"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(record(1, "a"))
        return path.read_bytes()


# The smallest tree of each layout.
TREES = {
    "aff_wild": {
        "videos/train/a.mp4": "", "annotations/train/valence/a.txt": "0\n", "annotations/train/arousal/a.txt": "0\n",
    },
    "aff_wild2": {"videos/a.mp4": "", "annotations/VA_Set/Training_Set/a.txt": "valence,arousal\n0,0\n"},
    "afew": {"Train/Angry/1.avi": ""},
    "afew_va": {"01/001/001.json": '{"frames": {"00000": {"valence": 0, "arousal": 0}}}', "01/001/00000.png": ""},
    "csv": {"mine.csv": "video,valence,arousal\na.mp4,0,0\n", "a.mp4": ""},
    "omg": {
        "omg_TrainVideos.csv": "video,utterance,arousal,valence,EmotionMaxVote\na,utterance_1.mp4,0,0,0\n",
        "a/utterance_1.mp4": "",
    },
    "recola": {"valence/P16.csv": "time,gold\n0,0\n", "arousal/P16.csv": "time,gold\n0,0\n", "P16.mp4": ""},
    "recola_46": {"valence/P15.csv": "time,gold\n0,0\n", "arousal/P15.csv": "time,gold\n0,0\n", "P15.mp4": ""},
    "thesis_records": {"train/a.tfrecords": thesis_record()},
    "thesis": {"videos/a.mp4": "", "annotations/a.txt": "1 0 0\n"},
}  # fmt: skip


def test_every_layout_has_a_tree_here():
    assert set(TREES) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sources_are_whole_and_go_to_other_processes(tmp_path, layout):
    videos, left_out = LAYOUTS[layout].find_videos(lay(tmp_path, TREES[layout]))
    assert left_out == []
    assert len(videos) == 1
    source = pickle.loads(pickle.dumps(videos[0]))
    assert source.split in SPLITS
    assert source.subject
    assert source.path.exists()
    assert (source.fps is None) == (source.path.is_file() and source.frames is None)
    labels = source.read_labels()
    assert labels.values.shape[1:] == (2,)
    assert labels.values.dtype == "float32"
    assert source.expression == (labels.expression is not None)
    assert bool(source.annotators) == (labels.annotators is not None)
    if source.read_faces:
        assert set(source.read_faces().landmarks) <= set(source.read_faces().boxes)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_the_dataset_is_one_clear_line(tmp_path, layout, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as error:
        LAYOUTS[layout].find_videos(tmp_path / folder)
    assert "\n" not in str(error.value)
    assert str(tmp_path / folder) in str(error.value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("other", LAYOUTS)
def test_another_dataset_is_an_error_or_left_out_but_never_a_traceback(tmp_path, layout, other):
    lay(tmp_path, TREES[other])
    videos = []
    with contextlib.suppress(UserError):
        videos, _ = LAYOUTS[layout].find_videos(tmp_path)
    assert videos or layout != other
    for video in videos:
        with contextlib.suppress(UserError):
            video.read_labels()
