"""What the packer makes of the several kinds of sources: faces that come along, crops, times, annotators, classes."""

import resource
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import skimage.data

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts import Layout
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import kept_crops, source_reading, video_packer
from tfrecords_tools.packing.pack import pack
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import decode_face, read_records
from tfrecords_tools.records.verify import verify
from tfrecords_tools.video.writing import VideoWriter

FRAMES = 12


@pytest.fixture(scope="module")
def options():
    return PackOptions(landmark_model=find_model(), aligner=Aligner(64))


@pytest.fixture(scope="module")
def portrait():
    return skimage.data.astronaut()[:256, 96:352].copy()


@pytest.fixture(scope="module")
def images(portrait, tmp_path_factory):
    """A folder of images from 00000.png on, each a pixel further to the right; 00005.png is missing."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(FRAMES):
        if number != 5:
            shifted = np.roll(portrait, number, axis=1)
            cv2.imwrite(str(folder / f"{number:05d}.png"), cv2.cvtColor(shifted, cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(scope="module")
def video(portrait, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, 25, (256, 256)) as writer:
        for number in range(FRAMES):
            writer.write(np.roll(portrait, number, axis=1))
    return path


def numbered(frames=FRAMES, **more):
    """Labels whose valence is the frame's number / 100."""
    return Labels(np.stack([np.arange(1, frames + 1) / 100, np.zeros(frames)], 1).astype(np.float32), **more)


def packed(source, options, tmp_path, **more):
    output = tmp_path / "out"
    corpus = pack(Layout("one", lambda _: ([source], [])), tmp_path, output, options, **more)
    assert verify(output) == []
    (entry,) = corpus.videos
    return manifest.load(output), entry, read_records(output, entry, fields=corpus.fields)


def test_faces_that_come_along_in_images(images, portrait, options, tmp_path):
    (box,) = FaceDetector().detect(portrait)
    points = (100 + np.stack([np.arange(68), np.arange(68) // 2], 1)).astype(np.float32)
    there = [1, 2, 4, 7]  # frame 6 has no image, and the others have no entry
    faces = Faces(dict.fromkeys(there, box), dict.fromkeys(there, points))
    source = VideoSource(
        "v", "train", "s", images, numbered, partial(Faces, faces.boxes, faces.landmarks), fps=25, first=0
    )
    corpus, entry, records = packed(source, options, tmp_path)
    assert (corpus.detector, corpus.landmarks, entry.detector, entry.landmarks) == ("given",) * 4
    assert [record["frame"] for record in records] == there
    assert (entry.frames_decoded, entry.frames_without_face, entry.fps) == (FRAMES - 1, FRAMES - 1 - 4, 25)
    for record in records:
        assert record["label"][0] == pytest.approx(record["frame"] / 100)
        assert record["timestamp"] == pytest.approx((record["frame"] - 1) / 25)
        np.testing.assert_allclose(record["box"], [box.left, box.top, box.right, box.bottom])
        steps = np.diff(record["landmarks"], axis=0)  # of those that came along
        np.testing.assert_allclose(steps[:, 0], steps[0, 0], atol=1e-6)


def test_landmarks_are_predicted_in_the_boxes_that_come_along(images, portrait, options, tmp_path):
    (box,) = FaceDetector().detect(portrait)
    source = VideoSource("v", "train", "s", images, numbered, partial(Faces, {1: box}), fps=25, first=0)
    corpus, _, (record,) = packed(source, options, tmp_path)
    assert (corpus.detector, corpus.landmarks) == ("given", options.landmarks)
    eyes, mouth = record["landmarks"][36:48].mean(0), record["landmarks"][48:].mean(0)
    assert 0.2 < eyes[1] < mouth[1] < 1


def test_detected_afresh_the_annotated_face_is_chosen(images, portrait, options, tmp_path):
    (box,) = FaceDetector().detect(portrait)
    source = VideoSource("v", "train", "s", images, numbered, partial(Faces, {1: box}), fps=25, first=0)
    corpus, entry, records = packed(source, replace(options, detect=True), tmp_path)
    assert (corpus.detector, corpus.landmarks) == (options.detector, options.landmarks)
    assert entry.frames == FRAMES - 1  # also without an entry
    assert records[0]["box"][0] == pytest.approx(box.left, abs=12)
    elsewhere = replace(source, read_faces=partial(Faces, {1: Box(0, 200, 30, 230)}))
    with pytest.raises(UserError, match="none of which overlaps an annotated box"):
        packed(elsewhere, replace(options, detect=True), tmp_path / "other")


def test_crops_are_taken_whole(images, options, tmp_path):
    source = VideoSource("v", "train", "s", images, numbered, cropped=True, fps=30, first=0)
    _, entry, records = packed(source, options, tmp_path)
    assert entry.frames == FRAMES - 1
    assert entry.fps == 30
    for record in records:
        assert record["timestamp"] == pytest.approx((record["frame"] - 1) / 30)
        np.testing.assert_array_equal(record["box"], [0, 0, 256, 256])
        image = cv2.imread(str(images / f"{record['frame'] - 1:05d}.png"))
        expected = cv2.cvtColor(cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        assert np.abs(decode_face(record).astype(int) - expected).mean() < 4


def test_times_annotators_and_classes(video, options, tmp_path):
    # Rows at 0, 0.1, 0.2 ... seconds; frame k of the video is at (k - 1) / 25.
    times = np.arange(6) / 10
    annotators = np.stack([np.full((6, 2), 0.25), np.full((6, 2), -0.75)], 1).astype(np.float32)
    annotators[2, 1] = np.nan
    labels = partial(numbered, 6, times=times, annotators=annotators, expression=np.arange(6))
    source = VideoSource("v", "train", "s", video, labels, annotators=("ann", "bo"), expression=True)
    corpus, _, records = packed(source, options, tmp_path)
    assert (corpus.annotators, corpus.expression) == (("ann", "bo"), True)
    for record in records:
        row = int(np.argmin(np.abs(times - (record["frame"] - 1) / 25)))
        assert record["label"][0] == pytest.approx((row + 1) / 100)
        assert record["expression"] == row
        np.testing.assert_array_equal(record["annotators"], annotators[row])
    chosen = replace(options, annotators=("ann", "bo"))
    _, _, records = packed(source, chosen, tmp_path / "mean")
    means = {int(record["expression"]): record["label"][0] for record in records}
    assert means[1] == pytest.approx(-0.25)
    assert means[2] == pytest.approx(0.25)  # the other one is missing there


def test_frames_at_another_rate_keep_their_labels(video, options, tmp_path):
    source = VideoSource("v", "train", "s", video, numbered)
    corpus, entry, records = packed(source, replace(options, fps=50.0), tmp_path)
    assert corpus.fps == entry.fps == 50
    for record in records:
        assert record["timestamp"] == pytest.approx((record["frame"] - 1) / 50)
        nearest = (record["frame"] - 1) / 2  # source frames from 0; the earlier of two that are equally near
        assert record["label"][0] == pytest.approx((np.ceil(nearest - 0.5) + 1) / 100)


def test_boxes_that_choose_a_face_follow_their_frames_through_a_conversion(video, options, tmp_path, monkeypatch):
    choose, given = video_packer.choose_track, []

    def noted(tracks, which, faces):
        given.append((which, faces.boxes))
        return choose(tracks, which, faces)

    monkeypatch.setattr(video_packer, "choose_track", noted)
    first, second = Box(0, 0, 200, 200), Box(0, 0, 200, 210)
    faces = partial(Faces, {1: first, 2: second})
    source = VideoSource("v", "train", "s", video, numbered, faces)
    packed(source, replace(options, detect=True, fps=50.0), tmp_path)
    # Each frame of 25 a second is shown twice at 50.
    assert given == [("annotated", {1: first, 2: first, 3: second, 4: second})]


def test_between_start_and_end(video, options, tmp_path):
    source = VideoSource("v", "train", "s", video, numbered, start=0.2, end=0.4)
    _, entry, records = packed(source, options, tmp_path)
    assert [record["frame"] for record in records] == [6, 7, 8, 9, 10]
    assert entry.frames_decoded == 5
    assert [round(100 * float(record["label"][0])) for record in records] == [6, 7, 8, 9, 10]


def test_a_video_is_decoded_once_or_twice_to_the_same_records(video, options, tmp_path, monkeypatch):
    read_frames, read = source_reading.read_frames, []
    counted = lambda *which, **how: read.append(1) or read_frames(*which, **how)  # noqa: E731
    monkeypatch.setattr(source_reading, "read_frames", counted)
    source = VideoSource("v", "train", "s", video, numbered)
    _, once, _ = packed(source, options, tmp_path / "once")
    assert len(read) == 1
    monkeypatch.setattr(kept_crops, "MOST", 10_000)  # bytes, fewer than its crops have
    _, twice, _ = packed(source, options, tmp_path / "twice")
    assert len(read) == 3
    assert once.sha256 == twice.sha256


def test_a_split_from_elsewhere(video, options, tmp_path):
    source = VideoSource("v", "train", "s", video, numbered)
    corpus, entry, _ = packed(source, options, tmp_path, partition={"train/v": "test", "train/gone": "train"})
    assert (entry.split, len(corpus.videos)) == ("test", 1)
    for splits, message in [
        ({"train/w": "test"}, "must name videos"),
        ({"train/v": "fold1"}, "`split` must be one of"),
    ]:
        with pytest.raises(UserError, match=message):
            packed(source, options, tmp_path / "other", partition=splits)
    same = [source, replace(source, split="test")]
    with pytest.raises(UserError, match=r"two videos of one name into one split\. Received: test/v"):
        pack(
            Layout("one", lambda _: (same, [])), tmp_path, tmp_path / "third", options,
            partition={"train/v": "test", "test/v": "test"},
        )  # fmt: skip


def test_a_false_detection_does_not_displace_the_face(video, options, tmp_path, monkeypatch):
    detect = FaceDetector.detect
    calls = []

    def with_a_ghost(self, image):
        calls.append(1)
        return [Box(10, 150, 90, 230)] if len(calls) == 4 else detect(self, image)

    monkeypatch.setattr(FaceDetector, "detect", with_a_ghost)
    source = VideoSource("v", "train", "s", video, numbered)
    _, entry, records = packed(source, replace(options, every=1), tmp_path)
    assert (entry.frames, entry.frames_removed) == (FRAMES, 0)
    assert max(np.abs(np.diff([record["box"][0] for record in records]))) < 15


def test_what_jumps_is_removed_and_counted(video, options, tmp_path, monkeypatch):
    tracks_of = video_packer.tracks_of

    def with_a_jump(*arguments):
        tracks = tracks_of(*arguments)
        tracks[0].boxes[4] = Box(10, 150, 90, 230)
        return tracks

    monkeypatch.setattr(video_packer, "tracks_of", with_a_jump)
    source = VideoSource("v", "train", "s", video, numbered)
    _, entry, records = packed(source, options, tmp_path)
    # The segment on one side of the jump is shorter than one that is believed.
    assert [record["frame"] for record in records] == list(range(5, FRAMES + 1))
    assert (entry.frames_removed, entry.frames_without_face) == (4, 0)


@pytest.mark.parametrize("wrong", [60_000.0, 99_999.0, 1e9, 1e39, float("nan"), -1.0, -90_000.0])
@pytest.mark.parametrize("alignment", ["crop", "procrustes"])
def test_a_bad_coordinate_costs_one_frame_and_no_memory(alignment, wrong, images, portrait, options, tmp_path):
    (box,) = FaceDetector().detect(portrait)
    bad = replace(box, right=wrong) if wrong > 0 else Box(wrong, wrong, wrong, wrong)
    sources = [
        VideoSource(name, "train", name, images, numbered, partial(Faces, {1: box, 2: second}), fps=25, first=0)
        for name, second in (("good", box), ("bad", bad))
    ]
    aligner = Aligner(64, alignment)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = pack(Layout("two", lambda _: (sources, [])), tmp_path, tmp_path / "out", replace(options, aligner=aligner))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
    assert {entry.video: entry.frames for entry in found.videos} == {"bad": 1, "good": 2}
    assert found.videos[0].frames_without_face == FRAMES - 1 - 1
    assert verify(tmp_path / "out") == []
