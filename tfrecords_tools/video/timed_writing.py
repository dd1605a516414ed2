"""Write frames at their times: as H.264 where PyAV is installed, and otherwise as MPEG-4 at a constant rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from tfrecords_tools.video.h264 import H264Writer
from tfrecords_tools.video.writing import VideoWriter

INSTALL = 'pip install -e ".[video]"'
WITHOUT_PYAV = (
    f"MPEG-4 at a constant rate and without sound, which browsers do not play; with PyAV it is H.264: {INSTALL}"
)
_RATES = (1.0, 60.0)  # frames per second, of a constant rate


class TimedWriter(Protocol):
    """Writes RGB frames at rising times, in seconds; a context manager whose file appears when it is whole."""

    remarks: list[str]

    def write(self, image: np.ndarray, seconds: float) -> None: ...

    def __enter__(self) -> "TimedWriter": ...

    def __exit__(self, *error) -> None: ...


def timed_writer(path: Path, size: tuple[int, int], rate: float, sound: Path | None = None) -> TimedWriter:
    """Return what writes a video; see `H264Writer` for the arguments and errors."""
    try:
        import av  # noqa: F401
    except ImportError:
        return _ConstantRate(path, size, rate)
    return H264Writer(path, size, rate, sound)


class _ConstantRate:
    """Shows each moment the frame that is there: frames are repeated or dropped, times kept to half a period."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float):
        self.remarks = [WITHOUT_PYAV]
        self._rate = min(max(rate, _RATES[0]), _RATES[1])
        self._writer = VideoWriter(path, self._rate, size)
        self._first: float | None = None
        self._written = 0
        self._before: np.ndarray | None = None

    def write(self, image: np.ndarray, seconds: float) -> None:
        self._first = seconds if self._first is None else self._first
        self._repeat(lambda place: place < round((seconds - self._first) * self._rate))
        self._before = image.copy()

    def _repeat(self, wanted: Callable[[int], bool]) -> None:
        while self._before is not None and wanted(self._written):
            self._writer.write(self._before)
            self._written += 1

    def __enter__(self) -> "_ConstantRate":
        return self

    def __exit__(self, *error) -> None:
        if error[0] is None and self._before is not None:
            self._writer.write(self._before)
        self._writer.__exit__(*error)
