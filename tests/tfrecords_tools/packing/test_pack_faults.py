"""Packing that is killed, run twice at once, or into a folder that holds other things: nothing is lost or mixed."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.helpers import text_videos
from tests.helpers.paths import ROOT
from tests.helpers.text_videos import LAYOUT, OPTIONS, write_records, write_source
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import exchange
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.pack import pack
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import LeftOut, VideoEntry
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.records.verify import verify

MINE = {"folds.json": "my folds", "notes.txt": "my notes", "sub/deep/more.txt": "more"}
# Packs with the text videos, in processes as well: they import this file again.
PACKER = """
import sys
from pathlib import Path
from tests.helpers import text_videos
from tfrecords_tools.crash_guard import guarded
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.pack import crashed_at_a_video, pack
jobs.pack_video = text_videos.write_records
if __name__ == "__main__":
    source, output, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    packing = lambda: pack(text_videos.LAYOUT, source, output, text_videos.OPTIONS, workers=workers) and 0
    sys.exit(guarded(packing, crashed_at_a_video(output)))
"""


@pytest.fixture(autouse=True)
def _text_videos(monkeypatch):
    monkeypatch.setattr(jobs, "pack_video", write_records)


@pytest.fixture
def corpus(tmp_path):
    """A corpus with the label 0.25, among a user's files; its source has the label -0.5 by now."""
    source = write_source(tmp_path / "source", "ab")
    pack(LAYOUT, source, tmp_path / "corpus", OPTIONS)
    add_mine(tmp_path / "corpus")
    write_source(source, "ab", -0.5)
    return tmp_path / "corpus"


def add_mine(folder):
    for name, text in MINE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def pack_again(folder):
    return pack(LAYOUT, folder.parent / "source", folder, OPTIONS, overwrite=True)


def label_in(folder):
    """The one label of a corpus, which must be whole and among the user's files."""
    assert verify(folder) == []
    for name, text in MINE.items():
        assert (folder / name).read_text() == text
    packed = manifest.load(folder)
    return {float(value) for labels in read_labels(folder, packed, packed.videos) for value in labels.ravel()}


def test_a_users_files_stay(corpus):
    pack_again(corpus)
    assert label_in(corpus) == {-0.5}
    assert not (corpus / exchange.FOLDER).exists()


def test_a_link_stays_and_its_target_is_used(corpus):
    corpus.rename(corpus.parent / "real")
    corpus.symlink_to("real")
    pack_again(corpus)
    assert corpus.is_symlink()
    assert label_in(corpus.parent / "real") == {-0.5}


def test_a_folder_that_cannot_be_renamed(corpus, monkeypatch):
    replace = os.replace

    def as_on_a_mount_point(source, target, **more):
        if os.path.realpath(corpus) in (os.path.realpath(source), os.path.realpath(target)):
            raise OSError(16, "Device or resource busy")
        return replace(source, target, **more)

    monkeypatch.setattr(os, "replace", as_on_a_mount_point)
    monkeypatch.setattr(os, "rename", as_on_a_mount_point)
    pack_again(corpus)
    assert label_in(corpus) == {-0.5}


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root, to mount a file system")
def test_a_mount_point(corpus):
    content = corpus.with_name("content")
    corpus.rename(content)
    corpus.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", corpus], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        shutil.copytree(content, corpus, dirs_exist_ok=True)
        pack_again(corpus)
        assert label_in(corpus) == {-0.5}
    finally:
        subprocess.run(["umount", "-l", corpus], check=True)


class Killed(BaseException):
    pass


def dying(monkeypatch, at):
    """Have the `at`-th operation on files within the exchange die; return the count of them."""
    done = [0]

    def counted(function):
        def call(*arguments, **more):
            done[0] += 1
            if done[0] == at:
                raise Killed
            return function(*arguments, **more)

        return call

    for owner, name in ((os, "replace"), (os, "link"), (os, "unlink"), (os, "mkdir"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return done


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_operation_the_old_corpus_or_the_new_one_is_whole(step, corpus, monkeypatch):
    monkeypatch.setattr("tfrecords_tools.packing.pack._describe_for_tfds", lambda packed, folder: None)
    with pytest.MonkeyPatch.context() as patch:
        shutil.copytree(corpus, corpus.with_name("counted"))
        total = dying(patch, -1)
        pack_again(corpus.with_name("counted"))
    assert total[0] > 20
    outcomes = []
    for at in range(step, total[0] + 1, step):
        folder = shutil.copytree(corpus, corpus.with_name(f"killed{at}"))
        with pytest.MonkeyPatch.context() as patch:
            dying(patch, at)
            with pytest.raises(Killed):
                pack_again(folder)
        if exchange.interrupted(folder):
            with pytest.raises(UserError, match=r"Nothing is lost: .*verify"):
                manifest.load(folder)
        copy = shutil.copytree(folder, corpus.with_name(f"verified{at}"))
        (label,) = label_in(copy)
        outcomes.append(label)
        with pytest.raises(UserError, match="holds a packed corpus"):
            pack(LAYOUT, folder.parent / "source", folder, OPTIONS)
        assert label_in(folder) == {label}
        pack_again(folder)
        assert label_in(folder) == {-0.5}
        assert not (folder / exchange.FOLDER).exists()
        for path in (folder, copy):
            shutil.rmtree(path)
    assert outcomes == sorted(outcomes, reverse=True)  # old up to one operation, new from there on
    assert set(outcomes) == {0.25, -0.5}


def start_packer(folder, workers):
    (folder / "packer.py").write_text(PACKER)
    command = [sys.executable, folder / "packer.py", folder / "source", folder / "corpus", str(workers)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_second_packing_into_one_output_is_refused_and_the_first_is_not_disturbed(tmp_path):
    source = write_source(tmp_path / "source")
    (source / "b.video").write_text("wait")
    first = start_packer(tmp_path, 1)
    wait_for((source / "b.pid").exists)
    for overwrite in (False, True):
        with pytest.raises(UserError, match=f"One process at a time packs into .*process {first.pid} on "):
            pack(LAYOUT, source, tmp_path / "corpus", OPTIONS, overwrite=overwrite)
    (source / "go").touch()
    assert first.wait(60) == 0, first.stderr.read()
    assert verify(tmp_path / "corpus") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "packer.py", "source"]


def test_what_another_process_has_packed_meanwhile_is_not_replaced_unasked(tmp_path, monkeypatch):
    source = write_source(tmp_path / "source")

    def find_videos(folder):  # the other process is quicker
        if not (tmp_path / "corpus").exists():
            pack(LAYOUT, source, tmp_path / "corpus", OPTIONS)
            np.savetxt(source / "a.txt", np.full((text_videos.FRAMES, 2), -1))
        return text_videos.find_videos(folder)

    with pytest.raises(UserError, match="holds a packed corpus"):
        pack(text_videos.Layout("late", find_videos), source, tmp_path / "corpus", OPTIONS)
    packed = manifest.load(tmp_path / "corpus")
    assert read_labels(tmp_path / "corpus", packed, packed.videos)[0][0, 0] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_video_that_crashes_its_process_costs_itself_alone_and_is_not_met_again(workers, tmp_path):
    source = write_source(tmp_path / "source", "abcde")
    (source / "b.video").write_text("crash")
    process = start_packer(tmp_path, workers)
    process.communicate(timeout=300)
    assert process.returncode == 0
    packed = manifest.load(tmp_path / "corpus")
    assert [entry.video for entry in packed.videos] == list("acde")
    ((video, reason),) = ((left.video, left.reason) for left in packed.left_out)
    assert video == "b"
    assert reason.startswith(f"{source / 'b.video'}: SIGSEGV has ended the process")
    assert (source / "b.crashes").read_text() == "met met "  # among others, and alone
    assert verify(tmp_path / "corpus") == []


@pytest.mark.slow
def test_a_crash_is_not_met_again_by_packing_that_was_killed_later(tmp_path, monkeypatch):
    source = write_source(tmp_path / "source", "ab")
    (source / "a.video").write_text("crash")
    staging = tmp_path / "staging"
    staging.mkdir()
    crashing, other = (
        jobs.Job(video, OPTIONS, staging) for video in sorted(text_videos.find_videos(source)[0], key=lambda v: v.video)
    )
    jobs.give_up(crashing, signal.SIGSEGV)
    assert isinstance(jobs.run(crashing), LeftOut)
    assert not (source / "a.crashes").exists()
    jobs.give_up(other, signal.SIGKILL)  # there may be more memory now
    assert isinstance(jobs.run(other), VideoEntry)


def alive(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    source = write_source(tmp_path / "source", "ab")
    for name in "ab":
        (source / f"{name}.video").write_text("wait")
    parent = start_packer(tmp_path, 2)
    wait_for(lambda: all((source / f"{name}.pid").exists() and (source / f"{name}.pid").read_text() for name in "ab"))
    workers = {int((source / f"{name}.pid").read_text()) for name in "ab"}
    assert len(workers) == 2
    assert parent.pid not in workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(map(alive, workers)), seconds=10)


def test_a_file_that_is_not_of_this_corpus_stays(sample_clips, packed_sample, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(packed_sample, folder)
    mine = ("other-test.tfrecord-00000-of-00001", "aff_wild-train.tfrecord-00005-of-00009")
    for name in mine:
        (folder / name).write_text("mine")
    pack("aff_wild", sample_clips, folder, overwrite=True)
    assert [(folder / name).read_text() for name in mine] == ["mine", "mine"]


def test_a_manifest_of_something_else_is_not_replaced(sample_clips, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.json").write_text("mine")
    with pytest.raises(UserError, match="must hold a packed corpus to replace"):
        pack("aff_wild", sample_clips, folder, overwrite=True)
    assert (folder / "manifest.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
