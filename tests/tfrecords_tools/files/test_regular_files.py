"""A pipe, a device or a socket in the place of a file is one line, and no command waits for it."""

import os
import shutil
import socket

import pytest

from affwildnet.runs import card, checkpoint_files, checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.json_files import append_line, read_json, read_lines
from affwildnet.runs.workdir import Workdir
from tests.faults.mutations import alarm
from tests.helpers.trainings import plain_model
from tfrecords_tools.annotate import traces
from tfrecords_tools.annotate.drafts import Draft
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular, sha256_of, tables
from tfrecords_tools.records import manifest
from tfrecords_tools.records.verify import verify
from tfrecords_tools.study import partition_file
from tfrecords_tools.video import browser_copy
from tfrecords_tools.video.images import read_image
from tfrecords_tools.video.reading import read_frames

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")

READERS = {
    "x.txt": tables.read_text,
    "x.csv": lambda path: tables.read_rows(path, ("video",)),
    "manifest.json": lambda path: manifest.load(path.parent),
    "folds.json": partition_file.load,
    "x.json": read_json,
    "metrics.jsonl": read_lines,
    "training.jsonl": lambda path: append_line(path, {"step": 1}),
    "experiment.json": lambda path: Workdir(path.parent).open(),
    "x.keras": card.read,
    "step-00000010.keras": checkpoints.load,
    "step-00000020.keras": checkpoint_files.check_archive,
    "trace.txt": traces.read,
    "draft.jsonl": Draft.open,
    "00001.png": read_image,
    "x.mp4": lambda path: next(iter(read_frames(path))),
    "x.avi": browser_copy.facts,
    "weights.bin": sha256_of,
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with alarm(5), pytest.raises(UserError, match=f"(?s)^{tmp_path}.*must be a file") as raised:
        READERS[name](tmp_path / name)
    assert "\n" not in str(raised.value)


def test_each_kind_is_named_and_files_folders_and_nothing_pass(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        assert regular(path) == path
    (tmp_path / "file").touch()
    regular(tmp_path / "file")
    (tmp_path / "link").symlink_to("/dev/zero")  # which never ends
    with pytest.raises(UserError, match="Received: a device"):
        tables.read_text(tmp_path / "link")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s"))
        with pytest.raises(UserError, match="Received: a socket"):
            read_json(tmp_path / "s")


def test_a_pipe_in_the_place_of_records_is_a_problem_that_verify_names(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "corpus")
    entry = manifest.load(tmp_path / "corpus").videos[0]
    (tmp_path / "corpus" / entry.file).unlink()
    os.mkfifo(tmp_path / "corpus" / entry.file)
    with alarm(60):
        problems = verify(tmp_path / "corpus", workers=1)
    assert len(problems) == 1
    assert entry.file in problems[0]


def test_a_resumed_run_passes_over_a_checkpoint_that_is_a_pipe(tmp_path, shown):
    checkpoints.save(plain_model(seed=1), TrainingState(1, 0, 0, 0), tmp_path, 5)
    os.mkfifo(checkpoints.path_of(tmp_path, 2))
    with alarm(30):
        assert checkpoints.resume(tmp_path)[1].step == 1
    assert "step-00000002.keras: must be a file" in shown()
