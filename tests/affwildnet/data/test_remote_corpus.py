"""A packed corpus in a bucket is read as one on this computer: tried on TensorFlow's file system in memory."""

import uuid
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.data import Corpus, evaluation_batches, training_batches
from affwildnet.evaluation.reporting import plots
from affwildnet.evaluation.scored_run import evaluate
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tests.helpers.trainings import TINY, tiny
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import open_corpus
from tfrecords_tools.records.verify import verify


@pytest.fixture
def remote(tiny_folder):
    """The URL of a copy of the tiny corpus."""
    url = f"ram://{uuid.uuid4()}/corpus"
    tf.io.gfile.makedirs(url)
    for path in tiny_folder.iterdir():
        tf.io.gfile.copy(str(path), f"{url}/{path.name}")
    return url


def test_manifest_index_and_records_are_those_of_the_original(tiny_folder, remote):
    ours, theirs = open_corpus(tiny_folder), open_corpus(remote)
    assert theirs.manifest == ours.manifest
    for own, other in zip(ours.manifest.videos, theirs.manifest.videos, strict=True):
        assert own.index.tobytes() == other.index.tobytes()
    video = ours.manifest.videos[0]
    for own, other in zip(ours.records(video, [0, 7]), theirs.records(video, [0, 7]), strict=True):
        np.testing.assert_array_equal(own["face"], other["face"])


@pytest.mark.parametrize("batches", [training_batches, evaluation_batches])
def test_batches_are_those_of_the_original(tiny_folder, remote, batches):
    config = TINY.training if batches is training_batches else TINY.evaluation
    ours, theirs = (batches(Corpus.open(folder, "train"), config) for folder in (tiny_folder, remote))
    for own, other in islice(zip(ours, theirs, strict=True), 5):
        for name, value in own.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.slow
def test_a_run_is_trained_and_scored_as_on_the_original(tiny_folder, remote, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "_drawings", lambda *_: {})
    scores = []
    for name, folder in (("ours", tiny_folder), ("theirs", remote)):
        train(Run(tiny(steps=2, checkpoint_steps=2), folder), Workdir(tmp_path / name))
        scores.append(evaluate(tmp_path / name, checkpoint="latest", resamples=0).scored.scores)
    assert str(Workdir(tmp_path / "theirs").open().data_dir) == remote
    assert scores[0] == scores[1]


def test_commands_describe_it_and_write_nothing_there(tiny_folder, remote, tmp_path, capsys):
    before = sorted(tf.io.gfile.listdir(remote))
    for command in ("inspect", "stats", "verify"):
        printed = []
        for folder in (tiny_folder, remote):
            if folder == tiny_folder and command != "verify":
                where = [f"--sheet={tmp_path}/a.png"] if command == "inspect" else [f"--output={tmp_path}"]
            else:
                where = []
            assert cli.main([command, str(folder), *where]) == 0
            lines = capsys.readouterr().out.splitlines()
            printed.append([line for line in lines if not line.startswith(("wrote", "contact sheet", "no plots"))])
            if folder == remote and command != "verify":
                assert f"no plots: {remote} may not be written to" in "\n".join(lines)
        assert [line.replace(str(tiny_folder), remote) for line in printed[0]] == printed[1]
    assert cli.main(["verify", remote, "--upgrade"]) == 2
    assert "must be on this computer" in capsys.readouterr().err
    assert sorted(tf.io.gfile.listdir(remote)) == before


def test_damage_is_named(tiny_folder, remote):
    entry = manifest.load(remote).videos[0]
    path = f"{remote}/{entry.file}"
    data = bytearray((tiny_folder / entry.file).read_bytes())
    data[entry.offsets[3] + 400] ^= 4
    tf.io.gfile.remove(path)  # there, a file that is written again keeps what it held
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(bytes(data))
    problems = verify(remote)
    assert f"{entry.file} (train, v0): record 4: corrupt or cut off; nothing after it can be read" in problems
    tf.io.gfile.remove(path)
    assert verify(remote) == [f"{entry.file} (train, v0): the file is missing"]
    with pytest.raises(UserError, match=f"{path}: missing. Pack the corpus again"):
        Corpus.open(remote, "train")


def test_what_is_no_corpus_is_said():
    with pytest.raises(UserError, match="ram://nothing/here: not a packed corpus"):
        manifest.load("ram://nothing/here")
    with pytest.raises(UserError, match=r"must be on this computer.* Received: gs://bucket/run"):
        Workdir("gs://bucket/run")
