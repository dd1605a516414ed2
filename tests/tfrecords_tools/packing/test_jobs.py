"""Packing as jobs: what is left when it is killed, what is packed again and what is not, and the runners."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.text_videos import FRAMES, OPTIONS, find_videos, write_records, write_source
from tfrecords_tools.errors import UserError
from tfrecords_tools.errors.failures import line_and_status
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.files import whole
from tfrecords_tools.layouts import Layout
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.pack import pack
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.records.schema import LABEL_RANGE, SPLITS
from tfrecords_tools.records.verify import verify


@pytest.fixture
def packed_videos(monkeypatch):
    """Names of the videos in the order in which they were packed."""
    names = []

    def noted(source, options, path, *_):
        names.append(source.video)
        return write_records(source, options, path)

    monkeypatch.setattr(jobs, "pack_video", noted)
    return names


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "source")


def run(source, options=OPTIONS, **more):
    return pack(Layout("tiny", find_videos), source, source.parent / "out", options, **more)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_killed_packing_goes_on_where_it_was(source, packed_videos):
    (source / "c.video").write_text("kill")
    with pytest.raises(KeyboardInterrupt):
        run(source)
    assert packed_videos == ["a", "b", "c"]
    assert not (source.parent / "out").exists()
    (source / "c.video").write_text("video c")
    packed_videos.clear()
    run(source)
    assert packed_videos == ["c", "d"]
    assert verify(source.parent / "out") == []
    assert sorted(path.name for path in source.parent.iterdir()) == ["out", "source"]


def test_an_interrupted_packing_is_the_uninterrupted_one(source, packed_videos):
    run(source)
    expected = contents(source.parent / "out")
    (source.parent / "out").rename(source.parent / "before")
    text = (source / "b.video").read_text()
    (source / "b.video").write_text("kill")
    with pytest.raises(KeyboardInterrupt):
        run(source)
    (source / "b.video").write_text(text)
    run(source)
    assert contents(source.parent / "out") == expected


def changed_video(source):
    (source / "b.video").write_text("another video b")


def changed_label(source):
    np.savetxt(source / "b.txt", np.full((FRAMES, 2), 0.5))


@pytest.mark.parametrize("change", [changed_video, changed_label])
def test_only_what_has_changed_is_packed_again(change, source, packed_videos):
    run(source)
    packed_videos.clear()
    change(source)
    run(source, overwrite=True)
    assert packed_videos == ["b"]
    assert verify(source.parent / "out") == []


def test_other_options_pack_everything_again(source, packed_videos):
    run(source)
    packed_videos.clear()
    run(source, PackOptions(landmark_model=None, aligner=Aligner(32, margin=0.2)), overwrite=True)
    assert packed_videos == list("abcd")


def test_paths_may_be_text(source, packed_videos):
    output = str(source.parent / "out")
    packed = pack(Layout("tiny", find_videos), str(source), output, PackOptions(str(find_model()), Aligner(32)))
    assert packed == manifest.load(output)
    assert (packed.name, packed.label_range) == ("tiny", LABEL_RANGE)


def test_a_layout_has_the_range_of_its_labels(source, packed_videos):
    found = {"valence": (0.0, 1.0), "arousal": (-2.0, 2.0)}
    output = source.parent / "out"
    pack(Layout("tiny", find_videos, found), source, output, OPTIONS)
    assert manifest.load(output).label_range == found


def test_where_the_landmark_model_lies_does_not_matter(source, packed_videos):
    run(source)
    packed_videos.clear()
    elsewhere = source / "model.dat"
    elsewhere.symlink_to(find_model())
    run(source, PackOptions(landmark_model=elsewhere, aligner=Aligner(32)), overwrite=True)
    assert packed_videos == []


def test_in_other_splits_nothing_is_packed_again(source, packed_videos):
    run(source)
    packed_videos.clear()
    split_of = {"a": "test", "b": "train", "c": "validation", "d": "test"}
    splits = {f"train/{name}": split for name, split in split_of.items()}
    packed = run(source, partition=splits, overwrite=True)
    assert packed_videos == []
    assert {entry.video: entry.split for entry in packed.videos} == split_of
    assert verify(source.parent / "out") == []


def test_what_a_partition_does_not_name_is_listed(source, packed_videos):
    packed = run(source, partition={"train/a": "test", "train/c": "train"})
    assert [left.video for left in packed.left_out] == ["b", "d"]
    assert packed.left_out[0].reason == "The partition does not name this video."


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("Python int too large\nto convert"),
        cv2.error("resize"),
        MemoryError(),
        OSError("no such device"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        RuntimeError("dlib\n\nsays no"),
        ZeroDivisionError("x"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_is_wrong_with_one_video_the_others_go_on(error, source, monkeypatch):
    tried = []

    def one_fails(video, options, path, *_):
        tried.append(video.video)
        if video.video == "b":
            raise error
        if video.video == "d" and tried.count("d") == 1:
            raise KeyboardInterrupt
        return write_records(video, options, path)

    monkeypatch.setattr(jobs, "pack_video", one_fails)
    with pytest.raises(KeyboardInterrupt):
        run(source)
    packed = run(source)
    passing = isinstance(error, OSError | MemoryError)
    assert tried == [*"abcd", *("bd" if passing else "d")]  # what may pass is tried again, and nothing else
    assert [entry.video for entry in packed.videos] == list("acd")
    (left,) = packed.left_out
    assert left.reason.startswith(f"{source / 'b.video'}: {type(error).__name__}: ")
    assert "\n" not in left.reason


def test_a_full_disk_is_no_videos_fault(source, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "pack_video", full)
    with pytest.raises(OSError, match="No space"):
        run(source)


def test_a_full_disk_says_how_much_the_videos_that_are_left_need(source, monkeypatch):
    # By hand: a and b are packed, each of the size of its source; the sources of c and d have 3 MB.
    for video, megabytes in zip("abcd", (1, 2, 1, 2), strict=True):
        (source / f"{video}.video").write_bytes(bytes(megabytes * 1_000_000))

    def full(video, options, path, *_):
        if video.video == "c":
            raise OSError(28, "No space left on device", str(path))
        entry = write_records(video, options, path)
        return replace(entry, file_bytes=video.path.stat().st_size)

    monkeypatch.setattr(jobs, "pack_video", full)
    with pytest.raises(OSError, match="No space") as raised:
        run(source)
    line, _ = line_and_status(raised.value)
    assert "free there, about 3,000 kB are needed." in line


def test_videos_of_one_name_in_two_splits_are_kept_apart(source, packed_videos):
    def find_both(folder):
        videos, _ = find_videos(folder)
        return [replace(video, video="same", split=split) for video, split in zip(videos, SPLITS, strict=False)], []

    np.savetxt(source / "b.txt", np.full((FRAMES, 2), -0.5))
    output = source.parent / "out"
    for overwrite in (False, True):  # the second time, each uses its own file again
        packed = pack(Layout("tiny", find_both), source, output, OPTIONS, overwrite=overwrite)
        assert [(entry.video, entry.split) for entry in packed.videos] == [("same", split) for split in SPLITS]
        labels = read_labels(output, packed, packed.videos)
        assert [own[0, 0] for own in labels] == [0.25, -0.5, 0.25]
    assert len(packed_videos) == 3


def test_records_cut_off_when_packing_was_killed_are_packed_again(source, packed_videos):
    (source / "c.video").write_text("kill")
    with pytest.raises(KeyboardInterrupt):
        run(source)
    (source / "c.video").write_text("video c")
    (job,) = (jobs.Job(video, OPTIONS, source.parent / ".partial-out") for video in find_videos(source)[0][:1])
    job.records.write_bytes(job.records.read_bytes()[:-1])
    packed_videos.clear()
    run(source)
    assert packed_videos == ["a", "c", "d"]
    assert verify(source.parent / "out") == []


def test_a_new_and_a_vanished_video(source, packed_videos):
    run(source)
    packed_videos.clear()
    (source / "a.video").unlink()
    (source / "e.video").write_text("video e")
    np.savetxt(source / "e.txt", np.zeros((FRAMES, 2)))
    packed = run(source, overwrite=True)
    assert packed_videos == ["e"]
    assert [entry.video for entry in packed.videos] == list("bcde")
    assert verify(source.parent / "out") == []


def test_a_cut_off_file_is_not_used_again(source, packed_videos):
    packed = run(source)
    file = source.parent / "out" / packed.videos[0].file
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[:-1])
    packed_videos.clear()
    run(source, overwrite=True)
    assert packed_videos == ["a"]


def test_what_was_left_out_is_tried_again(source, packed_videos):
    (source / "b.video").write_text("bad")
    packed = run(source)
    assert packed.left_out == (LeftOut("b", "train", f"{source / 'b.video'}: bad"),)
    (source / "b.video").write_text("video b")
    packed_videos.clear()
    assert run(source, overwrite=True).left_out == ()
    assert packed_videos == ["b"]


def test_nothing_packed_leaves_nothing(source, packed_videos):
    for path in source.glob("*.video"):
        path.write_text("bad")
    with pytest.raises(UserError, match=r"not one of its 4 videos could be packed: .*a\.video: bad"):
        run(source)
    assert sorted(path.name for path in source.parent.iterdir()) == ["source"]


def test_a_failed_gathering_keeps_the_old_corpus(source, packed_videos, monkeypatch):
    run(source)
    expected = contents(source.parent / "out")
    changed_label(source)

    def full(packed, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "save", full)
    with pytest.raises(OSError, match="No space"):
        run(source, overwrite=True)
    assert contents(source.parent / "out") == expected


def test_files_are_copied_where_links_cannot_be(source, packed_videos, monkeypatch):
    def no_links(*paths):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(jobs.os, "link", no_links)
    run(source)
    assert verify(source.parent / "out") == []


def test_a_link_is_made_whole(tmp_path):
    with whole(tmp_path / "one") as path:
        path.write_text("content")
    jobs.link_or_copy(tmp_path / "one", tmp_path / "two")
    jobs.link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_text() == "content"


def test_beam_without_beam(source, packed_videos, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(
        UserError, match=r"`runner` beam needs Apache Beam\. Get it with `pip install -e \"\.\[beam\]\"`"
    ):
        run(source, runner="beam")


def test_an_unknown_runner(source, packed_videos):
    with pytest.raises(UserError, match="`runner` must be one of beam, local"):
        run(source, runner="flink")


def test_options_of_beam_without_beam(source, packed_videos):
    with pytest.raises(UserError, match=r"`beam_options` must be empty unless `runner` is beam\. .*--streaming"):
        run(source, beam_options=("--streaming",))


def test_a_job_without_result_is_named(source, packed_videos):
    (video, *_), _ = find_videos(source)
    with pytest.raises(UserError, match=r"a\.video: its job has left no result"):
        jobs.read(jobs.Job(video, OPTIONS, source.parent))


@pytest.mark.slow
def test_every_runner_packs_the_same_bytes(sample_clips, packed_sample, tmp_path):
    options = PackOptions(landmark_model=find_model(), aligner=Aligner())
    expected = contents(packed_sample)
    for runner, workers in [("local", 2), ("beam", 1)]:
        output = tmp_path / runner
        pack(
            "aff_wild", sample_clips, output, options, workers=workers,
            runner=runner, beam_options=["--direct_num_workers=1"] if runner == "beam" else (),
        )  # fmt: skip
        assert contents(output) == expected, runner


def test_a_file_that_is_too_large_for_its_file_system_is_tried_again(source, monkeypatch):
    class OpError(Exception):
        """As TensorFlow's, which carries no number."""

    OpError.__module__ = "tensorflow.python.framework.errors_impl"
    tried = []

    def too_large(video, options, path, *_):
        tried.append(video.video)
        if video.video == "b" and tried.count("b") == 1:
            raise OpError(f"{path}; File too large")
        return write_records(video, options, path)

    monkeypatch.setattr(jobs, "pack_video", too_large)
    ((left),) = run(source).left_out
    assert left.reason.startswith(f"{source / 'b.video'}: the file is larger than the file system or a limit")
    assert run(source, overwrite=True).left_out == ()
    assert tried == [*"abcd", "b"]
