"""A copy of a video that every browser plays: H.264 with the source's own times, upright and with square pixels.

PyAV (extra `[annotate]`) does it; no FFmpeg program is needed. The source is never touched.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular
from tfrecords_tools.video.h264 import H264Writer
from tfrecords_tools.video.reading import frame_rate, read_frames
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
        with av.open(str(regular(path)), metadata_errors="ignore") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                raise UserError(f"{path}: must hold a video. Received: a file without one.")
            if stream.codec_context is None:
                raise UserError(f"{path}: the coding of this video is not known. Convert it to H.264.")
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

    Frames, times and numbers are those that packing reads: pixels are square, the frame is upright, lost frames leave a
    gap. Sound that browsers do not play becomes AAC.

    Args:
      progress: called after each frame with the share that is done, from 0 to 1; 0 where the length is not known.

    Raises:
      UserError: if the video cannot be read, or the copy cannot be written.
    """
    av, length = _av(), facts(path).seconds
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            writer = size = None
            for frame in read_frames(path):
                if writer is None:
                    height, width = (max(2, side // 2 * 2) for side in frame.image.shape[:2])  # as H.264 wants them
                    size = (width, height)
                    writer = stack.enter_context(H264Writer(copy, size, frame_rate(path), sound=path))
                writer.write(_fitted(frame.image, size), frame.timestamp)
                progress(min(1.0, frame.timestamp / length) if length else 0.0)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: cannot be converted for the browser ({error}).") from None
    progress(1.0)


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a frame without its last row or column, if that is odd, or scaled where the video changes its size."""
    width, height = size
    cut = image[:height, :width]
    return cut if abs(image.shape[0] - height) < 2 and cut.shape[:2] == (height, width) else cv2.resize(image, size)


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
