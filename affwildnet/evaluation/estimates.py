"""A split's estimates, frame by frame: what every protocol computes its scores from."""

from dataclasses import dataclass

import numpy as np

from affwildnet.metrics import Moments, scores


@dataclass(frozen=True)
class VideoEstimates:
    """What was estimated for one video, in time order; N frames, D outputs.

    Attributes:
      video: its name.
      subject: who is seen.
      frames: (N,) int64 frame numbers.
      timestamps: (N,) float32 seconds.
      labels: (N, D) float32, NaN where there is none: valence and arousal (D = 2), or 1 for the class and 0 for the
        others, in the order of `schema.EXPRESSIONS` (D = 7).
      estimates: (N, D) float32: valence and arousal, or the classes' probabilities.
    """

    video: str
    subject: str
    frames: np.ndarray
    timestamps: np.ndarray
    labels: np.ndarray
    estimates: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """(N,) bool."""
        return np.isfinite(self.labels).all(axis=1)

    @property
    def moments(self) -> Moments:
        return Moments.from_arrays(self.labels, self.estimates, self.labelled)


@dataclass(frozen=True)
class Evaluation:
    """A split's estimates and scores.

    Attributes:
      split: its name.
      videos: estimates of each video.
      frames_labelled: labelled frames that the manifest tells of; all of them are scored.
      scores: pooled over all frames of the split: `ccc`, `pearson`, `mse`, each with `valence`, `arousal`, `mean`.
    """

    split: str
    videos: tuple[VideoEstimates, ...]
    frames_labelled: int
    scores: dict[str, dict[str, float | None]]

    @property
    def frames_scored(self) -> int:
        return sum(int(video.labelled.sum()) for video in self.videos)

    def per_video(self) -> list[dict]:
        """Returns a row for each video: its name, its counts, and its own scores, None where no frame is labelled."""
        rows = []
        for video in self.videos:
            labelled = int(video.labelled.sum())
            row = {"video": video.video, "frames": len(video.frames), "frames_scored": labelled}
            rows.append({**row, "scores": scores(video.moments) if labelled else None})
        return rows
