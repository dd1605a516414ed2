"""Frames of a video file or a folder of images with their true times."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.images import IMAGE_FPS, image_files, read_image

# The errors below report broken files; the decoder's own messages would hide them.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
      number: 1-based. Of a video, its position among the frames that decode; of a folder, the number in the image's
        name; after a conversion to a fixed rate, its position at that rate.
      timestamp: presentation time in seconds; after a conversion, (number - 1) / rate.
      image: (height, width, 3) uint8, RGB, upright.
      source: 1-based number that the frame had before a conversion; without one, the same as `number`.
    """

    number: int
    timestamp: float
    image: np.ndarray
    source: int


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise UserError(f"{path}: a video must be a file or a folder of images. Received: no such file.")
    # One thread: each core packs a video of its own, and a second thread hardly decodes faster.
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise UserError(f"{path}: not a readable video. Check that it plays, or remove it from the source folder.")
    return capture


def frame_rate(path: Path, image_fps: float = IMAGE_FPS) -> float:
    """Return the frames per second by the container, 0 where it does not say; `image_fps` for a folder of images."""
    if path.is_dir():
        return image_fps
    capture = _open(path)
    rate = _rate(capture)
    capture.release()
    return rate


def read_frames(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    image_fps: float = IMAGE_FPS,
    first: int = 1,
) -> Iterator[Frame]:
    """Yield every frame that decodes, in order; hold two images at most.

    Ignore the container's frame count, and use what decodes of a broken file. Where the container's times do not rise,
    a frame is shown one period of the frame rate after the one before.

    Example:
        >>> for frame in read_frames("clip.mp4", fps=25):
        ...     frame.number, frame.timestamp, frame.image.shape

    Args:
      path: a video file, or a folder of JPEG or PNG images named by their numbers, which may have gaps.
      fps: rate to convert to: frame j is the source frame whose time is nearest to (j - 1) / fps, so that frames are
        repeated or dropped. None keeps the source's frames.
      start: seconds; earlier frames are left out. Numbers and times stay those of the whole video.
      end: seconds; frames at this time or later are left out.
      image_fps: frames per second of a folder of images.
      first: number of a folder's first image, 0 or 1. Frame numbers are 1-based whichever it is.

    Raises:
      UserError: if the path cannot be read, holds no frame, or an argument is out of its range.
    """
    path = Path(path)
    for name, rate in (("fps", fps), ("image_fps", image_fps)):
        if rate is not None and not 0 < rate <= 1000:
            raise UserError(f"`{name}` must be above 0 and at most 1000 frames per second. Received: {rate}.")
    if start is not None and end is not None and not start < end:
        raise UserError(f"{path}: `start` must be before `end`. Received: {start} and {end} seconds.")
    # A conversion needs the neighbours of the first and of the last frame that it keeps.
    begin = 0.0 if fps or start is None else start
    frames = _images(path, image_fps, first, begin) if path.is_dir() else _video(path, begin)
    if fps:
        frames = at_rate(frames, fps)
    for frame in frames:
        if end is not None and frame.timestamp >= end:
            return
        if start is None or frame.timestamp >= start:
            yield frame


def _video(path: Path, begin: float) -> Iterator[Frame]:
    capture = _open(path)
    period = 1 / (_rate(capture) or IMAGE_FPS)
    number, timestamp = 0, -1.0
    try:
        while capture.grab():
            # The container's own time: the frame number divided by the mean rate is wrong where the rate varies.
            shown = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            timestamp = shown if number == 0 or shown > timestamp else timestamp + period
            number += 1
            if timestamp >= begin:
                decoded, image = capture.retrieve()
                if not decoded:
                    break
                yield Frame(number, timestamp, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), number)
    finally:
        capture.release()
    if number == 0:
        raise UserError(f"{path}: no frame of this video decodes. Check that it plays, or remove it.")


def _rate(capture: cv2.VideoCapture) -> float:
    rate = capture.get(cv2.CAP_PROP_FPS)
    return float(rate) if np.isfinite(rate) and rate > 0 else 0.0


def _images(folder: Path, rate: float, first: int, begin: float) -> Iterator[Frame]:
    for number, path in image_files(folder, first):
        timestamp = (number - 1) / rate
        if timestamp >= begin:
            yield Frame(number, timestamp, read_image(path), number)


def at_rate(frames: Iterable[Frame], fps: float) -> Iterator[Frame]:
    """Yield frames at a fixed rate; hold two of them.

    Frame j of the result, from 1, is the given frame whose timestamp is nearest to (j - 1) / fps, the earlier of two
    that are equally near. The last frame is at the time nearest to the last timestamp.

    Args:
      frames: with rising timestamps.
      fps: frames per second of the result.
    """
    number, before = 1, None
    for frame in frames:
        while before is not None and (time := (number - 1) / fps) < frame.timestamp:
            # Times are sums of rounded fractions: of two equally near, one may seem nearer by the last bit.
            if time - before.timestamp > frame.timestamp - time + 1e-9:
                break
            yield replace(before, number=number, timestamp=time)
            number += 1
        before = frame
    while before is not None and (number - 1) / fps <= before.timestamp + 0.5 / fps - 1e-9:
        yield replace(before, number=number, timestamp=(number - 1) / fps)
        number += 1
