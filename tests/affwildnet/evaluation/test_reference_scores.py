"""Scores of the mean label and of a linear regression, against their definitions."""

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation.reference_scores import baselines
from tests.helpers.corpora import landmarks_of, make_corpus
from tfrecords_tools.errors import UserError

MEAN, LINEAR = "mean of the training labels", "linear regression on the landmarks"


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """More training frames than landmark values, and all of these at random: the regression has one solution.

    Returns the folder, and (N, 136) landmarks and (N, 2) labels of the labelled frames of both splits.
    """
    rng = np.random.default_rng(0)
    landmarks = rng.random((3, 121, 68, 2)).astype(np.float32)
    labels = rng.uniform(-1, 1, (3, 121, 2)).astype(np.float32)
    labels += 2 * landmarks[:, :, 30]
    monkeypatch.setattr("tests.helpers.corpora.landmarks_of", lambda video, frame: landmarks[video, frame])
    kinds = [
        {"frames": 120, "unlabelled": [3, 4, 77]},
        {"frames": 100},
        {"frames": 60, "split": "validation", "unlabelled": [9]},
    ]
    make_corpus(tmp_path, [{**kind, "labels": labels[i, 1 : kind["frames"] + 1]} for i, kind in enumerate(kinds)])
    frames = [
        [(i, frame) for frame in range(1, kind["frames"] + 1) if frame not in kind.get("unlabelled", ())]
        for i, kind in enumerate(kinds)
    ]
    arrays = [
        tuple(np.float64([values[i, frame].ravel() for i, frame in part]) for values in (landmarks, labels))
        for part in (frames[0] + frames[1], frames[2])
    ]
    return tmp_path, *arrays


def ccc(y, x):
    covariance = np.mean((y - y.mean()) * (x - x.mean()))
    return 2 * covariance / (y.var() + x.var() + (y.mean() - x.mean()) ** 2)


def test_the_mean_of_the_labels_has_no_concordance(corpus):
    folder, (_, train), (_, labels) = corpus
    found = baselines(Corpus.open(folder, "train"), Corpus.open(folder, "validation"))[MEAN]
    assert found["ccc"] == {"valence": 0, "arousal": 0, "mean": 0}
    assert found["pearson"] == {"valence": None, "arousal": None, "mean": None}
    errors = np.mean((labels - train.mean(axis=0)) ** 2, axis=0)
    assert found["mse"] == pytest.approx({"valence": errors[0], "arousal": errors[1], "mean": errors.mean()})


def test_the_linear_regression_is_that_of_least_squares(corpus):
    folder, (landmarks, labels), (scored_landmarks, scored_labels) = corpus
    found = baselines(Corpus.open(folder, "train"), Corpus.open(folder, "validation"))[LINEAR]
    with_constant = np.column_stack([landmarks, np.ones(len(landmarks))])
    assert len(with_constant) > np.linalg.matrix_rank(with_constant) == 137
    weights = np.linalg.lstsq(with_constant, labels, rcond=None)[0]
    predictions = np.column_stack([scored_landmarks, np.ones(len(scored_landmarks))]) @ weights
    for column, name in enumerate(("valence", "arousal")):
        expected = ccc(scored_labels[:, column], predictions[:, column])
        assert 0.1 < expected < 0.9
        assert found["ccc"][name] == pytest.approx(expected, abs=1e-9)
        error = np.mean((scored_labels[:, column] - predictions[:, column]) ** 2)
        assert found["mse"][name] == pytest.approx(error, rel=1e-9)


def test_labels_that_are_linear_in_the_landmarks_are_found(tmp_path):
    frames = {0: range(1, 81), 1: range(1, 41)}
    labels = {v: [(landmarks_of(v, f)[0, 1] - 0.5, 0.3 - landmarks_of(v, f)[7, 1]) for f in frames[v]] for v in frames}
    make_corpus(tmp_path, [{"frames": 80, "labels": labels[0]}, {"frames": 40, "labels": labels[1], "split": "test"}])
    found = baselines(Corpus.open(tmp_path, "train"), Corpus.open(tmp_path, "test"))
    assert found[LINEAR]["ccc"]["mean"] > 0.999
    assert found[MEAN]["ccc"]["mean"] == 0


def test_a_training_split_without_labels_is_refused(tmp_path):
    make_corpus(tmp_path, [{"frames": 5, "unlabelled": range(1, 6)}, {"frames": 5, "split": "test"}])
    with pytest.raises(UserError, match="no frame of the split train has a label"):
        baselines(Corpus.open(tmp_path, "train"), Corpus.open(tmp_path, "test"))
