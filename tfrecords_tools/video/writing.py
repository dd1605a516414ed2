"""Write a video file, whole or not at all."""

import os
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError


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
        self._partial = path.with_name(f".partial-{path.name}")
        self._writer = cv2.VideoWriter(str(self._partial), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise UserError(f"{path}: the video cannot be written. Check that the folder exists and is writable.")

    def write(self, image: np.ndarray) -> None:
        """Append a frame, (height, width, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._writer.release()
        if error_type is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)
