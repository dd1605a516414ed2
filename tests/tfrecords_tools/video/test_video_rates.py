"""Conversion to a fixed rate, trimming, and folders of images."""

import cv2
import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.reading import Frame, at_rate, frame_rate, read_frames
from tfrecords_tools.video.writing import VideoWriter

BITS, BLOCK = 6, 16


def numbered(number):
    """An image that carries its number as six white or black blocks."""
    image = np.zeros((32, BITS * BLOCK, 3), np.uint8)
    for bit in range(BITS):
        image[:, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return image


def number_in(image):
    return sum(int(image[16, bit * BLOCK + BLOCK // 2].mean() > 127) << bit for bit in range(BITS))


def video(path, frames, fps):
    with VideoWriter(path, fps, (BITS * BLOCK, 32)) as writer:
        for number in range(1, frames + 1):
            writer.write(numbered(number))
    return path


def folder(path, names):
    path.mkdir()
    for name in names:
        number = int(name.split(".")[0])
        cv2.imwrite(str(path / name), numbered(number))
    return path


def nearest(times, fps):
    """1-based source frames by looking at all of them for every output time, the earlier where two are as near."""
    count = int(np.ceil(times[-1] * fps + 0.5 - 1e-6))
    return [1 + int(np.argmin(np.round(np.abs(np.array(times) - j / fps), 7))) for j in range(count)]


@pytest.mark.parametrize(("rate", "fps"), [(25, 30), (30, 25), (25, 25), (30, 10), (10, 30), (29.97, 30)])
def test_a_video_is_converted_to_the_nearest_frames(tmp_path, rate, fps):
    path = video(tmp_path / "clip.mp4", 40, rate)
    frames = list(read_frames(path, fps=fps))
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    np.testing.assert_allclose([frame.timestamp for frame in frames], np.arange(len(frames)) / fps)
    sources = [frame.source for frame in frames]
    assert sources == [number_in(frame.image) for frame in frames]
    assert sources == nearest([frame.timestamp for frame in read_frames(path)], fps)
    assert len(frames) == round(39 / rate * fps) + 1


def test_25_to_30_doubles_every_fifth_and_30_to_25_drops_every_sixth():
    def sources(count, rate, fps):
        frames = (Frame(n, (n - 1) / rate, np.zeros(0), n) for n in range(1, count + 1))
        return [frame.source for frame in at_rate(frames, fps)]

    # At 25 a second frames are shown at 0, 40, 80, 120 ms; at 30, at 0, 33, 67, 100 ms, half way from 80: the earlier.
    assert sources(6, 25, 30) == [1, 2, 3, 3, 4, 5, 6]
    assert sources(7, 30, 25) == [1, 2, 3, 5, 6, 7]


def test_variable_times_are_converted_without_drift():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([0.01, 0.033, 0.05, 0.4], 200))
    frames = (Frame(n, time, np.zeros(0), n) for n, time in enumerate(times, 1))
    found = list(at_rate(frames, 30))
    assert [frame.source for frame in found] == nearest(times, 30)
    assert found[0].source == 1  # though it is shown only later
    inside = [frame for frame in found if frame.timestamp > times[0]]
    assert max(abs(frame.timestamp - times[frame.source - 1]) for frame in inside) <= 0.2 + 1e-9


def test_a_conversion_holds_two_frames():
    taken = 0

    def source():
        nonlocal taken
        for number in range(1, 1001):
            taken = number
            yield Frame(number, (number - 1) / 25, np.zeros(0), number)

    for frame in at_rate(source(), 30):
        assert taken - frame.source <= 1


@pytest.mark.parametrize("fps", [None, 25])
def test_trimming_keeps_numbers_and_times(tmp_path, fps):
    path = video(tmp_path / "clip.mp4", 30, 25)
    frames = list(read_frames(path, fps=fps, start=0.4, end=0.8))
    assert [frame.number for frame in frames] == list(range(11, 21))  # frame 11 is shown at 0.4 s, frame 21 at 0.8 s
    assert [number_in(frame.image) for frame in frames] == list(range(11, 21))
    np.testing.assert_allclose([frame.timestamp for frame in frames], np.arange(10, 20) / 25, atol=1e-3)
    assert [frame.number for frame in read_frames(path, start=1.0)] == list(range(26, 31))
    assert [frame.number for frame in read_frames(path, fps=fps, end=0.1)] == [1, 2, 3]


def test_the_first_frame_after_the_start_may_be_one_shown_before(tmp_path):
    # At 30 frames a second, the first at 0.12 s or later is at 0.133 s, nearest to the frame at 0.1 s.
    path = video(tmp_path / "clip.mp4", 5, 10)
    frames = list(read_frames(path, fps=30, start=0.12, end=0.21))
    assert [(frame.number, frame.source) for frame in frames] == [(5, 2), (6, 3), (7, 3)]
    assert [number_in(frame.image) for frame in frames] == [2, 3, 3]


def test_images_are_ordered_by_number_and_keep_their_gaps(tmp_path):
    names = ["10.png", "9.png", "00001.jpg", "2.JPG", "100.png", "11.jpeg"]
    path = folder(tmp_path / "clip", [name for name in names if name != "100.png"])
    (path / "notes.txt").write_text("7")
    (path / "thumb.png").write_bytes(b"")
    frames = list(read_frames(path, image_fps=10))
    assert [frame.number for frame in frames] == [1, 2, 9, 10, 11]
    assert [number_in(frame.image) for frame in frames] == [1, 2, 9, 10, 11]
    np.testing.assert_allclose([frame.timestamp for frame in frames], [0, 0.1, 0.8, 0.9, 1.0])
    assert frame_rate(path, 10) == 10


def test_images_from_0_are_numbered_from_1(tmp_path):
    path = folder(tmp_path / "clip", [f"{number:05d}.png" for number in (0, 1, 3)])
    frames = list(read_frames(path, first=0))
    assert [(frame.number, number_in(frame.image)) for frame in frames] == [(1, 0), (2, 1), (4, 3)]
    np.testing.assert_allclose([frame.timestamp for frame in frames], [0, 0.04, 0.12])
    with pytest.raises(UserError, match=r"00000\.png: image numbers must start at 1"):
        list(read_frames(path, first=1))


def test_images_are_rgb(tmp_path):
    (tmp_path / "clip").mkdir()
    cv2.imwrite(str(tmp_path / "clip" / "1.png"), np.full((8, 8, 3), (10, 20, 200), np.uint8))  # blue, green, red
    assert next(read_frames(tmp_path / "clip")).image[0, 0].tolist() == [200, 20, 10]


@pytest.mark.parametrize(
    ("names", "match"), [([], "must hold JPEG or PNG"), (["1.png", "01.jpg"], "must occur once"), (["a.png"], "none")]
)
def test_a_folder_that_cannot_be_a_video_is_an_error(tmp_path, names, match):
    (tmp_path / "clip").mkdir()
    for name in names:
        cv2.imwrite(str(tmp_path / "clip" / name), numbered(1))
    with pytest.raises(UserError, match=match):
        list(read_frames(tmp_path / "clip"))


def test_a_broken_image_is_named(tmp_path):
    path = folder(tmp_path / "clip", ["1.png"])
    (path / "2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"2\.png: not a readable image"):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [({"fps": 0}, "`fps` must be above 0"), ({"fps": float("nan")}, "`fps`"), ({"start": 2, "end": 1}, "before `end`")],
)
def test_arguments_out_of_range_are_errors(tmp_path, arguments, match):
    with pytest.raises(UserError, match=match):
        list(read_frames(video(tmp_path / "clip.mp4", 3, 25), **arguments))


def test_links_to_nothing_and_folders_are_no_images(tmp_path):
    path = folder(tmp_path / "clip", ["1.png", "4.png"])
    (path / "2.png").symlink_to(tmp_path / "gone")
    (path / "3.png").mkdir()
    (path / ".ipynb_checkpoints").mkdir()
    assert [frame.number for frame in read_frames(path)] == [1, 4]
