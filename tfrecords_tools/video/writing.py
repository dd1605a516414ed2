"""Write a video file, whole or not at all."""

import errno
import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import sync

# What fails is seen at the end; the libraries' own lines, one for each frame, would hide it.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# MPEG-4 counts the ticks of a second in 16 bits.
_MOST_TICKS = 65_535
# Below so many free bytes, the disk is what kept a video from being written.
_FULL = 1 << 20


class VideoWriter:
    """Write RGB frames to an MPEG-4 file, which appears under its name when it is whole.

    Example:
        >>> with VideoWriter("clip.mp4", fps=25, size=(640, 360)) as video:
        ...     video.write(image)
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int]):
        """Open the file.

        Args:
          path: of the file.
          fps: frames per second.
          size: (width, height) in pixels.

        Raises:
          UserError: if the file cannot be written.
        """
        self._path = path = Path(path)
        self._frames = 0
        self._partial = path.with_name(f".partial-{path.name}")
        self._writer = cv2.VideoWriter(str(self._partial), cv2.VideoWriter_fourcc(*"mp4v"), _writable(fps), size)
        if not self._writer.isOpened():
            raise UserError(f"{path}: the video cannot be written. Check that the folder exists and is writable.")

    def write(self, image: np.ndarray) -> None:
        """Append a frame, (height, width, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._frames += 1

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._writer.release()
        try:
            if error_type is None:
                self._check_whole()
                sync(self._partial)
                os.replace(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _check_whole(self) -> None:
        """Raise an `OSError` unless all frames are in the file: OpenCV does not say what it could not write."""
        written = cv2.VideoCapture(str(self._partial))
        count = int(written.get(cv2.CAP_PROP_FRAME_COUNT)) if written.isOpened() else 0
        if count:
            written.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
        last, _ = written.read()
        written.release()
        if count != self._frames or not (last or not count):
            number = errno.ENOSPC if shutil.disk_usage(self._path.parent).free < _FULL else errno.EIO
            raise OSError(number, os.strerror(number), str(self._path))


def _writable(fps: float) -> float:
    """Return the rate with as many decimals as MPEG-4 can have: 66.667 needs 66667 ticks a second, 66.67 only 6667."""
    return next((round(fps, digits) for digits in (3, 2, 1) if fps * 10**digits <= _MOST_TICKS), float(round(fps)))
