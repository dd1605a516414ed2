"""A packed corpus as a notebook opens it."""

import numpy as np
import pytest

from tests.helpers.corpora import face_of, identity_of, label_of, landmarks_of, make_corpus, replace_in_records
from tests.helpers.raters import make_rated_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import open_corpus, read_columns, read_labels, read_records
from tfrecords_tools.records.verify import verify
from tfrecords_tools.study import agreement_report, inspection, partition_file, partition_report
from tfrecords_tools.study.partition import equal_folds
from tfrecords_tools.study.stats import statistics

VIDEOS = [
    {"frames": [2, 3, 7], "subject": "anna"},
    {"frames": 2, "split": "test", "classes": [0, 6]},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    make_corpus(folder, [{**video, "classes": video.get("classes", [1, -1, 2])} for video in VIDEOS])
    return folder


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_records_come_with_their_faces_decoded(folder, kind):
    corpus = open_corpus(kind(folder))
    (video,) = corpus.videos("train")
    records = list(corpus.records(video))
    assert [(record["video"], record["subject"], int(record["frame"])) for record in records] == [
        ("v0", "anna", 2), ("v0", "anna", 3), ("v0", "anna", 7),
    ]  # fmt: skip
    for record, expression in zip(records, (1, -1, 2), strict=True):
        number = int(record["frame"])
        assert record["face"].shape == (32, 32, 3)
        assert record["face"].dtype == np.uint8
        assert identity_of(record["face"]) == (0, number)
        assert np.abs(record["face"].astype(int) - face_of(0, number)).mean() < 25  # RGB: channels are not exchanged
        np.testing.assert_allclose(record["label"], label_of(0, number), rtol=1e-6)
        np.testing.assert_array_equal(record["landmarks"], landmarks_of(0, number))
        assert record["expression"] == expression


def test_functions_take_paths_as_text(folder, tmp_path):
    packed = manifest.load(str(folder))
    video = packed.videos[0]
    assert [int(record["frame"]) for record in read_records(str(folder), video, [1])] == [3]
    np.testing.assert_array_equal(read_columns(str(folder), video, ["frame"])["frame"], [2, 3, 7])
    assert len(read_labels(str(folder), packed, packed.videos)) == 2
    assert verify(str(folder)) == []
    assert statistics(str(folder))["splits"]["all"]["frames"] == 5
    assert inspection.table(str(folder)) == inspection.table(folder)
    assert agreement_report.report(str(folder))["annotators"] == []
    found = partition_report.partition(str(folder), equal_folds(2))
    partition_file.save(found, str(tmp_path / "partition.json"))
    assert partition_file.load(str(tmp_path / "partition.json")) == found["videos"]


def test_records_are_chosen_by_index_and_read_one_at_a_time(folder):
    corpus = open_corpus(folder)
    (video,) = corpus.videos("train")
    assert [int(record["frame"]) for record in corpus.records(video, [2, 0])] == [7, 2]
    assert int(next(corpus.records(video))["frame"]) == 2
    np.testing.assert_array_equal(corpus.columns(video, ["frame"])["frame"], [2, 3, 7])


def test_videos_are_those_of_a_split(folder):
    corpus = open_corpus(folder)
    assert corpus.manifest == manifest.load(folder)
    assert [video.video for video in corpus.videos()] == ["v0", "v1"]
    assert [video.video for video in corpus.videos("test")] == ["v1"]
    with pytest.raises(UserError, match=r"The split must hold videos\. Received: validation"):
        corpus.videos("validation")
    with pytest.raises(UserError, match=r"`split` must be one of .*\. Received: tests\. Did you mean test"):
        corpus.videos("tests")


def test_annotators_are_among_the_fields(tmp_path):
    ratings = np.random.default_rng(0).uniform(-1, 1, (1, 3, 2, 2)).astype(np.float32)
    make_rated_corpus(tmp_path, ratings, ("anna", "ben"))
    corpus = open_corpus(tmp_path)
    (video,) = corpus.videos()
    np.testing.assert_array_equal([record["annotators"] for record in corpus.records(video)], ratings[0])


def test_what_is_no_corpus_and_a_face_that_is_no_image_are_errors(folder, tmp_path):
    with pytest.raises(UserError, match="not a packed corpus"):
        open_corpus(tmp_path)
    make_corpus(tmp_path, [{"frames": 2}])
    corpus = open_corpus(tmp_path)
    (video,) = corpus.videos()
    path = tmp_path / video.file
    replace_in_records(path, b"\xff\xd8\xff", b"\x00\x00\x00")
    with pytest.raises(UserError, match="record 1: the face is no image"):
        list(corpus.records(video))


def test_frame_numbers_are_those_of_the_records(folder):
    first, second = open_corpus(folder).videos()
    assert first.frame_numbers.dtype == np.int64
    assert (first.frame_numbers.tolist(), second.frame_numbers.tolist()) == ([2, 3, 7], [1, 2])
    assert first.labelled_frame_numbers.tolist() == [2, 3, 7]
