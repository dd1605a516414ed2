"""The record's description: the mirrored landmarks, and what the writer accepts."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.records import schema
from tfrecords_tools.records.reader import decode
from tfrecords_tools.records.writer import VideoRecords, encode


def test_mirroring_twice_gives_every_landmark_back():
    mirrored = np.array(schema.MIRRORED)
    assert sorted(mirrored) == list(range(68))
    np.testing.assert_array_equal(mirrored[mirrored], np.arange(68))


def test_points_on_the_middle_line_are_their_own_mirror_images():
    assert [i for i in range(68) if schema.MIRRORED[i] == i] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_landmarks_of_a_mirrored_photograph_are_the_mirrored_landmarks():
    image = skimage.data.astronaut()
    flipped = np.ascontiguousarray(image[:, ::-1])
    detector, predictor = FaceDetector(), LandmarkPredictor(find_model())

    def landmarks(photograph):
        (box,) = detector.detect(photograph)
        return predictor.predict(photograph, box), box.right - box.left

    original, width = landmarks(image)
    expected = original[list(schema.MIRRORED)]
    expected[:, 0] = image.shape[1] - 1 - expected[:, 0]
    distance = np.linalg.norm(landmarks(flipped)[0] - expected, axis=1) / width
    # Neighbouring points of an eye lie about 0.05 of the face's width apart, so an exchange would show.
    assert np.median(distance) < 0.02
    assert distance[17:].max() < 0.05
    assert distance.max() < 0.1


def record(**changes):
    fields = {
        "video": "näme", "subject": "someone", "frame": 7, "timestamp": 0.2, "face": b"\xff\xd8", "box": (1, 2, 3.5, 4),
        "landmarks": np.random.default_rng(0).random((68, 2)), "label": (0.5, np.nan),
    }  # fmt: skip
    return {**fields, **changes}


def test_a_record_comes_back_as_it_was_written():
    read, problem = decode(encode(record()))
    assert problem is None
    assert read["video"].decode() == "näme"
    assert (read["subject"], read["frame"], read["face"]) == (b"someone", 7, b"\xff\xd8")
    np.testing.assert_array_equal(read["landmarks"], record()["landmarks"].astype(np.float32))
    np.testing.assert_array_equal(read["label"], np.float32([0.5, np.nan]))
    np.testing.assert_array_equal(read["box"], np.float32([1, 2, 3.5, 4]))
    for name, field in schema.FIELDS.items():
        if field.dtype != "bytes":
            assert read[name].dtype == field.dtype
            assert read[name].shape == field.shape


def test_a_file_of_another_size_than_what_was_written_is_an_error(tmp_path):
    def write():
        with VideoRecords(tmp_path / "v.records") as records:
            records.write(record())
            records.record_bytes.append(100)  # as if a record had not reached the disk

    with pytest.raises(UserError, match=r"v\.records: \d+ of \d+ bytes were written\. Is the disk full\?"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_landmarks_are_written_point_by_point():
    example = tf.train.Example.FromString(encode(record()))
    values = example.features.feature["landmarks"].float_list.value
    np.testing.assert_allclose(values[:4], record()["landmarks"][:2].ravel(), rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"landmarks": np.zeros((2, 68))}, {"label": 0.5}, {"label": (0, 0, 0)}, {"box": (1, 2, 3)}, {"frame": [1, 2]}],
)
def test_a_field_of_another_shape_is_not_written(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"Field {name} must have shape"):
        encode(record(**changes))


def test_exactly_the_fields_of_the_schema_are_written():
    with pytest.raises(ValueError, match="must have the fields"):
        encode(record(mood="happy"))
    without = record()
    del without["label"]
    with pytest.raises(ValueError, match="must have the fields"):
        encode(without)


def test_decoding_names_the_field_that_is_wrong():
    example = tf.train.Example.FromString(encode(record()))
    del example.features.feature["landmarks"].float_list.value[-1]
    _, problem = decode(example.SerializeToString())
    assert problem == "field landmarks must have 136 values of float32, it has 135"
    del example.features.feature["landmarks"]
    assert decode(example.SerializeToString())[1] == "field landmarks must have 136 values of float32, it has 0"
    assert decode(b"\x0anonsense")[1] == "not a tf.train.Example"
