"""Where the time of a prediction goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from tfrecords_tools.faces.boxes import Box, Detector
from tfrecords_tools.faces.landmarks import LandmarkPredictor

NAMES = ("decode", "detect", "landmarks", "crop", "network", "writing")


class Stages:
    """Seconds by stage; what is in none of them is `other`."""

    def __init__(self):
        self.seconds = dict.fromkeys(NAMES, 0.0)
        self._began = time.perf_counter()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the time within as that of a stage; stages do not hold one another."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def decoding(self, frames: Iterable) -> Iterator:
        """Yield the frames; the time for getting them is that of `decode`."""
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
        """Return each stage's share of the time since the beginning; they sum to 1."""
        total = max(self.total, 1e-9)
        shares = {name: seconds / total for name, seconds in self.seconds.items()}
        return {**shares, "other": max(0.0, 1 - sum(shares.values()))}


class TimedDetector:
    """A detector whose time is counted."""

    def __init__(self, detector: Detector, stages: Stages):
        self._detector, self._stages = detector, stages

    def detect(self, image: np.ndarray) -> list[Box]:
        with self._stages.of("detect"):
            return self._detector.detect(image)

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        with self._stages.of("detect"):
            return self._detector.detect_near(image, box)


class TimedPredictor:
    """A landmark predictor whose time is counted."""

    def __init__(self, predictor: LandmarkPredictor, stages: Stages):
        self._predictor, self._stages = predictor, stages

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        with self._stages.of("landmarks"):
            return self._predictor.predict(image, box)
