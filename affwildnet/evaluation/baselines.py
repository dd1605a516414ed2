"""What a network has to beat: the labels' mean, and a linear regression on the landmarks. Fitted on the train split."""

import numpy as np
from sklearn.linear_model import LinearRegression

from affwildnet.data import Corpus
from affwildnet.metrics import Moments, scores
from tfrecords_tools.errors import UserError
from tfrecords_tools.inspection import read_records


def baselines(train: Corpus, scored: Corpus) -> dict[str, dict]:
    """Returns the scores on one split of estimators fitted on another, by name.

    Raises:
      UserError: if a split has no labelled frame, or a record is corrupt.
    """
    for corpus in (train, scored):
        if corpus.frames_labelled == 0:
            raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label.")
    landmarks, labels = _landmarks_and_labels(train)
    test_landmarks, test_labels = _landmarks_and_labels(scored)
    estimates = {
        "mean of the training labels": np.broadcast_to(labels.mean(axis=0), test_labels.shape),
        "linear regression on the landmarks": LinearRegression().fit(landmarks, labels).predict(test_landmarks),
    }
    return {name: scores(Moments.from_arrays(test_labels, values)) for name, values in estimates.items()}


def _landmarks_and_labels(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    records = [record for entry in corpus.videos for record in read_records(corpus.folder, entry)]
    labels = np.array([record["label"] for record in records], np.float64)
    landmarks = np.array([record["landmarks"].ravel() for record in records], np.float64)
    labelled = np.isfinite(labels).all(axis=1)
    return landmarks[labelled], labels[labelled]
