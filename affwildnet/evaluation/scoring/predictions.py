"""The predictions of a split, frame by frame, which every protocol computes its scores from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affwildnet.evaluation.scoring.video_scores import VideoScores
from affwildnet.metrics import Moments, Scores, scores
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS


@dataclass(frozen=True)
class VideoPredictions:
    """The predictions for one video, in time order; N frames, D outputs.

    Attributes:
      video: its name.
      subject: who is seen.
      frames: (N,) int64 frame numbers.
      timestamps: (N,) float32 seconds.
      labels: (N, D) float32, NaN where there is none: valence and arousal (D = 2), or 1 for the class and 0 for the
        others, in the order of `schema.EXPRESSIONS` (D = 7).
      predictions: (N, D) float32: valence and arousal, or the classes' probabilities.
    """

    video: str
    subject: str
    frames: np.ndarray
    timestamps: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Whether each frame has a label: (N,) bool."""
        return np.isfinite(self.labels).all(axis=1)

    @property
    def moments(self) -> Moments:
        """The moments of the labelled frames."""
        return Moments.from_arrays(self.labels, self.predictions, self.labelled)

    @property
    def key(self) -> tuple[str, str]:
        """Video and subject, unique in the corpus: a name is unique within a split, and a subject is in one split."""
        return self.video, self.subject


@dataclass(frozen=True)
class Evaluation:
    """A split's predictions and scores.

    Attributes:
      split: its name.
      videos: predictions of each video.
      frames_labelled: frames of the split with a label, as the manifest counts them; see `frames_scored`.
      scores: pooled over all frames of the split: `metrics.METRICS`, each with `valence`, `arousal`, `mean`; of classes
        of expression none, see `protocols.videos`.
      folds: number of videos of each fold, in order, where folds were gathered; else empty.
      smoothing: utterances on each side that an utterance's valence and arousal are averaged with, see
        `postprocessing`; where folds were gathered, of each of them, as each has chosen its own.
    """

    split: str
    videos: tuple[VideoPredictions, ...]
    frames_labelled: int
    scores: Scores
    folds: tuple[int, ...] = ()
    smoothing: tuple[int, ...] | tuple[tuple[int, ...], ...] = (0, 0)

    @classmethod
    def of(
        cls, split: str, videos: Sequence[VideoPredictions], frames_labelled: int | None = None, **more
    ) -> "Evaluation":
        """Return the evaluation of these videos.

        Args:
          frames_labelled: as the manifest counts them; None counts those of the videos.
          more: `folds`, `smoothing`.

        Raises:
          UserError: if no frame has a label.
        """
        videos = tuple(videos)
        scored = sum(int(video.labelled.sum()) for video in videos)
        if scored == 0:
            raise UserError(f"The split {split} has no frame with a label, so nothing is scored.")
        pooled = {}
        if videos[0].predictions.shape[1] == len(DIMENSIONS):
            total = Moments.empty()
            for video in videos:
                total = total.merge(video.moments)
            pooled = scores(total)
        return cls(split, videos, scored if frames_labelled is None else frames_labelled, pooled, **more)

    @property
    def frames_scored(self) -> int:
        """Frames with a label and a prediction."""
        return sum(int(video.labelled.sum()) for video in self.videos)

    def per_video(self) -> tuple[VideoScores, ...]:
        """Return the scores of each video over its own frames."""
        rows = []
        for video in self.videos:
            own, undefined = None, {}
            if video.labelled.any():
                own, undefined = scores(video.moments), video.moments.undefined()
            rows.append(VideoScores(**counts(video), scores=own, undefined=undefined))
        return tuple(rows)


def counts(video: VideoPredictions) -> dict:
    """Return the first fields of `VideoScores`: the video's name, who is seen, its frames and those with a label."""
    labelled = int(video.labelled.sum())
    return {"video": video.video, "subject": video.subject, "frames": len(video.frames), "frames_scored": labelled}
