"""Where the time of a prediction goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from tfrecords_tools.faces.boxes import Box, Detector
from tfrecords_tools.faces.landmarks import LandmarkPredictor

PHASES = ("decode", "detect", "landmarks", "crop", "network", "writing")


class PhaseTimes:
    """Seconds by phase; the time outside all phases is `other`."""

    def __init__(self):
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._began = time.perf_counter()

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Add the time of the block to a phase; blocks must not be nested."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] += time.perf_counter() - began

    def decoding(self, frames: Iterable) -> Iterator:
        """Yield the frames, and add the time it takes to get them to the phase `decode`."""
        iterator = iter(frames)
        while True:
            with self.of("decode"):
                frame = next(iterator, None)
            if frame is None:
                return
            yield frame

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began

    def shares(self) -> dict[str, float]:
        """Return each phase's share of the time since the beginning; they sum to 1."""
        total = max(self.total, 1e-9)
        shares = {phase: seconds / total for phase, seconds in self.seconds.items()}
        return {**shares, "other": max(0.0, 1 - sum(shares.values()))}


class TimedDetector:
    """A detector whose time is added to the phase `detect`."""

    def __init__(self, detector: Detector, times: PhaseTimes):
        self._detector, self._times = detector, times

    def detect(self, image: np.ndarray) -> list[Box]:
        with self._times.of("detect"):
            return self._detector.detect(image)

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        with self._times.of("detect"):
            return self._detector.detect_near(image, box)


class TimedLandmarks:
    """A landmark predictor whose time is added to the phase `landmarks`."""

    def __init__(self, predictor: LandmarkPredictor, times: PhaseTimes):
        self._predictor, self._times = predictor, times

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        with self._times.of("landmarks"):
            return self._predictor.predict(image, box)
