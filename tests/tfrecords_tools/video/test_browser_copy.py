"""Copies for the browser: the same times, upright, square pixels, and only where they are needed."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.helpers.annotated_clips import write_clip
from tests.helpers.awkward_videos import at, number_in, write_video
from tfrecords_tools.errors import UserError
from tfrecords_tools.video import browser_copy
from tfrecords_tools.video.reading import read_frames

AWKWARD = {
    "hevc.mp4": {"codec": "libx265"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "wmv2.wmv": {"codec": "wmv2"},
    "matroska.mkv": {},
    "wide.mp4": {"aspect": "64:45".replace(":", "/")},
    "varying.mp4": {"times": [i / 30 + (0.012 if i % 3 == 1 else 0) for i in range(30)]},
    "deep.mp4": {"pixels": "yuv444p"},
}


@pytest.mark.parametrize("name", AWKWARD)
def test_the_copy_has_the_same_times_and_is_played(name, tmp_path):
    path = write_clip(tmp_path / name, **AWKWARD[name])
    assert browser_copy.facts(path).reason
    shares = []
    copy = tmp_path / "copies" / "copy.mp4"
    browser_copy.transcode(path, copy, shares.append)
    expected, found = browser_copy.times(path), browser_copy.times(copy)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(found) == 30
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert browser_copy.facts(copy).reason in ("", "a frame rate that varies")
    assert [entry.name for entry in copy.parent.iterdir()] == ["copy.mp4"]


def test_what_a_browser_plays_is_left_alone(tmp_path):
    found = browser_copy.facts(write_clip(tmp_path / "plain.mp4", 1.5))
    assert found.reason == ""
    assert found.seconds == pytest.approx(1.5, abs=0.01)
    assert found.codec == "h264"


def test_pixels_become_square(tmp_path):
    path = write_clip(tmp_path / "wide.mp4", aspect="64/45", size=(450, 360))
    browser_copy.transcode(path, tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (640, 360)
        assert stream.sample_aspect_ratio in (None, 1, Fraction(1))


@pytest.mark.parametrize("data", [b"", b"no video", b"\x00" * 5000])
def test_what_is_no_video_is_said_in_a_line(data, tmp_path):
    path = tmp_path / "bad.mp4"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"bad\.mp4"):
        browser_copy.facts(path)
    with pytest.raises(UserError, match=r"bad\.mp4"):
        browser_copy.transcode(path, tmp_path / "copy.mp4")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.mp4"]


def test_a_coding_that_is_not_known_is_said(tmp_path):
    path = write_clip(tmp_path / "new.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(UserError, match=r"new\.mp4: the coding of this video is not known"):
        browser_copy.facts(path)
    with pytest.raises(UserError, match=r"new\.mp4: "):
        list(read_frames(path))


def test_the_times_of_a_copy_are_those_that_packing_reads(tmp_path):
    # The clock of an MPEG stream begins anywhere, that of an MP4 at zero.
    for name, start in (("clip.ts", 100.0), ("clip.mp4", 1.5)):
        path = write_video(tmp_path / name, at(25, 12, start), reordered=2, group=12)
        copy = tmp_path / f"{name}-copy.mp4"
        browser_copy.transcode(path, copy)
        packed = [frame.timestamp for frame in read_frames(path)]
        assert browser_copy.times(copy) == pytest.approx(packed, abs=1e-3)
        assert packed[0] == pytest.approx(0 if name == "clip.ts" else 1.5, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("fields.mts", "libx264", {"x264-params": "tff=1"}),
        ("reordered.avi", "libx264", {}),
        ("twice.mkv", "libx264", {}),
    ],
)
def test_the_copy_has_all_frames_that_packing_reads(name, codec, options, tmp_path):
    times = [0, 0.04, 0.0401, 0.08] if name == "twice.mkv" else at(25, 30)
    path = write_video(tmp_path / name, times, codec=codec, fps=25, group=12, reordered=2, options=options)
    browser_copy.transcode(path, tmp_path / "copy.mp4")
    packed, shown = ([(f.number, number_in(f.image)) for f in read_frames(p)] for p in (path, tmp_path / "copy.mp4"))
    assert packed == shown == [(number, number) for number in range(1, len(times) + 1)]


def test_the_sound_of_a_disc_is_copied(tmp_path):
    # PyAV's own conversion of AC-3 in a VOB ends the process.
    path = write_video(tmp_path / "disc.vob", at(25, 30), codec="mpeg2video", fps=25, sound="ac3")
    browser_copy.transcode(path, tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(48_000 * 1.2, rel=0.1)
