"""Write a video file that leaves no half file behind."""

import os
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError


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
