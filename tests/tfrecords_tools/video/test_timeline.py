"""Numbers and times of frames in videos that lose some: a frame keeps those that it was coded with."""

import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from tests.helpers.awkward_videos import at, cut_off, damage, number_in, numbered, turn, write_video
from tests.helpers.new_process import in_new_process
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.video import reading
from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.timeline import Numbering, Timeline, read_timeline

FPS, COUNT = 30, 60
CONTAINERS = [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4"), ("avi", "mjpeg")]


def read(path, **how):
    """[(number, number in the image, seconds)], and the frames' object."""
    frames = read_frames(path, **how)
    return [(frame.number, number_in(frame.image), frame.timestamp) for frame in frames], frames


def assert_true_numbers(found, fps=FPS):
    numbers, shown, times = map(np.array, zip(*found, strict=True))
    np.testing.assert_array_equal(numbers, shown)
    np.testing.assert_allclose(times, (numbers - 1) / fps, atol=1e-3)


@pytest.mark.parametrize(("suffix", "codec"), CONTAINERS)
@pytest.mark.parametrize("places", [(0,), (5,), (59,), (20, 21, 22, 40)], ids=["first", "early", "last", "several"])
def test_the_frames_after_a_damaged_packet_keep_their_numbers(suffix, codec, places, tmp_path):
    path = damage(write_video(tmp_path / f"clip.{suffix}", at(FPS, COUNT), codec=codec), places)
    found, frames = read(path)
    assert_true_numbers(found)
    assert [number for number, _, _ in found] == [n for n in range(1, COUNT + 1) if n - 1 not in places]
    assert (frames.lost, frames.count) == (len(places), COUNT)


@pytest.mark.parametrize("place", [0, 7])
def test_what_needs_a_damaged_frame_is_lost_with_it_and_the_next_key_frame_has_its_number(place, tmp_path):
    path = write_video(tmp_path / "clip.mp4", at(FPS, COUNT), group=12, reordered=2)
    found, frames = read(damage(path, [place]))
    assert frames.lost + len(found) == frames.count == COUNT
    later = [each for each in found if each[0] > 24]
    assert_true_numbers(later)
    assert len(later) == COUNT - 24


@pytest.mark.parametrize(("suffix", "codec"), [*CONTAINERS[1:], ("ts", "libx264")])
@pytest.mark.parametrize("places", [(30,), (10, 30, 31)])
def test_a_dropped_frame_keeps_its_number_where_the_container_does_not_count_it_out(suffix, codec, places, tmp_path):
    path = write_video(tmp_path / f"clip.{suffix}", at(FPS, COUNT), codec=codec, without=places)
    found, frames = read(path)
    assert_true_numbers(found)
    assert (frames.lost, frames.count) == (len(places), COUNT)


def test_what_an_mp4_lacks_is_told_by_the_rows_of_an_annotation(tmp_path):
    path = write_video(tmp_path / "clip.mp4", at(FPS, COUNT), without=[30])
    by_itself, frames = read(path)  # its own count is that of its packets
    assert ([number for number, _, _ in by_itself], frames.lost) == (list(range(1, COUNT)), 0)
    assert read(path, rows=COUNT - 1)[0] == by_itself
    for rows in (COUNT, COUNT + 1):
        found, frames = read(path, rows=rows)
        assert_true_numbers(found)
        assert frames.lost == 1
    assert read(path, rows=COUNT - 20)[0] == by_itself  # another fault
    assert read(path, rows=COUNT - 1, rows_may_be_fewer=True)[0] == by_itself
    assert_true_numbers(read(path, rows=COUNT, rows_may_be_fewer=True)[0])


def test_the_rows_of_an_annotation_may_say_that_nothing_is_missing(tmp_path):
    path = write_video(tmp_path / "clip.mkv", at(FPS, COUNT), without=[30])
    found, frames = read(path, rows=COUNT - 1)
    assert ([number for number, _, _ in found], frames.lost) == (list(range(1, COUNT)), 0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("kind", ["variable", "paused"])
def test_a_rate_that_varies_skips_no_number(kind, suffix, tmp_path):
    if kind == "variable":
        times = np.cumsum([0, *np.random.default_rng(0).choice([0.01, 0.033, 0.05, 0.4], COUNT - 1)]).tolist()
    else:
        times = [time + 5 * (time >= 1) for time in at(FPS, COUNT)]
    found, frames = read(write_video(tmp_path / f"clip.{suffix}", times))
    assert [(number, shown) for number, shown, _ in found] == [(n, n) for n in range(1, COUNT + 1)]
    np.testing.assert_allclose([time for _, _, time in found], times, atol=1e-3)
    assert frames.lost == 0


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_frame_of_a_variable_rate_that_is_damaged_is_one_number(suffix, tmp_path):
    times = np.cumsum([0, *np.random.default_rng(1).choice([0.02, 0.033, 0.05, 0.4], COUNT - 1)]).tolist()
    found, frames = read(damage(write_video(tmp_path / f"clip.{suffix}", times), [0, 8, 9, 40]))
    assert [number for number, _, _ in found] == [shown for _, shown, _ in found]
    np.testing.assert_allclose([time for _, _, time in found], [times[n - 1] for n, _, _ in found], atol=1e-3)
    assert frames.lost == 4


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(("suffix", "fps"), [("mp4", 25), ("mkv", 25), ("mp4", 30)])
def test_time_is_counted_from_the_containers_zero(suffix, fps, sound, tmp_path):
    path = write_video(tmp_path / f"clip.{suffix}", at(fps, 20, start=1.5), fps=fps, sound=sound)
    found, _ = read(path)
    assert [number for number, _, _ in found] == list(range(1, 21))
    np.testing.assert_allclose([time for _, _, time in found], at(fps, 20, start=1.5), atol=1e-3)
    assert [frame.number for frame in read_frames(path, start=1.7)] == [
        number for number, _, time in found if time >= 1.7
    ]


def test_the_clock_of_an_mpeg_stream_begins_with_it(tmp_path):
    alone, _ = read(write_video(tmp_path / "alone.ts", at(25, 20, start=100)))
    assert alone[0][2] == 0
    later, _ = read(write_video(tmp_path / "later.ts", at(25, 20, start=1.5), sound=True))
    # AAC begins with 1024 samples of its own before zero.
    assert later[0][2] == pytest.approx(1.5 + 1024 / 48_000, abs=1e-3)


def test_a_conversion_fills_a_lost_frame_with_its_neighbours(tmp_path):
    path = damage(write_video(tmp_path / "clip.mp4", at(FPS, 12)), [5])
    frames = list(read_frames(path, fps=FPS))
    assert [frame.number for frame in frames] == list(range(1, 13))
    assert [frame.source for frame in frames] == [1, 2, 3, 4, 5, 5, 7, 8, 9, 10, 11, 12]


def test_frames_that_a_cut_off_file_lacks_are_lost(tmp_path):
    found, frames = read(cut_off(write_video(tmp_path / "clip.mkv", at(FPS, COUNT)), 0.6))
    assert_true_numbers(found)
    assert 10 < len(found) < 50
    assert (frames.lost, frames.count) == (COUNT - len(found), COUNT)


@pytest.mark.parametrize(("aspect", "size"), [("64/45", (640, 360)), ("9/16", (450, 640)), ("1", (450, 360))])
def test_pixels_become_square(aspect, size, tmp_path):
    def circle(number):
        width, height = (450, 360)
        image = np.zeros((height, width, 3), np.uint8)
        wide, high = (120, 120 * size[0] / width / (size[1] / height))
        cv2.ellipse(image, ((width / 2, height / 2), (wide, high), 0), (255, 255, 255), -1)
        return image

    path = write_video(tmp_path / "clip.mp4", at(FPS, 3), aspect=aspect, draw=circle)
    frames = list(read_frames(path))
    for frame in frames:
        assert frame.image.shape == (size[1], size[0], 3)
        assert frame.scale == pytest.approx((size[0] / 450, size[1] / 360))
        down, across = np.nonzero(frame.image[..., 0] > 127)
        assert np.ptp(down) == pytest.approx(np.ptp(across), abs=3)


def test_a_turned_frame_is_upright_and_its_pixels_are_square(tmp_path):
    path = turn(write_video(tmp_path / "clip.mp4", at(FPS, 3), aspect="4/3"))
    frames = list(read_frames(path))
    assert [frame.image.shape for frame in frames] == [(round(224 * 4 / 3), 64, 3)] * 3
    upright = cv2.rotate(cv2.resize(numbered(2), None, fx=4 / 3, fy=1), cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(frames[1].image.astype(int) - upright).mean() < 12


def test_a_late_frame_and_a_time_that_is_not_known():
    line = Timeline(np.array([0.0, 0.04, 0.08, 0.12]), 0.0, 0.04, 4, True)
    numbering = line.numbering()
    assert numbering.add(0.0) == (1, 0.0)
    assert numbering.add(0.08) == (3, 0.08)
    assert numbering.add(0.04) is None
    assert numbering.add(0.0) == (4, 0.12)  # 0: the decoder does not know
    assert (numbering.lost, numbering.number) == (1, 4)


def test_a_hidden_frame_is_part_of_another_one():
    # VP8 codes some frames only for others to refer to: a packet of its own, a millisecond after another.
    times = np.sort([*np.arange(6) / 25, 0.041, 0.161])
    numbering = Numbering(Timeline(times, 0.0, 0.04, 0, True), None)
    assert [numbering.add(time)[0] for time in np.arange(6) / 25] == [1, 2, 3, 4, 5, 6]


def test_without_times_frames_are_counted(tmp_path):
    numbering = Timeline().numbering()
    assert [numbering.add(shown) for shown in (0.0, 0.04, 0.0)] == [(1, 0.0), (2, 0.04), (3, 0.08)]
    (tmp_path / "text.mp4").write_text("no video")
    assert len(read_timeline(tmp_path / "text.mp4").times) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
def test_a_name_that_is_no_text_does_not_end_the_process(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp4")
    path = write_video(tmp_path / "clip.mp4", at(FPS, 3))
    os.rename(os.fsencode(path), name)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tfrecords_tools.video.reading import read_frames\n"
        "from tfrecords_tools.errors import UserError\n"
        f"try:\n    list(read_frames(Path(os.fsdecode({name!r}))))\nexcept UserError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0
    assert r"caf\xe9.mp4: the name of a file must be UTF-8" in found.stdout


def test_an_image_of_an_impossible_size_is_an_error(tmp_path):
    (tmp_path / "images").mkdir()
    ihdr = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    chunk = (13).to_bytes(4, "big") + ihdr + zlib.crc32(ihdr).to_bytes(4, "big")
    (tmp_path / "images" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(UserError, match=r"1\.png: not a readable image"):
        list(read_frames(tmp_path / "images"))


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("flv", "flv1"), ("wmv", "wmv2"), ("3gp", "mpeg4"), ("m2ts", "libx264"), ("mts", "libx264")]
)
def test_of_a_whole_video_nothing_is_lost(suffix, codec, sound, tmp_path):
    path = write_video(tmp_path / f"clip.{suffix}", at(25, 30), codec=codec, fps=25, group=12, sound=sound)
    found, frames = read(path)
    assert [(number, shown) for number, shown, _ in found] == [(n, n) for n in range(1, 31)]
    assert frames.lost == 0


def test_what_an_mp4_was_cut_to_is_not_lost(tmp_path):
    # The first frames lie before the container's zero: players do not show them, and no label counts them.
    path = write_video(tmp_path / "clip.mp4", at(FPS, COUNT, start=-0.1), without=[30])
    found, frames = read(path)
    assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
    assert (found[0][1:], frames.lost) == ((4, 0.0), 0)


@pytest.mark.parametrize("damaged", [(), (5, 20)])
def test_what_opencv_has_no_decoder_for_is_decoded_all_the_same(damaged, tmp_path, monkeypatch):
    path = damage(write_video(tmp_path / "clip.mp4", at(FPS, COUNT), aspect="4/3"), damaged)
    expected = list(read_frames(path))

    class Capture:  # of a build without the decoder, as all of AV1 are
        def __init__(self, capture):
            self._capture = capture

        def grab(self):
            return False

        def __getattr__(self, name):
            return getattr(self._capture, name)

    opened = reading._open
    monkeypatch.setattr(reading, "_open", lambda path: Capture(opened(path)))
    frames = read_frames(path)
    found = list(frames)
    assert frames.lost == len(damaged)
    for one, other in zip(found, expected, strict=True):
        assert (one.number, one.timestamp, one.scale) == (other.number, other.timestamp, other.scale)
        assert np.abs(one.image.astype(int) - other.image).mean() < 3


def test_av1_is_read(tmp_path):
    path = tmp_path / "clip.mp4"
    # The encoder gives the process that it runs in, and what that starts, precedence over all others where it may.
    in_new_process(
        "from tests.helpers.awkward_videos import at, write_video\n"
        f"write_video({str(path)!r}, at(25, 10), codec='libsvtav1', fps=25, group=10)\nprint('null')"
    )
    found, _ = read(path)
    assert [(number, shown) for number, shown, _ in found] == [(n, n) for n in range(1, 11)]
    np.testing.assert_allclose([time for _, _, time in found], at(25, 10), atol=1e-3)
