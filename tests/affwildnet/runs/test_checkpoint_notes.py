"""A checkpoint that was copied under another one's name is not taken for it; those of earlier versions still open."""

import json
import os
import shutil
import zipfile

import pytest

from affwildnet.runs import best, checkpoint_files, checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.workdir import Workdir
from affwildnet.training import weight_copies
from tests.helpers.trainings import plain_model
from tfrecords_tools.errors import UserError


@pytest.fixture
def saved(tmp_path):
    """Checkpoints of two steps with different weights; the folder that they are in."""
    for step in (10, 20):
        checkpoints.save(plain_model(seed=step), TrainingState(step, 0, 0, 0), tmp_path, 5)
    return tmp_path


def copied(folder, *suffixes):
    """Copy files of step 10 to the names of step 20; return the path of that checkpoint."""
    for suffix in suffixes:
        shutil.copy(folder / f"step-00000010{suffix}", folder / f"step-00000020{suffix}")
    return folder / "step-00000020.keras"


def test_a_note_names_every_member_of_its_archive(saved):
    path = saved / "step-00000010.keras"
    noted = json.loads(path.with_suffix(".json").read_text())["contents"]
    with zipfile.ZipFile(path) as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    assert noted == {name: [len(each), zipfile.crc32(each)] for name, each in data.items()}
    assert "model.weights.h5" in noted


def test_an_archive_and_its_note_are_checked_by_opening_it_once(saved, monkeypatch):
    opened, open_archive = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: opened.append(path) or open_archive(path))
    checkpoint_files.check_archive(saved / "step-00000010.keras")
    assert opened == [saved / "step-00000010.keras"]


@pytest.mark.parametrize(
    ("suffixes", "received"),
    [
        ((".keras",), "other contents"),
        ((".json",), "one of step 10, under the name of step 20"),
        ((".keras", ".json"), "one of step 10, under the name of step 20"),
    ],
)
def test_a_copy_under_another_steps_name_is_refused(suffixes, received, saved, shown):
    path = copied(saved, *suffixes)
    for read in (
        checkpoints.load,
        lambda path: checkpoints.load_weights(plain_model(seed=1), path),
        checkpoint_files.check_archive,
        lambda path: weight_copies.load(path, "it"),
    ):
        with pytest.raises(UserError, match=f"^{path}: must be the checkpoint that .*Received: {received}"):
            read(path)
    assert checkpoints.resume(saved)[1].step == 10
    assert f"skipped: {path}: must be" in shown()


def test_a_note_of_an_earlier_version_says_less_and_the_file_still_opens(saved):
    path = copied(saved, ".keras")
    path.with_suffix(".json").write_text(json.dumps({"step": 20, "epoch": 0, "window": 0, "seed": 0}))
    checkpoints.load(path)
    path.with_suffix(".json").unlink()
    checkpoints.load(path)
    with pytest.raises(UserError, match=r"must have step-00000020\.json beside it"):
        checkpoint_files.check_note(path, needed=True)


def test_another_file_in_place_of_the_best_is_refused(saved, tmp_path):
    workdir = Workdir(tmp_path / "run")
    for step in (10, 20):
        held = best.hold(saved / f"step-000000{step}.keras", workdir)
        best.keep(held, {"step": step, "ranking": {"mean": step / 100}}, [], workdir, ["mean"])
    path = best.find(workdir, "best_mean")
    checkpoints.load(path)
    os.unlink(path)  # it has two names
    shutil.copy(saved / "step-00000010.keras", path)
    with pytest.raises(UserError, match=r"must be the checkpoint that best_mean\.json was written for"):
        checkpoints.load(path)
