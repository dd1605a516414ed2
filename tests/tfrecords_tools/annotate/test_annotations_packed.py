"""What raters annotate in the browser is what `pack --layout=thesis` reads, frame by frame."""

import numpy as np
import pytest

from tests.helpers.annotated_clips import annotate
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.layouts.thesis import find_videos
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.records.reader import read_columns


def curve(time):
    return 0.8 * np.sin(3 * time)


@pytest.fixture
def annotated(sample_clips, tmp_path):
    """A folder with one clip of the sample, which a rater has annotated with `curve` in both dimensions."""
    clip = next((sample_clips / "videos" / "train").iterdir())
    folder = tmp_path / "source"
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / clip.name).write_bytes(clip.read_bytes())
    annotate(Catalogue(folder), "ann", clip.stem, curve)
    return folder


def test_packed_labels_are_the_curve_at_each_frames_own_time(annotated, tmp_path):
    options = PackOptions(landmark_model=find_model(), aligner=Aligner(32))
    packed = pack("thesis", annotated, tmp_path / "packed", options)
    found = read_columns(tmp_path / "packed", packed.videos[0], ["timestamp", "label"], packed.fields)
    times, labels = found["timestamp"].ravel(), found["label"]
    assert len(times) > 15
    # The rows are 60 a second: a row is at most 1/120 s away, and thousandths are rounded.
    np.testing.assert_allclose(labels, np.repeat(curve(times)[:, None], 2, axis=1), atol=0.8 * 3 / 120 + 0.001)


def test_a_flat_folder_is_annotated_where_it_is(sample_clips, tmp_path):
    clip = next((sample_clips / "videos" / "train").iterdir())
    (tmp_path / "test").mkdir()
    for path in (tmp_path / clip.name, tmp_path / "test" / "other.mp4"):
        path.write_bytes(clip.read_bytes())
    annotate(Catalogue(tmp_path), "ann", clip.stem, curve)
    assert (tmp_path / "annotations" / "ann" / "valence" / f"{clip.stem}.txt").is_file()
    assert {each.name for each in Catalogue(tmp_path).clips.values()} == {clip.stem, "other"}
    (video,), (left,) = find_videos(tmp_path)
    assert (video.video, video.split, video.path) == (clip.stem, "train", tmp_path / clip.name)
    assert (left.video, left.split) == ("other", "test")
    assert len(video.labels().values)
