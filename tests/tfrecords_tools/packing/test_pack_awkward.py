"""Awkward videos packed from end to end: each record has the label of the frame whose number its image carries."""

import dataclasses
import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.awkward_videos import SIZE, at, damage, number_in, write_video
from tests.helpers.corpora import make_corpus
from tests.helpers.layout_trees import code, lay
from tfrecords_tools import cli
from tfrecords_tools.cli import corpus_commands
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.layouts import csv_tables
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import pack as packing
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.reader import decode_face, read_records
from tfrecords_tools.records.verify import verify
from tfrecords_tools.study import inspection, stats

COUNT, FPS = 90, 30
# The whole frame, and points in it, so that nothing has to be found.
BOX = f"version: 1\nn_points: 4\n{{\n1 1\n{SIZE[0] + 1} 1\n{SIZE[0] + 1} {SIZE[1] + 1}\n1 {SIZE[1] + 1}\n}}\n"
POINTS = "version: 1\nn_points: 68\n{\n" + "".join(f"{10 + n} {10 + n % 7}\n" for n in range(68)) + "}\n"
KINDS = {
    "an AVI that drops frames": ("avi", "mpeg4", (), (44, 60)),
    "an MP4 that drops a frame": ("mp4", "libx264", (), (44,)),
    "a Matroska file that drops a frame": ("mkv", "libx264", (), (44,)),
    "an MP4 with damaged packets": ("mp4", "libx264", (0, 5, 44), ()),
    "an AVI with damaged packets": ("avi", "mjpeg", (0, 5, 44), ()),
    "a Matroska file with damaged packets": ("mkv", "libx264", (5, 6, 7, 89), ()),
}


def lay_aff_wild(source):
    lines = {sign: "".join(f"{code(frame, sign)}\n" for frame in range(1, COUNT + 1)) for sign in (1, -1)}
    files = {"annotations/train/valence/a.txt": lines[1], "annotations/train/arousal/a.txt": lines[-1]}
    for frame in range(1, COUNT + 1):
        files |= {f"bboxes/train/a/{frame}.pts": BOX, f"landmarks/train/a/{frame}.pts": POINTS}
    return lay(source, files)


@pytest.mark.parametrize("kind", KINDS)
def test_each_record_has_the_label_of_its_frame(kind, tmp_path):
    suffix, codec, damaged, dropped = KINDS[kind]
    source = lay_aff_wild(tmp_path / "source")
    (source / "videos/train").mkdir(parents=True)
    path = write_video(source / f"videos/train/a.{suffix}", at(FPS, COUNT), codec=codec, without=dropped)
    damage(path, damaged)
    packed = packing.pack("aff_wild", source, tmp_path / "out", PackOptions(aligner=Aligner(SIZE[0], margin=0)))
    (entry,) = packed.videos
    assert packed.left_out == ()
    lost = [place + 1 for place in (*damaged, *dropped)]
    assert (entry.frames_lost, entry.frames) == (len(lost), COUNT - len(lost))
    records = read_records(tmp_path / "out", entry)
    assert [record["frame"] for record in records] == [n for n in range(1, COUNT + 1) if n not in lost]
    for record in records:
        shown = number_in(decode_face(record))
        assert shown == record["frame"]
        np.testing.assert_allclose(record["label"], [code(shown), code(shown, -1)], atol=1e-6)
        assert record["timestamp"] == pytest.approx((shown - 1) / FPS, abs=2e-3)
    assert verify(tmp_path / "out") == []
    assert manifest.load(tmp_path / "out").videos[0].frames_lost == len(lost)


def test_labels_with_times_go_to_frames_of_the_containers_clock(tmp_path):
    from tfrecords_tools.layouts import LAYOUTS
    from tfrecords_tools.layouts.labels import match
    from tfrecords_tools.video.reading import read_frames

    write_video(tmp_path / "a.mp4", at(25, 20, start=1.5), fps=25, sound=True)
    rows = "".join(f"a.mp4,{1.5 + (frame - 1) / 25:.2f},{code(frame)},{code(frame, -1)}\n" for frame in range(1, 21))
    lay(tmp_path, {"mine.csv": "video,time,valence,arousal\n" + rows})
    (video,), _ = LAYOUTS["csv"].find_videos(tmp_path)
    frames = list(read_frames(video.path))
    labels = match(video.read_labels(), [f.number for f in frames], [f.timestamp for f in frames]).values
    np.testing.assert_allclose(labels[:, 0], [code(number_in(frame.image)) for frame in frames], atol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
def test_a_name_that_is_no_text_is_left_out(tmp_path):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp4")))
    within = path.with_suffix("") / "within.mp4"
    good = tmp_path / "good.mp4"
    videos = [VideoSource(each.stem, "train", each.stem, each, None) for each in (path, within, good)]
    videos.append(VideoSource("of a person", "train", path.stem, good, None))
    kept, left_out = packing.named(videos, [])
    assert [video.video for video in kept] == ["good"]
    assert [(left.video, left.split) for left in left_out] == [
        (r"caf\xe9", "train"), ("within", "train"), ("of a person", "train")
    ]  # fmt: skip
    for left in left_out:
        assert "must be UTF-8" in left.reason
        left.reason.encode()
    (as_text,) = packing.named([], [LeftOut(path.stem, "train", f"{path}: bad")])[1]
    as_text.reason.encode()


def with_entries(folder, **fields):
    make_corpus(folder, [{"frames": [1, 2, 30]}, {"frames": 4}])
    packed = manifest.load(folder)
    first, *others = packed.videos
    return dataclasses.replace(packed, videos=(dataclasses.replace(first, **fields), *others))


def test_pack_says_what_is_lost_and_what_could_be_tried_without_faces(tmp_path):
    packed = with_entries(tmp_path, frames_lost=3, frames_decoded=100, frames_without_face=97)
    lines = "\n".join(corpus_commands._packed(packed, tmp_path))
    assert "lost: 3 frames that cannot be decoded; the others keep their numbers (train/v0 3)" in lines
    assert "93 % of the frames have no face, most of them in train/v0. `--upsample=1`" in lines
    assert "--detect`" not in lines
    few = with_entries(tmp_path / "few", frames_decoded=100, frames_without_face=5)
    assert "%" not in "\n".join(corpus_commands._packed(few, tmp_path))
    given = with_entries(tmp_path / "given", frames_decoded=100, frames_without_face=97, detector="given")
    assert "`--detect` finds faces where the dataset brings none" in "\n".join(corpus_commands._packed(given, tmp_path))


def test_pack_counts_the_frames_without_a_label(tmp_path):
    packed = with_entries(tmp_path)
    assert "without a label" not in "\n".join(corpus_commands._packed(packed, tmp_path))
    index = packed.videos[0].index.copy()
    index["labelled"][:2] = False
    packed = dataclasses.replace(
        packed, videos=(dataclasses.replace(packed.videos[0], index=index), *packed.videos[1:])
    )
    assert "\nwithout a label: 2 frames, packed all the same" in "\n".join(corpus_commands._packed(packed, tmp_path))
    index["expression"][0] = 3
    assert "\nwithout a label: 1 frame, packed" in "\n".join(corpus_commands._packed(packed, tmp_path))


def test_the_forms_of_a_source_that_help_shows_are_read(tmp_path, capsys):
    with pytest.raises(SystemExit):
        corpus_commands.main(["pack", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "mine.csv (columns video, valence, arousal, and frame or time)" in shown
    assert "train.csv, validation.csv and test.csv" in shown
    rows = "video,frame,valence,arousal\nclip.mp4,1,0.5,-0.5\n"
    for folder, names in (("one", ["mine.csv"]), ("splits", ["train.csv", "validation.csv", "test.csv"]), ("none", [])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.mp4").write_bytes(b"")
        for name in names:
            (tmp_path / folder / name).write_text(rows)
    splits = {
        place: [video.split for video in csv_tables.find_videos(tmp_path / place)[0]]
        for place in ("one/mine.csv", "one", "splits", "none")
    }
    assert splits["one/mine.csv"] == splits["one"] == ["train"]
    assert sorted(splits["splits"]) == ["test", "train", "validation"]
    assert splits["none"] == ["test"]


def test_inspect_says_what_is_lost(tmp_path):
    manifest.save(with_entries(tmp_path, frames_lost=1), tmp_path)
    assert "lost: train/v0: 1 frame of the video cannot be decoded" in inspection.table(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_corpus_that_may_not_be_written_to_is_inspected_all_the_same(number, tmp_path, monkeypatch, capsys):
    make_corpus(tmp_path, [{"frames": 4}])

    def refused(*arguments, **more):
        raise OSError(number, os.strerror(number), str(tmp_path / "x.png"))

    monkeypatch.setattr(inspection, "contact_sheet", refused)
    monkeypatch.setattr(stats, "write", refused)
    for command, flag in (("inspect", "--sheet=FILE"), ("stats", "--output=DIR")):
        assert cli.main([command, str(tmp_path)]) == 0
        assert f"no plots: {tmp_path} may not be written to; `{flag}` writes them" in capsys.readouterr().out
        own = flag.replace("FILE", str(tmp_path / "s.png")).replace("DIR", str(tmp_path / "s"))
        assert cli.main([command, str(tmp_path), own]) == 2  # what was asked for is an error
        capsys.readouterr()
