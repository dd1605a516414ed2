"""The files of a prediction: the table, the plot and the video with the predictions drawn into it."""

import errno
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from affwildnet.predict import predict_source, prediction_table
from affwildnet.predict.curve_plot import plot_curves, read_curves
from affwildnet.predict.frame_faces import Face, FrameFaces
from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.overlay import FACES, Overlay
from affwildnet.predict.prediction_table import writing
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.video.reading import read_frames


def face(track, valence, arousal, left=10.0, image=None):
    points = np.full((68, 2), left + 5, np.float32)
    return Face(track, Box(left, 20, left + 30, 50), points, None, None, np.array([valence, arousal], np.float32))


def written(path, frames, with_track=False):
    with writing(path, with_track) as table:
        for frame in frames:
            table.write(frame)
    return path.read_text().splitlines()


def test_a_line_for_each_frame_with_empty_values_where_there_is_no_face(tmp_path):
    frames = [
        FrameFaces(1, 0.0, None, [face(1, 0.25, -0.5)]),
        FrameFaces(2, 1 / 30, None),
        FrameFaces(5, 0.1, None, [face(1, 1.2, 0)]),
    ]
    assert written(tmp_path / "t.csv", frames) == [
        "frame,time,left,top,right,bottom,face,valence,arousal",
        "1,0.000000,10.00,20.00,40.00,50.00,1,0.250000,-0.500000",
        "2,0.033333,,,,,0,,",
        "5,0.100000,10.00,20.00,40.00,50.00,1,1.200000,0.000000",
    ]


def test_a_line_for_each_face_in_a_table_of_all(tmp_path):
    frames = [FrameFaces(1, 0.0, None, [face(1, 0.25, -0.5), face(3, 0, 1, 70)]), FrameFaces(2, 0.5, None)]
    lines = written(tmp_path / "t.csv", frames, with_track=True)
    assert lines[0].endswith(",arousal,face_id")
    assert [line.split(",")[-1] for line in lines[1:]] == ["1", "3", ""]
    assert [line.track for line in prediction_table.lines(tmp_path / "t.csv")] == [1, 3, 0]


def test_a_table_is_whole_or_not_there(tmp_path):
    def broken():
        yield FrameFaces(1, 0.0, None)
        assert not (tmp_path / "t.csv").exists()
        assert len((tmp_path / ".partial-t.csv").read_text().splitlines()) == 2  # it can be watched as it grows
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "t.csv", broken())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="cannot be written"):
        written(tmp_path / "no folder" / "t.csv", [])


def test_a_long_table_is_read_in_few_points(tmp_path):
    # 10 frames in 4 points of 3: frames 4 to 6 have no face, frame 8 has none either.
    valences = [0.1, 0.2, 0.6, None, None, None, 0.5, None, 0.7, -1.0]
    frames = [
        FrameFaces(number, number / 10, None, [] if value is None else [face(1, value, -value)])
        for number, value in enumerate(valences)
    ]
    written(tmp_path / "t.csv", frames)
    curves = read_curves(tmp_path / "t.csv", points=4)
    assert (curves.frames, curves.tracks, list(curves.predictions)) == (3, 1, [1])
    np.testing.assert_allclose(curves.times, [0.1, 0.4, 0.7, 0.9])
    np.testing.assert_allclose(curves.predictions[1][:, 0], [0.3, np.nan, 0.6, -1.0], atol=1e-6)
    np.testing.assert_allclose(curves.predictions[1][:, 1], [-0.3, np.nan, -0.6, 1.0], atol=1e-6)


def test_of_many_faces_those_of_most_frames_are_drawn(tmp_path):
    frames = [
        FrameFaces(
            number, number / 10, None, [face(track, 0.1 * track, 0) for track in (1, 2, 3) if number % track == 0]
        )
        for number in range(12)
    ]
    written(tmp_path / "t.csv", frames, with_track=True)
    curves = read_curves(tmp_path / "t.csv", points=6, most=2)
    assert curves.tracks == 3
    np.testing.assert_allclose([curves.predictions[1][:, 0], curves.predictions[2][:, 0]], [[0.1] * 6, [0.2] * 6])


@pytest.mark.parametrize("kind", ["one", "several", "none", "single frame"])
def test_every_table_has_a_plot(kind, tmp_path):
    tracks = {"one": (1,), "several": (1, 2), "none": (), "single frame": (1,)}[kind]
    frames = [FrameFaces(n, n / 10, None, [face(track, 0.5, 0) for track in tracks if n % 3]) for n in range(1, 9)]
    written(tmp_path / "t.csv", frames[: 1 if kind == "single frame" else None], with_track=True)
    plot_curves(tmp_path / "t.csv", "a_clip", tmp_path / "t.png")
    image = cv2.imread(str(tmp_path / "t.png"))[..., ::-1]
    # The curves' colours are there: blue for valence, orange for arousal, or for one face and the other.
    blue, orange = ((np.abs(image.astype(int) - colour).max(-1) < 8).sum() for colour in ((0, 114, 178), (230, 159, 0)))
    assert (min(blue, orange) > 20) == (kind != "none")


@pytest.mark.parametrize("tracks", [(1,), (1, 2)])
def test_the_plot_shows_each_dimension_of_each_face(tracks, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr("affwildnet.predict.curve_plot.save", lambda figure, path: saved.append((figure, path)))
    frames = [
        FrameFaces(n, n / 10, None, [face(track, 0.1 * n, -0.05 * n * track) for track in tracks]) for n in range(1, 6)
    ]
    written(tmp_path / "t.csv", frames, with_track=True)
    plot_curves(tmp_path / "t.csv", "a video", tmp_path / "t.png")
    ((figure, path),) = saved
    assert path == tmp_path / "t.png"
    lines = [[line for line in axis.lines if len(line.get_xdata()) == 5] for axis in figure.axes]
    numbers = np.arange(1, 6)
    if len(tracks) == 1:
        shown = {line.get_label(): line for line in lines[0]}
        wanted = {"valence": 0.1 * numbers, "arousal": -0.05 * numbers}
        for name, values in wanted.items():
            np.testing.assert_allclose(shown[name].get_ydata(), values, atol=1e-6)
            np.testing.assert_allclose(shown[name].get_xdata(), numbers / 10, atol=1e-6)
    else:
        assert [axis.get_ylabel() for axis in figure.axes] == ["valence", "arousal"]
        for axis, values in zip(lines, ([0.1, 0.1], [-0.05, -0.1]), strict=True):
            assert [line.get_label() for line in axis] == ["face 1", "face 2"]
            for line, value in zip(axis, values, strict=True):
                np.testing.assert_allclose(line.get_ydata(), value * numbers, atol=1e-6)


def test_the_overlay_shows_box_landmarks_plane_and_curves(tmp_path):
    colour = np.array(FACES[0])

    def near(part):
        return (np.abs(part.astype(int) - colour).max(-1) < 40).sum()

    image = np.full((200, 320, 3), 60, np.uint8)
    with Overlay(tmp_path / "o.mp4", 30) as overlay:
        for number in range(1, 21):
            faces = [] if number == 8 else [face(1, 0.8, -0.8, left=100)]
            overlay.write(FrameFaces(number, number / 30, image, faces))
            drawn = overlay.drawn(FrameFaces(number, number / 30, image, faces))
        bare = overlay.drawn(FrameFaces(21, 21 / 30, image, []))
    assert drawn.shape == (360 + 152, 576, 3)  # 1.8 times as large, with the panels below
    scale = 1.8
    left, top, right, bottom = (round(scale * side) for side in (100, 20, 130, 50))
    for part in (drawn[top - 2 : top + 3, left:right], drawn[top:bottom, right - 2 : right + 3]):
        assert near(part) >= 45
    assert (drawn[round(scale * 105.5), round(scale * 105.5)] > 150).all()  # the landmarks are all there
    # The plane is below on the right: high valence and low arousal are in its right lower quarter.
    side = 152
    plane = drawn[360:, 576 - side :]
    half = side // 2
    quarters = [near(part) for rows in (plane[:half], plane[half:]) for part in (rows[:, :half], rows[:, half:])]
    assert quarters[3] > 20 > 5 > max(quarters[:3])
    # The curves beside it are still there when the face is gone, the box is not.
    curves = drawn[360:, : 576 - side]
    assert near(curves) > 20
    # Valence, which is high, is above arousal, which is low: at the upper and the lower edge of their strips.
    rows = np.flatnonzero([near(row) for row in curves])
    assert rows.min() < 0.2 * side
    assert rows.max() > 0.7 * side
    assert not [row for row in rows if 0.3 * side < row < 0.7 * side]
    assert near(bare[360:, : 576 - side]) > 20
    np.testing.assert_array_equal(bare[:360], 60)  # nothing but the frame, where there is no face
    decoded = [frame.image.shape for frame in read_frames(tmp_path / "o.mp4")]
    assert decoded == [(512, 576, 3)] * 20


@pytest.mark.parametrize("size", [(360, 640), (640, 360), (400, 400), (100, 1000)])
def test_the_panels_lie_outside_of_the_frame(size, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    height, width = size
    overlay = Overlay(tmp_path / "o.mp4", 30)
    drawn = overlay.drawn(FrameFaces(1, 0.0, image))
    scale = max(1, 360 / min(size))
    shown = drawn[: round(height * scale), : round(width * scale)]
    if scale == 1:
        np.testing.assert_array_equal(shown, image)
    else:
        np.testing.assert_array_equal(shown, cv2.resize(image, shown.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    beyond = (drawn.shape[0] - shown.shape[0], drawn.shape[1] - shown.shape[1])
    assert [side > 100 for side in beyond] == ([False, True] if height > width else [True, False])


def test_an_overlay_that_fails_ends_alone(tmp_path, monkeypatch):
    """The overlay's disk is full, or OpenCV cannot draw: the table and the plot are there, and the command says so."""
    image = np.zeros((60, 80, 3), np.uint8)
    network = SimpleNamespace(image_size=4)
    frames = [FrameFaces(number, number / 10, image, []) for number in range(1, 6)]
    monkeypatch.setattr(predict_source, "face_stream", lambda *_, **options: iter(frames))
    monkeypatch.setattr(predict_source, "with_predictions", lambda stream, *_: stream)
    source = FrameSource("made", "made.mp4", lambda: iter(()), lambda: 10.0, lambda: 5)
    finder = SimpleNamespace(detector=None, predictor=None, recogniser=None)
    predictor = SimpleNamespace(network=network, aligner=None, finder=finder, path=None, settings=dict)
    options = predict_source.PredictOptions(tmp_path, overlay=True, progress=False)

    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("write", "_check_whole"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tfrecords_tools.video.h264.H264Writer.{place}", full)
            found = predict_source.predict_source(source, predictor, options)
        assert found.overlay_error.errno == errno.ENOSPC
        assert sorted(path.name for path in tmp_path.iterdir()) == ["made.csv", "made.json", "made.png"]
        assert "overlay.mp4" not in found.summary("made.mp4")
    found = predict_source.predict_source(source, predictor, options)
    assert found.overlay_error is None
    assert [frame.timestamp for frame in read_frames(found.paths["overlay"])] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5]
    )


@pytest.mark.parametrize(
    ("age", "in_plane", "in_curves"), [(1.9, True, True), (2.1, False, True), (9.9, False, True), (10.1, False, False)]
)
def test_the_plane_shows_two_seconds_and_the_curves_ten(age, in_plane, in_curves, tmp_path):
    def panels(name, earlier):
        image = np.full((480, 640, 3), 60, np.uint8)
        with Overlay(tmp_path / name, 30) as overlay:
            for time, places in [*earlier, (12.0, (0.8, -0.8))]:
                frame = FrameFaces(1, time, image, [face(1, *places)])
                overlay.write(frame)
            drawn = overlay.drawn(frame)
        side = 202
        return drawn[-side:, -side:], drawn[-side:, :-side]

    with_earlier, without = panels("both.mp4", [(12 - age, (-0.8, 0.8))]), panels("one.mp4", [])
    changed = [np.any(one != other) for one, other in zip(with_earlier, without, strict=True)]
    assert changed == [in_plane, in_curves]


def test_an_overlay_that_is_broken_off_leaves_nothing(tmp_path):
    image = np.zeros((480, 640, 3), np.uint8)

    def broken_off():
        with Overlay(tmp_path / "o.mp4", 0) as overlay:
            overlay.write(FrameFaces(1, 0.0, image))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_whatever_is_wrong_with_one_video_the_others_are_predicted(tmp_path, monkeypatch):
    errors = {"a": MemoryError(), "b": cv2.error("bad"), "c": KeyError("x"), "d": None}
    sources = [FrameSource(name, name, None, None, None) for name in errors]
    predictor = SimpleNamespace(path=None, settings=dict)
    monkeypatch.setattr(predict_source, "warm_up", lambda predictor: None)

    def predicted(source, predictor, options):
        if errors[source.name] is not None:
            raise errors[source.name]
        return "done"

    monkeypatch.setattr(predict_source, "predict_source", predicted)
    options = predict_source.PredictOptions(tmp_path / "out")
    found = {source.name: outcome for source, outcome in predict_source.predict_all(sources, predictor, options)}
    assert found == {**errors, "d": "done"}

    errors["b"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):  # the others would meet it too
        list(predict_source.predict_all(sources, predictor, options))
