"""Counts of videos by label and prediction, which merge; the accuracies of expressions follow from them."""

from dataclasses import dataclass

import numpy as np

from affwildnet.metrics import Reasons, ScoreArrays, ScoreKey
from tfrecords_tools.records.schema import EXPRESSIONS


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of videos (..., C, C) by label (rows) and prediction (columns), in the order of `schema.EXPRESSIONS`."""

    counts: np.ndarray

    @classmethod
    def of(cls, label: int, predicted: int) -> "Confusion":
        """Return the counts of one video."""
        counts = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS)))
        counts[label, predicted] = 1
        return cls(counts)

    def merge(self, other: "Confusion") -> "Confusion":
        """Return the counts of the videos of both."""
        return Confusion(self.counts + other.counts)

    def weighted(self, weights: np.ndarray) -> "Confusion":
        """Return the counts (R, C, C) of R sets, in which these videos occur `weights` (R,) times."""
        return Confusion(np.asarray(weights, np.float64)[:, None, None] * self.counts)

    def values(self) -> ScoreArrays:
        """Return `{"accuracy": {class: share of its videos that are recognised, ..., "total": share of all}}`.

        As ijcv2019 table 12 has it. NaN for a class without a video.
        """
        videos = self.counts.sum(axis=-1)
        right = np.diagonal(self.counts, axis1=-2, axis2=-1)
        each = np.divide(right, videos, out=np.full_like(videos, np.nan), where=videos > 0)
        total = right.sum(axis=-1) / videos.sum(axis=-1)
        return {"accuracy": {**{name: each[..., i] for i, name in enumerate(EXPRESSIONS)}, "total": total}}

    def undefined(self) -> Reasons:
        """Return why an accuracy is not defined; empty where all are."""
        videos = self.counts.sum(axis=-1)
        empty = [name for name, count in zip(EXPRESSIONS, videos, strict=True) if count == 0]
        return {ScoreKey("accuracy", name): "no video has this class" for name in empty}
