"""The layout thesis_records: what the thesis's program wrote, written here with plain `tf.train.Example`s."""

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, labels_of, lay
from tests.helpers.thesis_records import crop, record, write
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.layouts.labels import match
from tfrecords_tools.layouts.thesis_records import find_videos
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.records.reader import read_records


def test_frames_labels_and_splits_are_those_of_the_records(tmp_path):
    numbers = [2, 3, 7, 60]
    write(tmp_path / "validate/52-30-p1.tfrecords", map(record, numbers))
    write(tmp_path / "a.tfrecord", [record(1, "a")])
    (first, second), left_out = find_videos(tmp_path)
    assert left_out == []
    assert (first.video, first.split, first.subject) == ("52-30-p1", "validation", "52-30")
    assert (second.video, second.split, second.fps, second.cropped) == ("a", "train", 30, True)
    labels = match(labels_of(first), numbers, [0.0] * 4)
    assert_codes(labels.values, numbers)
    assert np.isnan(labels_of(first).values[0]).all()
    frames = list(first.frames())
    assert [frame.number for frame in frames] == numbers
    assert [frame.timestamp for frame in frames] == pytest.approx([1 / 30, 2 / 30, 6 / 30, 59 / 30])
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((96, 96, 3), np.uint8)
        np.testing.assert_array_equal(frame.image, crop(frame.number))


def test_a_packed_record_has_the_crop_and_its_label(tmp_path):
    write(tmp_path / "raw/test/v.tfrecords", [record(number, "v", valence=-1000) for number in (5, 6)])
    packed = pack("thesis_records", tmp_path / "raw", tmp_path / "packed", PackOptions(find_model(), Aligner(96)))
    (entry,) = packed.videos
    assert (entry.split, entry.frames, entry.fps, entry.width, entry.container) == ("test", 2, 30, 96, "tfrecords")
    found = read_records(tmp_path / "packed", entry)
    assert [int(one["frame"]) for one in found] == [5, 6]
    np.testing.assert_allclose([one["label"] for one in found], [[-1, -0.005], [-1, -0.006]], atol=1e-6)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([record(1), record(2, "other")], "record 2: a file must hold one video, here 52-30-p1. Received: other"),
        ([record(2), record(2)], "record 2: frame numbers must rise. Received: 2 after 2"),
        ([record(1, name="v/first")], "record 1, `frameNo`: must be <video>/<number from 1>. Received: 'v/first'"),
        ([record(1, name="v/0")], "record 1, `frameNo`: must be <video>/<number from 1>"),
        ([record(1, valence=1001)], "record 1, `valence`: must be from -1000 to 1000. Received: 1001"),
        ([record(1, without=("arousal",))], "record 1: must have one value in `arousal`. Received: 0"),
        ([b"no example"], "record 1: must be a tf.train.Example"),
        ([], "must hold a record for each frame. Received: none"),
    ],
)
def test_what_cannot_be_is_named_by_file_and_record(tmp_path, records, says):
    write(tmp_path / "v.tfrecords", records)
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError) as error:
        labels_of(video)
    assert str(error.value).startswith(f"{tmp_path / 'v.tfrecords'}")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((96, 96, 3), np.uint8), "must be 96x96x3 numbers of 4 bytes, 110592 bytes. Received: 27648"),
        (np.full((96, 96, 3), 256, np.float32), "must have pixels from 0 to 255"),
        (np.full((96, 96, 3), np.nan, np.float32), "must have pixels from 0 to 255"),
    ],
)
def test_pixels_that_cannot_be_are_named(tmp_path, pixels, says):
    write(tmp_path / "v.tfrecords", [record(1, pixels=pixels)])
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match=f"record 1, `frame`: {says}"):
        list(video.frames())


def test_a_damaged_file_is_one_line(tmp_path):
    write(tmp_path / "v.tfrecords", [record(1), record(2)])
    data = bytearray((tmp_path / "v.tfrecords").read_bytes())
    data[-200] ^= 1
    (tmp_path / "v.tfrecords").write_bytes(bytes(data))
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match=r"v\.tfrecords, record 2: cannot be read"):
        labels_of(video)


def test_two_files_of_one_name_are_left_out_and_no_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match="layout thesis_records needs"):
        find_videos(tmp_path)
    lay(tmp_path, {"train/v.tfrecords": "", "test/v.tfrecords": ""})
    videos, (left,) = find_videos(tmp_path)
    assert videos == []
    assert "a name must belong to one" in left.reason
