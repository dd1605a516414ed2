"""Disks that are full or cannot be written: one line, nothing half-written, and the same command goes on later."""

import os
import shutil
import subprocess

import pytest

from tests.faults import scene

ROOM = "64m"


@pytest.fixture
def disk(tmp_path):
    """Return a function that sets how many KiB are free on a disk of its own: a tmpfs, or `None` for 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", place], capture_output=True
        ).returncode
    ):
        pytest.skip("needs root, and the right to mount a file system")

    def leave(kibibytes=None, options="rw"):
        used = sum(path.lstat().st_blocks * 512 for path in place.rglob("*")) // 1024
        size = ROOM if kibibytes is None else f"{used + kibibytes}k"
        subprocess.run(["mount", "-o", f"remount,{options},size={size}", place], check=True)

    leave.place = place
    yield leave
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="module")
def run(commands, tmp_path_factory):
    """A corpus and a run whose checkpoints are scored."""
    folder = tmp_path_factory.mktemp("run")
    scene.make_corpus(folder / "corpus")
    ended = commands.run("train", *scene.train_arguments(folder / "corpus", folder / "run"))
    assert ended.status == 0, ended.errors
    ended = commands.run("evaluate", f"--workdir={folder / 'run'}", "--watch")
    assert ended.status == 0, ended.errors
    return folder


def assert_said(ended, output):
    """Assert that a command has failed with one line, and has left nothing half-written."""
    ended.assert_one_line()
    scene.assert_no_half_file(output)


@pytest.mark.slow
@pytest.mark.parametrize("free", [8, 28, 44])
def test_packing(free, commands, disk, tmp_path):
    dataset = scene.make_dataset(tmp_path / "dataset")
    assert commands.run("tools", *scene.pack_arguments(dataset, tmp_path / "whole")).status == 0
    output = disk.place / "packed"
    disk(free)
    assert_said(commands.run("tools", *scene.pack_arguments(dataset, output)), disk.place)
    disk()
    again = commands.run("tools", *scene.pack_arguments(dataset, output))
    assert again.status == 0, again.errors
    assert scene.bytes_of(output) == scene.bytes_of(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("free", [12, 36])
def test_packing_again(free, commands, disk, tmp_path):
    old, new = (scene.make_dataset(tmp_path / f"clips {gain}", gain=gain) for gain in (1, -1))
    output = disk.place / "packed"
    assert commands.run("tools", *scene.pack_arguments(old, output)).status == 0
    scene.add_notes(output)
    before = scene.bytes_of(output)
    disk(free)
    assert_said(commands.run("tools", *scene.pack_arguments(new, output, "--overwrite")), disk.place)
    assert scene.bytes_of(output) == before
    scene.assert_corpus(output)
    scene.assert_notes(output)


@pytest.mark.slow
@pytest.mark.parametrize("free", [4, 60, 160])
def test_training(free, commands, disk, run):
    workdir = disk.place / "run"
    arguments = scene.train_arguments(run / "corpus", workdir)
    disk(free)
    assert_said(commands.run("train", *arguments), disk.place)
    disk()
    again = commands.run("train", *arguments)
    assert again.status == 0, again.errors
    names = [f"checkpoints/step-0000000{step}.keras" for step in (2, 4, 6)]
    for name in names:
        scene.assert_same_weights(workdir / name, run / "run" / name)


@pytest.mark.slow
def test_watching(commands, disk, run):
    workdir = disk.place / "run"
    shutil.copytree(run / "run", workdir)
    for path in (workdir / "metrics.jsonl", workdir / "best"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    disk(0)
    assert_said(commands.run("evaluate", f"--workdir={workdir}", "--watch", seconds=60), disk.place)
    disk()
    again = commands.run("evaluate", f"--workdir={workdir}", "--watch")
    assert again.status == 0, again.errors
    assert scene.scores_of(workdir) == scene.scores_of(run / "run")


@pytest.mark.slow
def test_evaluating(commands, disk, run):
    workdir = disk.place / "run"
    shutil.copytree(run / "run", workdir)
    disk(40)
    assert_said(commands.run("evaluate", f"--workdir={workdir}", "--resamples=40"), disk.place)
    assert not list(workdir.glob("report-*.json"))


@pytest.mark.slow
def test_predicting(commands, disk, run, sample_clips):
    (clip,) = (sample_clips / "videos/test").iterdir()
    output = disk.place / "predicted"
    output.mkdir()
    disk(4)
    arguments = [clip, f"--model={run / 'run'}", f"--output={output}", "--seconds=0.2"]
    assert_said(commands.run("predict", *arguments), disk.place)


@pytest.mark.slow
@pytest.mark.parametrize("free", [8, 72])
def test_exporting(free, commands, disk, run):
    output = disk.place / "exported"
    disk(free)
    assert_said(commands.run("export", f"--model={run / 'run'}", f"--output={output}"), disk.place)
    assert not (output / "saved_model/saved_model.pb").exists()


@pytest.mark.slow
def test_what_cannot_be_written_is_said_in_one_line(commands, disk, run, tmp_path):
    dataset = scene.make_dataset(tmp_path / "dataset")
    shutil.copytree(run / "run", disk.place / "run")
    assert commands.run("tools", *scene.pack_arguments(dataset, disk.place / "packed")).status == 0
    before = {path: path.read_bytes() for path in disk.place.rglob("*") if path.is_file()}
    disk(options="ro")
    workdir = disk.place / "run"
    cases = {
        "pack": ("tools", *scene.pack_arguments(dataset, disk.place / "new")),
        "pack again": ("tools", *scene.pack_arguments(dataset, disk.place / "packed", "--overwrite")),
        "train": ("train", *scene.train_arguments(run / "corpus", workdir)),
        "train anew": ("train", *scene.train_arguments(run / "corpus", disk.place / "new")),
        "watch": ("evaluate", f"--workdir={workdir}", "--watch"),
        "evaluate": ("evaluate", f"--workdir={workdir}", "--resamples=40"),
        "export": ("export", f"--model={workdir}", f"--output={disk.place / 'exported'}"),
    }
    failed = {}
    for name, arguments in cases.items():
        ended = commands.run(*arguments, seconds=60)
        try:
            ended.assert_one_line()
        except AssertionError as error:
            failed[name] = str(error)[:600]
    assert not failed, failed
    for name in ("stats", "inspect"):  # what they print needs no file
        assert commands.run("tools", name, disk.place / "packed").status == 0
    assert {path: path.read_bytes() for path in disk.place.rglob("*") if path.is_file()} == before
