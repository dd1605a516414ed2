"""Frames of a video file with their true timestamps, and a writer that leaves no half file behind."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError

# Broken files are reported by the errors below; the decoder's own chatter would hide them.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
      number: 1-based position among the frames that decode.
      timestamp: presentation time in seconds.
      image: (height, width, 3) uint8, RGB, upright.
    """

    number: int
    timestamp: float
    image: np.ndarray


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise UserError(f"{path}: a video must be a file. Received: no such file.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise UserError(f"{path}: not a readable video. Check that it plays, or remove it from the source folder.")
    return capture


def frame_rate(path: Path) -> float:
    """Frames per second as the container tells it; 0 where it tells none."""
    capture = _open(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return float(rate) if np.isfinite(rate) else 0.0


def read_frames(path: Path) -> Iterator[Frame]:
    """Yields every frame that decodes, in order. The container's frame count is not trusted.

    Raises:
      UserError: if the file cannot be opened or holds no frame.
    """
    capture = _open(path)
    number = 0
    try:
        while True:
            decoded, image = capture.read()
            if not decoded:
                break
            number += 1
            timestamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield Frame(number, timestamp, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
    if number == 0:
        raise UserError(f"{path}: no frame of this video decodes. Check that it plays, or remove it.")


class VideoWriter:
    """Writes RGB frames to an MPEG-4 file; it appears under its name only when it is whole.

    Use as a context manager. Within it call `write` with (height, width, 3) uint8 RGB arrays.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]):
        """`size` is (width, height) in pixels."""
        self._path = path
        self._partial = path.with_name(f".partial-{path.name}")
        self._writer = cv2.VideoWriter(str(self._partial), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise UserError(f"{path}: the video cannot be written. Check that the folder exists and is writable.")

    def write(self, image: np.ndarray) -> None:
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._writer.release()
        if error_type is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)
