"""Files of camcorders, discs and old recorders: frames of two fields, B-frames in AVI, shared packets of MPEG."""

import numpy as np
import pytest

from tests.helpers.awkward_videos import at, damage, number_in, write_video
from tfrecords_tools.video.reading import read_frames

FPS, COUNT = 25, 40
FIELDS = {"libx264": {"x264-params": "tff=1"}, "mpeg2video": {"flags": "+ildct+ilme"}}


def tall(number):
    """As `numbered`, as high as two fields need."""
    image = np.zeros((128, 224, 3), np.uint8)
    for bit in range(7):
        image[:, bit * 32 : (bit + 1) * 32] = 255 * (number >> bit & 1)
    return image


def write(path, codec, begin=0.0, first=1, frames=COUNT, **how):
    times = at(FPS, frames, begin)
    return write_video(path, times, codec=codec, fps=FPS, draw=lambda number: tall(number + first - 1), **how)


def read(path):
    frames = read_frames(path)
    return [(frame.number, number_in(frame.image)) for frame in frames], frames


@pytest.mark.parametrize(("suffix", "codec"), [("mts", "libx264"), ("m2ts", "mpeg2video"), ("mkv", "mpeg2video")])
def test_frames_of_two_fields_are_read(suffix, codec, tmp_path):
    path = write(tmp_path / f"clip.{suffix}", codec, group=12, reordered=2, options=FIELDS[codec])
    found, frames = read(path)
    assert found == [(number, number) for number in range(1, COUNT + 1)]
    assert (frames.lost, frames.count) == (0, COUNT)


def test_fields_that_begin_in_the_middle_of_a_recording_are_read(tmp_path):
    parts = [
        write(tmp_path / "1.ts", "libx264"),
        write(tmp_path / "2.ts", "libx264", COUNT / FPS, COUNT + 1, options=FIELDS["libx264"]),
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    found, _ = read(path)
    assert found == [(number, number) for number in range(1, 2 * COUNT + 1)]


@pytest.mark.parametrize("without", [(), (20,)])
@pytest.mark.parametrize("reordered", [0, 2])
def test_h264_in_an_avi(reordered, without, tmp_path):
    path = write(tmp_path / "clip.avi", "libx264", group=12 if reordered else 1, reordered=reordered, without=without)
    found, frames = read(path)
    assert (len(found), frames.lost, frames.count) == (COUNT - len(without), len(without), COUNT)
    assert all(number == shown for number, shown in found)


def test_the_last_frames_of_an_avi_are_the_last_ones_whatever_is_damaged_before(tmp_path):
    path = damage(write(tmp_path / "clip.avi", "mpeg4", group=12, reordered=2), [COUNT - 1])
    found, frames = read(path)
    assert found[-1] == (COUNT, COUNT)
    assert (frames.lost, frames.count) == (1, COUNT)


def test_two_frames_of_one_time_are_two_frames(tmp_path):
    # Matroska has times in milliseconds.
    times = [0, 0.04, 0.0401, 0.08, 0.08, 0.0802, 0.12]
    found, frames = read(write_video(tmp_path / "clip.mkv", times, draw=tall))
    assert found == [(number, number) for number in range(1, len(times) + 1)]
    assert (frames.lost, frames.count) == (0, len(times))


def test_frames_that_share_a_packet_of_an_mpeg_stream_are_all_there(tmp_path):
    path = write(tmp_path / "clip.mpg", "mpeg2video", group=12, frames=60)
    found, frames = read(path)
    assert found == [(number, number) for number in range(1, 61)]
    assert frames.lost == 0
