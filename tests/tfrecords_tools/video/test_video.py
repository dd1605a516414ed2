"""Frames of video files: number, order, colour and time; and a writer of whole files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.video import reading
from tfrecords_tools.video.reading import frame_rate, read_frames
from tfrecords_tools.video.writing import VideoWriter

RED = np.array([220, 30, 40], np.uint8)


def write(path, frames=12, fps=25):
    with VideoWriter(path, fps, (96, 64)) as video:
        for number in range(1, frames + 1):
            image = np.empty((64, 96, 3), np.uint8)
            image[:] = RED
            image[:, : 4 * number] = 200
            video.write(image)
    return path


@pytest.mark.parametrize(("suffix", "fps"), [(".mp4", 25), (".mp4", 30), (".avi", 25), (".mp4", 29.97)])
def test_frames_come_in_order_with_number_and_time(tmp_path, suffix, fps):
    frames = list(read_frames(write(tmp_path / f"clip{suffix}", fps=fps)))
    assert [frame.number for frame in frames] == list(range(1, 13))
    np.testing.assert_allclose([frame.timestamp for frame in frames], np.arange(12) / fps, atol=1e-3)
    green = [(frame.image[32, :, 1] > 115).sum() for frame in frames]  # of the white bar, which red does not have
    np.testing.assert_allclose(green, 4 * np.arange(1, 13), atol=2)
    assert frame_rate(tmp_path / f"clip{suffix}") == pytest.approx(fps, rel=1e-3)


def test_times_that_do_not_rise_go_on_by_the_period(monkeypatch):
    # 25 frames a second; the container's time repeats, falls back, and goes on.
    shown = [0.0, 0.04, 0.04, 0.02, 0.30, 0.30]

    class Capture:
        place = -1

        def grab(self):
            self.place += 1
            return self.place < len(shown)

        def get(self, name):
            return 25.0 if name == cv2.CAP_PROP_FPS else 1000 * shown[self.place]

        def retrieve(self):
            return True, np.zeros((2, 2, 3), np.uint8)

        def release(self):
            pass

    monkeypatch.setattr(reading, "_open", lambda path: Capture())
    frames = list(read_frames(Path("clip.mp4")))
    np.testing.assert_allclose([frame.timestamp for frame in frames], [0, 0.04, 0.08, 0.12, 0.30, 0.34])
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5, 6]


def test_images_are_rgb(tmp_path):
    frame = next(read_frames(write(tmp_path / "clip.mp4")))
    assert frame.image.shape == (64, 96, 3)
    assert frame.image.dtype == np.uint8
    np.testing.assert_allclose(frame.image[:, 20:].mean((0, 1)), RED, atol=12)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50, b"\x00" * 4096])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_what_is_no_video_is_an_error(tmp_path, content, suffix):
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"clip\{suffix}: "):
        list(read_frames(path))


def test_a_video_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"gone\.mp4.*no such file"):
        list(read_frames(tmp_path / "gone.mp4"))
    with pytest.raises(UserError, match=r"gone\.mp4"):
        frame_rate(tmp_path / "gone.mp4")


def test_a_video_cut_off_gives_an_error_or_its_first_frames(tmp_path):
    whole = write(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.mp4: not a readable video"):  # an MP4's table stands at its end
        list(read_frames(tmp_path / "cut.mp4"))
    whole = write(tmp_path / "whole.avi", frames=24).read_bytes()
    frames_start = whole.index(b"movi")
    (tmp_path / "cut.avi").write_bytes(whole[: frames_start + (len(whole) - frames_start) // 2])
    numbers = [frame.number for frame in read_frames(tmp_path / "cut.avi")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) < 24


def test_a_video_appears_only_when_it_is_whole(tmp_path):
    def broken():
        with VideoWriter(tmp_path / "clip.mp4", 25, (96, 64)) as video:
            video.write(np.zeros((64, 96, 3), np.uint8))
            assert not (tmp_path / "clip.mp4").exists()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_video_stays_when_a_later_one_fails(tmp_path):
    before = write(tmp_path / "clip.mp4").read_bytes()
    with pytest.raises(cv2.error), VideoWriter(tmp_path / "clip.mp4", 25, (96, 64)) as video:
        video.write(np.zeros((64, 96, 3), np.complex64))
    assert (tmp_path / "clip.mp4").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        VideoWriter(tmp_path / "gone" / "clip.mp4", 25, (96, 64))
