"""A copy of a video that every browser plays: H.264 with the source's own times, upright and with square pixels.

PyAV (extra `[annotate]`) does it; no FFmpeg program is needed. The source is never touched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import whole
from tfrecords_tools.video.h264 import TIME_BASE, add_video
from tfrecords_tools.video.timeline import file_zero

# What Chromium, Firefox and Safari play as it is.
CONTAINERS = {".mp4": ("h264",), ".m4v": ("h264",), ".mov": ("h264",), ".webm": ("vp8", "vp9", "av1")}
PIXELS = ("yuv420p", "yuvj420p")
INSTALL = 'PyAV reads and writes such videos: pip install -e ".[annotate]"'
# Shares of the mean period by which two gaps between frames may differ in a video of a fixed rate.
_STEADY = 0.25


@dataclass(frozen=True)
class VideoFacts:
    """What a container says of its video.

    Attributes:
      seconds: length, 0 where it is not known.
      codec: such as "h264".
      reason: why a browser may not play it, or not rightly; "" where it does.
    """

    seconds: float
    codec: str
    reason: str


def check_installed() -> None:
    """Raise a `UserError` that says how to install PyAV where it is missing."""
    _av()


def facts(path: Path) -> VideoFacts:
    """Return the length of a video and whether a browser plays it.

    Raises:
      UserError: if the file is no readable video, or PyAV is not installed.
    """
    av = _av()
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                raise UserError(f"{path}: must hold a video. Received: a file without one.")
            seconds = float(container.duration or 0) / av.time_base
            if not seconds and stream.duration:
                seconds = float(stream.duration * stream.time_base)
            return VideoFacts(seconds, stream.codec_context.name, _reason(path, container, stream))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable video ({error}).") from None


def times(path: Path) -> list[float]:
    """Return the presentation time in seconds of every frame that decodes, in order, from the container's zero."""
    av = _av()
    with av.open(str(path), metadata_errors="ignore") as container:
        stream, zero = container.streams.video[0], file_zero(container)
        stream.thread_type = "AUTO"
        return [float(frame.time) - zero for frame in container.decode(stream) if frame.time is not None]


def transcode(path: Path, copy: Path, progress: Callable[[float], None] = lambda share: None) -> None:
    """Write `copy`, an MP4 that browsers play, with the same times of frames; it appears whole or not at all.

    Pixels become square, a rotation in the container's data is carried out, sound becomes AAC.

    Args:
      progress: called with the share that is done, from 0 to 1.

    Raises:
      UserError: if the video cannot be read, or the copy cannot be written.
    """
    av = _av()
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            whole(copy) as partial,
            av.open(str(path), metadata_errors="ignore") as source,
            av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as target,
        ):
            _copy(av, source, target, progress)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be converted for the browser ({error}).") from None


def _copy(av, source, target, progress: Callable[[float], None]) -> None:
    stream = source.streams.video[0]
    stream.thread_type = "AUTO"
    sound = next(iter(source.streams.audio), None)
    length = float(source.duration or 0) / av.time_base
    video, audio, last, zero = None, None, -1, file_zero(source)
    if sound is not None:
        audio = target.add_stream("aac", rate=sound.rate or 48_000)
    for frame in source.decode(*[each for each in (stream, sound) if each is not None]):
        if isinstance(frame, av.AudioFrame):
            if frame.pts is not None:
                frame.pts -= round(zero / frame.time_base)
            target.mux(audio.encode(frame))
            continue
        upright = _upright(av, frame, stream)
        if video is None:
            rate = min(max(round(stream.average_rate or 30), 1), 1000)
            video = add_video(target, (upright.width, upright.height), rate)
        if frame.time is None:
            continue
        seconds = float(frame.time) - zero
        pts = max(last + 1, round(seconds / float(TIME_BASE)))
        upright.pts, upright.time_base, last = pts, TIME_BASE, pts
        target.mux(video.encode(upright))
        if length:
            progress(min(1.0, max(0.0, seconds) / length))
    if video is None:
        raise ValueError("no frame of it decodes")
    target.mux(video.encode(None))
    if audio is not None:
        target.mux(audio.encode(None))
    progress(1.0)


def _upright(av, frame, stream):
    """Return the frame with square pixels, turned as the container says, its sides even as H.264 wants them."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    width = round(frame.width * ratio) if ratio > 1 else frame.width
    height = round(frame.height / ratio) if ratio < 1 else frame.height
    turns = round(_rotation(frame) / 90) % 4
    if not turns:
        return frame.reformat(width=max(2, width // 2 * 2), height=max(2, height // 2 * 2), format="yuv420p")
    import numpy as np

    image = np.rot90(frame.reformat(width=width, height=height, format="rgb24").to_ndarray(), turns)
    turned = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return turned.reformat(width=max(2, turned.width // 2 * 2), height=max(2, turned.height // 2 * 2), format="yuv420p")


def _rotation(frame) -> float:
    """Degrees anticlockwise by which the frame is turned to be upright."""
    return float(getattr(frame, "rotation", 0) or 0)


def _reason(path: Path, container, stream) -> str:
    codec = stream.codec_context
    if codec.name not in CONTAINERS.get(path.suffix.lower(), ()):
        return f"{codec.name} in {path.suffix.lower() or 'a file without suffix'}"
    if codec.pix_fmt not in PIXELS:
        return f"pixels as {codec.pix_fmt}"
    if stream.sample_aspect_ratio not in (None, 0, 1):
        return "pixels that are not square"
    moments = []
    for number, packet in enumerate(container.demux(stream)):
        if packet.pts is not None:
            moments.append(float(packet.pts * packet.time_base))
        if number >= 600:
            break
    container.seek(0)
    first = next(container.decode(stream), None)
    if first is not None and _rotation(first):
        return "a rotation"
    gaps = [after - before for before, after in zip(sorted(moments), sorted(moments)[1:], strict=False)]
    if gaps and max(gaps) - min(gaps) > _STEADY * sum(gaps) / len(gaps) + 0.002:
        return "a frame rate that varies"
    return ""


def _av():
    try:
        import av
    except ImportError:
        raise UserError(f"This needs PyAV. {INSTALL}") from None
    return av
