"""Prediction from whole videos: against the network on crops that were cut out separately; and what can go wrong."""

import csv
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from affwildnet.predict import Prediction, Predictor
from affwildnet.predict.frame_sources import FrameSource, camera
from affwildnet.predict.predict_options import PredictOptions
from affwildnet.predict.predict_source import predict_all, predict_source
from affwildnet.predict.source_search import find_sources
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.paths import ROOT
from tests.helpers.predict_networks import SIZE, at_once, small_network
from tests.helpers.real_clips import clip
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.tracking import track_faces
from tfrecords_tools.faces.tracks import choose_track, remove_jumps
from tfrecords_tools.video.reading import Frame, read_frames
from tfrecords_tools.video.writing import VideoWriter


@pytest.fixture(scope="module")
def model():
    return small_network()


@pytest.fixture(scope="module")
def predictor(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    write_model(model, path, Card(SIZE, "procrustes", 0.0))
    return Predictor.load(path)


def predicted(path, output, predictor, **options):
    """Predict from what a path holds; return the result of the last source, and its table's lines."""
    options = PredictOptions(output, progress=False, **{"look_ahead": True, **options})
    output.mkdir(exist_ok=True)
    for each in find_sources(path):
        found = predict_source(each, predictor, options)
    with found.paths["table"].open() as file:
        return found, list(csv.DictReader(file))


def reference(frames, model):
    """Packing's track of the video, and the network on all its crops at once: predictions and boxes by frame number."""
    frames = list(frames)
    tracks = track_faces(frames, FaceDetector(), LandmarkPredictor(find_model()))
    found = []
    for track in tracks:
        track, _ = remove_jumps(choose_track([track]))
        cut = [
            Aligner(SIZE, "procrustes", 0.0)(frame.image, track.boxes[frame.number], track.landmarks[frame.number])
            for frame in frames
            if frame.number in track.boxes
        ]
        faces, points = (np.stack(part) for part in zip(*cut, strict=True))
        found.append((track.boxes, dict(zip(track.boxes, at_once(model, faces, points), strict=True))))
    return found


def check(lines, boxes, predictions):
    """Compare a table's lines of one face with the reference."""
    assert [int(line["frame"]) for line in lines if line["face"] == "1"] == list(boxes)
    for line in lines:
        if line["face"] == "1":
            box, prediction = boxes[int(line["frame"])], predictions[int(line["frame"])]
            sides = [float(line[side]) for side in ("left", "top", "right", "bottom")]
            np.testing.assert_allclose(sides, [box.left, box.top, box.right, box.bottom], atol=0.006)  # two decimals
            np.testing.assert_allclose([float(line["valence"]), float(line["arousal"])], prediction, atol=1e-5)
        else:
            assert {line[name] for name in ("left", "top", "right", "bottom", "valence", "arousal")} == {""}


def short(name, seconds):
    return (frame for frame in read_frames(clip(name)) if frame.timestamp < seconds)


def test_a_short_video_is_predicted_as_the_network_on_its_crops(model, predictor, tmp_path):
    found, lines = predicted(clip("single_face.mp4"), tmp_path, predictor, seconds=0.9)
    ((boxes, predictions),) = reference(short("single_face.mp4", 0.9), model)
    check(lines, boxes, predictions)
    assert [float(line["time"]) for line in lines] == pytest.approx([n / 30 for n in range(27)], abs=1e-6)
    assert (found.frames, found.frames_with_face, found.tracks, found.removed) == (27, 27, 1, 0)
    assert sum(found.shares.values()) == pytest.approx(1)
    names = [path.name for path in tmp_path.iterdir()]
    assert sorted(names) == ["single_face.csv", "single_face.json", "single_face.png"]


@pytest.mark.slow
def test_a_video_with_gaps_and_uneven_times(model, predictor, tmp_path):
    found, lines = predicted(clip("face_noface.mov"), tmp_path, predictor)
    ((boxes, predictions),) = reference(read_frames(clip("face_noface.mov")), model)
    check(lines, boxes, predictions)
    times = [frame.timestamp for frame in read_frames(clip("face_noface.mov"))]
    assert [float(line["time"]) for line in lines] == pytest.approx(times, abs=1e-6)
    assert 0.3 * found.frames < found.frames_with_face == len(boxes) < 0.6 * found.frames


def side_by_side(path):
    """Write a video of two real faces, the right one without a face for a while; return its frames."""
    right = list(short("single_face.mp4", 2))
    with VideoWriter(path, 30, (1280, 360)) as video:
        for index, (one, other) in enumerate(zip(short("WolfgangLanger_Pexels.mp4", 2), right, strict=False)):
            video.write(np.hstack([one.image, other.image if index < 16 or index > 30 else 0 * other.image]))
    return list(read_frames(path))


@pytest.mark.slow
def test_two_faces_have_a_sequence_each_and_the_overlay_every_frame(model, predictor, tmp_path):
    frames = side_by_side(tmp_path / "two.mp4")
    found, lines = predicted(tmp_path / "two.mp4", tmp_path / "out", predictor, faces="all", overlay=True)
    tracks = reference(frames, model)
    assert found.tracks == len(tracks) == 2
    for number, (boxes, predictions) in enumerate(tracks, 1):
        check([line for line in lines if line["face_id"] == str(number)], boxes, predictions)
    assert len(tracks[1][0]) < len(tracks[0][0]) == len(frames)
    drawn = [frame.image.shape for frame in read_frames(found.paths["overlay"])]
    assert drawn == [(360 + 152, 1280, 3)] * len(frames)
    # One face at a time is the larger one, and a line a frame.
    _, lines = predicted(tmp_path / "two.mp4", tmp_path / "one", predictor)
    areas = [np.mean([box.area for box in boxes.values()]) for boxes, _ in tracks]
    check(lines, *tracks[int(np.argmax(areas))])


@pytest.mark.parametrize("first", [0, 1, 3])
def test_a_folder_of_images_has_their_numbers_and_the_given_rate(first, tmp_path):
    for number in (first, first + 1, first + 4):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), np.full((4, 6, 3), number, np.uint8))
    (source,) = find_sources(tmp_path, image_fps=10)
    frames = list(source.frames())
    assert [frame.image[0, 0, 0] for frame in frames] == [first, first + 1, first + 4]
    numbers = [number + (first == 0) for number in (first, first + 1, first + 4)]
    assert [frame.number for frame in frames] == numbers
    assert [frame.timestamp for frame in frames] == pytest.approx([(number - 1) / 10 for number in numbers])
    assert (source.fps(), source.count()) == (10, 3)


@pytest.mark.slow
def test_images_are_a_video(model, predictor, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, frame in enumerate(short("single_face.mp4", 0.6)):
        if index != 4:  # an image may be missing
            cv2.imwrite(str(folder / f"{index:05d}.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    _, lines = predicted(folder, tmp_path / "out", predictor)
    assert [int(line["frame"]) for line in lines] == [1, 2, 3, 4, *range(6, 19)]
    assert [float(line["time"]) for line in lines[:5]] == pytest.approx([0, 0.04, 0.08, 0.12, 0.2])
    ((boxes, predictions),) = reference(read_frames(folder, first=0), model)
    check(lines, boxes, predictions)


@pytest.mark.slow
def test_no_face_is_no_error(predictor, tmp_path):
    options = PredictOptions(tmp_path, progress=False, seconds=1)
    ((_, found),) = predict_all(find_sources(clip("no_face.mp4")), predictor, options)
    summary = found.summary("no_face.mp4")
    assert summary.startswith("no_face.mp4: 24 frames, 0 with a face\n")
    assert "the table has empty values" in summary
    assert len((tmp_path / "no_face.csv").read_text().splitlines()) == 25


def test_one_bad_video_does_not_end_the_rest(predictor, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("not looked at")
    shutil.copy(clip("single_face.mp4"), folder / "b.mp4")
    shutil.copy(clip("single_face.mp4"), folder / "b.mov")
    options = PredictOptions(tmp_path / "out", progress=False, seconds=0.1)
    outcomes = {source.name: outcome for source, outcome in predict_all(find_sources(folder), predictor, options)}
    assert list(outcomes) == ["a", "b.mov", "b.mp4"]
    assert str(outcomes["a"]) == f"{folder / 'a.mp4'}: not a readable video. " + (
        "Check that it plays, or leave it out."
    )
    assert outcomes["b.mov"].frames == outcomes["b.mp4"].frames == 3
    suffixes = ("csv", "json", "png")
    assert {path.name for path in options.output.iterdir()} == {
        f"b.{of}.{kind}" for of in ("mov", "mp4") for kind in suffixes
    }
    with pytest.raises(UserError, match=r"b\.mov\.csv: exists already, with faces one, not all.*`overwrite`"):
        list(predict_all(find_sources(folder), predictor, replace(options, faces="all")))


def test_what_cannot_be_read_or_written_is_an_error(predictor, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match=rf"{path}: must "):
            find_sources(path)
    (tmp_path / "1.png").touch()
    (tmp_path / "v.mp4").touch()
    with pytest.raises(UserError, match="not a readable video"):
        list(predict_all(find_sources(tmp_path / "v.mp4"), predictor, PredictOptions(tmp_path / "out")))
    with pytest.raises(UserError, match=r"1\.png/out: cannot be created"):
        list(predict_all(find_sources(clip("single_face.mp4")), predictor, PredictOptions(tmp_path / "1.png" / "out")))
    for wrong in ({"every": 0}, {"faces": "both"}, {"seconds": 0}):
        with pytest.raises(UserError, match=f"`{next(iter(wrong))}` must be"):
            PredictOptions(tmp_path, **wrong)


class Camera:
    """In the place of OpenCV's: gives the frames of a clip, and presses Ctrl-C at the seventh."""

    def __init__(self, number):
        self.frames = short("single_face.mp4", 1) if number == 0 else iter(())
        self.given = 0

    def isOpened(self):
        return True

    def get(self, _):
        return 30.0

    def read(self):
        frame = next(self.frames, None)
        self.given += 1
        if self.given == 8:  # one was read to see whether there are any
            signal.raise_signal(signal.SIGINT)
        return frame is not None, None if frame is None else cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)

    def release(self):
        pass


@pytest.fixture
def cameras(monkeypatch):
    """Put `Camera` in the place of OpenCV's cameras: there is number 0 alone."""
    names = {name: getattr(cv2, name) for name in ("cvtColor", "COLOR_BGR2RGB", "CAP_PROP_FPS")}
    monkeypatch.setattr("affwildnet.predict.frame_sources.cv2", SimpleNamespace(VideoCapture=Camera, **names))


@pytest.mark.usefixtures("cameras")
def test_a_camera_gives_rgb():
    frames = camera(0).frames()
    first = next(frames)
    frames.close()
    assert first.number == 1
    # One frame was read to see whether there are any.
    np.testing.assert_array_equal(first.image, list(short("single_face.mp4", 0.05))[1].image)


@pytest.mark.usefixtures("cameras")
def test_a_camera_is_predicted_from_until_it_is_interrupted(predictor, tmp_path):
    found = predict_source(camera(0), predictor, PredictOptions(tmp_path, progress=False))
    assert (found.frames, found.frames_with_face) == (6, 6)
    times = [float(line.split(",")[1]) for line in (tmp_path / "camera0.csv").read_text().splitlines()[1:]]
    assert times[0] == 0
    assert all(np.diff(times) > 0)
    with pytest.raises(UserError, match=r"`camera` must be the number of a camera.*Received: 1"):
        camera(1)


def test_image_by_image_a_face_is_followed_and_a_new_one_begins_afresh(model, predictor):
    frames = [frame.image for frame in short("single_face.mp4", 0.4)]
    blank = np.zeros_like(frames[0])
    predictor.reset()
    assert [predictor.step(blank) for _ in range(5)] == [None] * 5
    found = [predictor.step(image) for image in [*frames[:5], blank, *frames[5:]]]
    assert found.pop(5) is None
    assert all(isinstance(prediction, Prediction) for prediction in found)
    cut = [predictor.aligner(image, each.box, each.landmarks) for image, each in zip(frames, found, strict=True)]
    expected = at_once(model, *(np.stack(part) for part in zip(*cut, strict=True)))
    np.testing.assert_allclose([(each.valence, each.arousal) for each in found], expected, atol=1e-5)
    other = next(read_frames(clip("WolfgangLanger_Pexels.mp4"))).image
    assert predictor.step(other) is None  # the first face may come back
    new = next(filter(None, (predictor.step(other, seconds=5 + number / 25) for number in range(5))))
    assert new.track != found[-1].track
    alone = at_once(model, *(part[None] for part in predictor.aligner(other, new.box, new.landmarks)))
    np.testing.assert_allclose((new.valence, new.arousal), alone[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["single_face.mp4", "face_noface.mov"])
def test_step_predicts_what_the_command_writes(name, predictor, tmp_path):
    found, lines = predicted(clip(name), tmp_path, predictor, look_ahead=False, seconds=3.2)
    predictor.reset()
    stepped = [predictor.step(frame.image, frame.timestamp) for frame in short(name, 3.2)]
    assert [line["face"] == "1" for line in lines] == [each is not None for each in stepped]
    assert found.frames_with_face > 20
    for line, each in zip(lines, stepped, strict=True):
        if each is not None:
            sides = [float(line[side]) for side in ("left", "top", "right", "bottom")]
            np.testing.assert_allclose(
                sides, [each.box.left, each.box.top, each.box.right, each.box.bottom], atol=0.006
            )
            values = [float(line["valence"]), float(line["arousal"])]
            np.testing.assert_allclose(values, [each.valence, each.arousal], atol=1e-5)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "affwildnet.predict", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_command_line(model, tmp_path):
    path = tmp_path / "model.keras"
    write_model(model, path)
    flags = (f"--model={path}", f"--output={tmp_path / 'out'}", "--gpu=-1")
    run = command(clip("single_face.mp4"), *flags, "--seconds=0.5", "--margin=0.2", "--precision=bfloat16")
    assert run.returncode == 0, run.stderr
    assert f"model: {path}, bfloat16\nfaces: " in run.stdout
    assert " crop, assumed, since the file does not say it; margin 0.2, as given; detector " in run.stdout
    assert "15 frames, 15 with a face" in run.stdout
    assert " frames/s: decode " in run.stdout
    for arguments, message in (
        ((), "Received: none."),
        (("a", "b"), "a: must be a video"),
        (("a", "--camera=0"), "Received: a and --camera."),
        ((tmp_path / "nowhere.mp4",), "Received: no such file."),
        ((clip("single_face.mp4"), "--seconds=0.4"), "exists already, with margin 0.2, not 0.1"),
    ):
        run = command(*arguments, *flags)
        assert run.returncode == 2
        lines = run.stderr.splitlines()
        assert len(lines) == 1, run.stderr
        assert lines[0].startswith("error: ")
        assert message in lines[0]


def test_times_that_do_not_rise_evenly_are_kept(predictor, tmp_path):
    times = [0.0, 0.5, 0.6, 2.0]
    frames = [Frame(n, time, np.zeros((64, 64, 3), np.uint8), n) for n, time in enumerate(times, 1)]
    made = FrameSource("made", "made", lambda: iter(frames), lambda: 0.0, lambda: 9)
    found = predict_source(made, predictor, PredictOptions(tmp_path, overlay=True, progress=False))
    assert [line.split(",")[1] for line in (tmp_path / "made.csv").read_text().splitlines()[1:]] == [
        f"{time:.6f}" for time in times
    ]
    assert len(list(read_frames(found.paths["overlay"]))) == 4
