"""Scores that a network must beat: of the mean label, and of a linear regression on the landmarks."""

import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.evaluator import evaluate
from affwildnet.evaluation.scoring import protocols
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Scores
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.records.reader import read_columns

# More frames do not improve a regression on 136 numbers, as those of a video are alike.
MOST_FRAMES = 200_000


def baselines(
    train: Corpus, scored: Corpus, protocol: str = "frames", config: EvaluationConfig | None = None
) -> dict[str, Scores]:
    """Return the scores of simple estimators, by name.

    Args:
      train: the split that they are fitted on.
      scored: the split that they are scored on.
      protocol, config: how.

    Raises:
      UserError: if a split has no labelled frame, or a record is corrupt.
    """
    for corpus in (train, scored):
        if corpus.frames_labelled == 0:
            raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label.")
    # As scikit-learn's LinearRegression, whose import takes longer than all of this.
    from scipy.linalg import lstsq

    landmarks, labels = _landmarks_and_labels(train)
    mean, centre = labels.mean(axis=0), landmarks.mean(axis=0)
    weights = lstsq(landmarks - centre, labels - mean)[0]
    estimators = {
        "mean of the training labels": lambda entry: np.broadcast_to(mean, (entry.frames, 2)),
        "linear regression on the landmarks": lambda entry: (_landmarks(scored, entry) - centre) @ weights + mean,
    }
    found = {}
    for name, prediction in estimators.items():
        evaluation = evaluate(scored, prediction)
        found[name] = protocols.score(evaluation, protocol, config or EvaluationConfig(), resamples=0).scores
    return found


def _landmarks(corpus: Corpus, entry: VideoEntry) -> np.ndarray:
    landmarks = read_columns(corpus.folder, entry, ["landmarks"], corpus.manifest.fields)["landmarks"]
    return landmarks.reshape(len(landmarks), -1).astype(np.float64)


def _landmarks_and_labels(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 136) and (N, 2) float64 of at most `MOST_FRAMES` labelled frames, evenly spread."""
    every = -(-corpus.frames_labelled // MOST_FRAMES)
    landmarks, labels = [], []
    for entry in corpus.videos:
        own = read_columns(corpus.folder, entry, ["landmarks", "label"], corpus.manifest.fields)
        labelled = np.flatnonzero(np.isfinite(own["label"]).all(axis=1))[::every]
        landmarks.append(own["landmarks"][labelled].reshape(len(labelled), -1))
        labels.append(own["label"][labelled])
    return np.concatenate(landmarks).astype(np.float64), np.concatenate(labels).astype(np.float64)
