"""H.264 has the frames' own times and the sound of its source, and is whole or not there."""

import errno
import os
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.helpers.awkward_videos import number_in, numbered
from tfrecords_tools.errors import UserError
from tfrecords_tools.video.h264 import H264Writer
from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.timed_writing import WITHOUT_PYAV, timed_writer

SIZE = (224, 64)
UNEVEN = [0.0, 0.04, 0.05, 0.2, 0.21, 1.3, 1.34, 1.5]


def write(path, times, rate=25.0, sound=None, writer=H264Writer):
    with writer(path, SIZE, rate, sound) as video:
        for number, seconds in enumerate(times, 1):
            video.write(numbered(number), seconds)
    return video


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        (UNEVEN, 25.0),
        ([0.1 + time for time in UNEVEN], 25.0),
        ([number / 30 for number in range(90)], 1000.0),  # what the container of the source says is not so
        ([number / 66.667 for number in range(20)], 66.667),
        ([number / 211.222 for number in range(20)], 211.222),
        ([0.0], 0.0),
    ],
    ids=["uneven", "later", "nominal", "66.667", "211.222", "one"],
)
def test_each_frame_has_its_own_time(times, rate, tmp_path):
    write(tmp_path / "v.mp4", times, rate)
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert [number_in(frame.image) for frame in frames] == list(range(1, len(times) + 1))
    assert [frame.timestamp for frame in frames] == pytest.approx(times, abs=1e-3)
    with av.open(str(tmp_path / "v.mp4")) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it can be played while it is loaded
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def write_tone(path, codec, seconds=2.0, rate=16_000, start=0.0):
    """Write a file whose sound is a tone that begins at `start` seconds, beside a video."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        for number in range(round(25 * seconds)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        samples = np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)
        samples[: round(rate * start)] = 0
        for begin in range(0, len(samples), 1024):
            part = (8000 * samples[None, begin : begin + 1024]).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def loud_from(path):
    """Return codec, beginning and end of the loud part of a file's sound, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        loud = [
            float(frame.time)
            for frame in container.decode(stream)
            if np.abs(frame.to_ndarray().astype(float)).max() > 0.02
        ]
        return stream.codec_context.name, loud[0], loud[-1]


@pytest.mark.parametrize(
    ("codec", "container", "result"),
    [
        ("aac", "mp4", "aac"), ("pcm_s16le", "mov", "aac"), ("mp3", "avi", "mp3float"), ("mp2", "mkv", "aac"),
        ("mp2", "mpg", "aac"),
    ],
)  # fmt: skip
def test_the_sound_is_copied_at_its_time_up_to_the_last_frame(codec, container, result, tmp_path):
    source = write_tone(tmp_path / f"s.{container}", codec, seconds=2.0, start=0.5)
    video = write(tmp_path / "v.mp4", [number / 25 for number in range(30)], sound=source)
    name, begin, end = loud_from(tmp_path / "v.mp4")
    assert name == result
    assert begin == pytest.approx(0.5, abs=0.08)
    assert end == pytest.approx(1.2, abs=0.1)
    assert video.remarks == []
    assert len(list(read_frames(tmp_path / "v.mp4"))) == 30


def test_sound_with_a_gap_goes_on_at_its_time(tmp_path):
    whole, gap = write_tone(tmp_path / "whole.mkv", "mp2", seconds=2.0, start=1.0), tmp_path / "gap.mkv"
    with av.open(str(whole)) as source, av.open(str(gap), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            kind, index = packet.stream.type, packet.stream.index
            if packet.dts is not None and not (kind == "audio" and 0.3 < packet.pts * packet.time_base < 0.8):
                packet.stream = streams[index]
                target.mux(packet)
    video = write(tmp_path / "v.mp4", [number / 25 for number in range(40)], sound=gap)
    _, begin, end = loud_from(tmp_path / "v.mp4")
    assert (begin, end) == (pytest.approx(1.0, abs=0.08), pytest.approx(1.6, abs=0.1))
    assert video.remarks == []


def test_a_source_without_sound_or_with_none_that_can_be_read_gives_a_video(tmp_path):
    silent = tmp_path / "silent.mp4"
    write(silent, [0.0, 0.04])
    assert write(tmp_path / "a.mp4", [0.0, 0.04], sound=silent).remarks == []
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    unknown = write_tone(tmp_path / "unknown.mov", "pcm_s16le", seconds=0.2)
    unknown.write_bytes(unknown.read_bytes().replace(b"sowt", b"zzzz"))
    for name, source in (("b", tmp_path / "bad.mp4"), ("c", unknown)):
        (remark,) = write(tmp_path / f"{name}.mp4", [0.0, 0.04], sound=source).remarks
        assert "cannot be copied" in remark
    for name in ("a", "b", "c"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_what_is_broken_off_leaves_what_was_there(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"before")

    def broken_off():
        with H264Writer(path, SIZE) as video:
            video.write(numbered(1), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["v.mp4"]
    with pytest.raises(UserError, match="cannot be written"):
        H264Writer(tmp_path / "nowhere" / "v.mp4", SIZE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of resources")
def test_a_video_that_could_not_be_written_whole_is_an_error_and_leaves_nothing(tmp_path):
    child = os.fork()
    if not child:
        try:
            os._exit(_write_under_a_limit(tmp_path / "v.mp4"))
        finally:
            os._exit(1)  # whatever happens, it does not go on with the tests
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (errno.EIO, errno.EFBIG)
    assert list(tmp_path.iterdir()) == []


def _write_under_a_limit(path):
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    noise = np.random.default_rng(0)
    try:
        with H264Writer(path, SIZE) as video:
            for number in range(40):
                video.write(noise.integers(0, 255, (64, 224, 3), np.uint8), number / 25)
    except OSError as error:
        return error.errno
    return 0


@pytest.mark.parametrize("rate", [25.0, 66.667, 211.222, 1000.0])
def test_without_pyav_the_length_and_the_moments_are_kept(rate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    times = [5.0 + number / 30 for number in range(45)]
    video = write(tmp_path / "v.mp4", times, rate, writer=timed_writer)
    assert video.remarks == [WITHOUT_PYAV]
    monkeypatch.undo()
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert frames[-1].timestamp == pytest.approx(44 / 30, abs=0.06)
    for frame in frames:
        assert number_in(frame.image) == pytest.approx(1 + 30 * frame.timestamp, abs=1.3)
