"""Files of records that were written to since packing are found where that can be seen cheaply."""

import os
import shutil

import pytest
import tensorflow as tf

from affwildnet.runs import record_files
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tests.helpers.trainings import tiny
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest

HOUR = 3600


@pytest.fixture
def corpus(tiny_folder, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(tiny_folder, folder)
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    return folder


@pytest.fixture
def path(corpus):
    """The file of the first training video."""
    return corpus / manifest.load(corpus).split("train")[0].file


def negate_labels(path):
    """Write the records again with negated labels and valid checksums, in as many bytes."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    size = path.stat().st_size
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            example = tf.train.Example.FromString(record)
            values = example.features.feature["label"].float_list.value
            values[:] = [-value for value in values]
            writer.write(example.SerializeToString(deterministic=True))
    assert path.stat().st_size == size


def check(corpus, known=None):
    return record_files.check(corpus, manifest.load(corpus).split("train"), known)


def test_labels_that_were_rewritten_are_found(corpus, path):
    before = check(corpus)
    negate_labels(path)
    for known in (None, before):
        with pytest.raises(UserError, match=r"must be as it was packed\. Received: other contents\."):
            check(corpus, known)


def test_a_file_with_a_known_time_is_found_whichever_way_its_time_went(corpus, path):
    before = check(corpus)
    negate_labels(path)
    os.utime(path, (1e9 - HOUR, 1e9 - HOUR))
    check(corpus)  # older than the manifest, and never looked at: it is taken for what was packed
    with pytest.raises(UserError, match="other contents"):
        check(corpus, before)


def test_a_copy_with_other_times_is_compared_and_is_the_same(corpus, caplog):
    caplog.set_level("INFO", logger="affwildnet")
    before = check(corpus)
    for entry in manifest.load(corpus).videos:
        os.utime(corpus / entry.file, (1e9 + HOUR, 1e9 + HOUR))
    assert check(corpus).keys() == before.keys()
    assert "2 files written to since packing; comparing the contents" in caplog.text
    assert check(corpus, check(corpus)) != before


def test_a_file_of_another_size_is_found(corpus, path):
    path.write_bytes(path.read_bytes()[:-1])
    os.utime(path, (1e9, 1e9))
    with pytest.raises(UserError, match=r"must be as it was packed\. Received: .* bytes in place of "):
        check(corpus)


def test_a_run_does_not_go_on_with_rewritten_labels(corpus, path, tmp_path):
    workdir = Workdir(tmp_path / "run")
    assert train(Run(tiny(steps=1), corpus), workdir) == 0
    negate_labels(path)
    os.utime(path, (1e9 - HOUR, 1e9 - HOUR))
    with pytest.raises(UserError, match="other contents"):
        train(Run(tiny(steps=2), corpus), workdir)
