"""The annotator nearest to the landmarks, against annotations that are made of them."""

import numpy as np
import pytest

from tests.helpers.raters import make_rated_corpus
from tfrecords_tools.study import agreement_report, nearness

NAMES = ["ann", "ben", "cleo"]
FRAMES = 400


def curves(seed, columns):
    random = np.random.default_rng(seed)
    return np.cumsum(random.normal(size=(FRAMES, columns)), axis=0) / 40


def landmarks_that_move(seed):
    """Landmarks with three directions of movement, and those."""
    moves = curves(seed, 3)
    shapes = np.random.default_rng(9).normal(size=(3, 136)) * 0.02
    return (0.5 + (moves @ shapes).reshape(-1, 68, 2)).astype(np.float32), moves


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two videos: in valence ben follows the landmarks, in arousal cleo; the others mix in curves of their own."""
    landmarks, ratings = [], []
    for video in range(2):
        points, moves = landmarks_that_move(video)
        own = curves(10 + video, 4)
        valence = np.stack([own[:, 0], moves[:, 0], 0.4 * moves[:, 0] + own[:, 1]], axis=1)
        arousal = np.stack([0.2 * moves[:, 1] + own[:, 2], 0.4 * moves[:, 1] + own[:, 3], moves[:, 1]], axis=1)
        landmarks.append(points)
        ratings.append((np.stack([valence, arousal], axis=2) / 10).astype(np.float32))
    folder = tmp_path_factory.mktemp("rated") / "corpus"
    make_rated_corpus(folder, ratings, NAMES, landmarks)
    return folder


def test_who_follows_the_landmarks_is_nearest(corpus):
    found = nearness.of_corpus(corpus, ("train",))
    assert (found["nearest"]["valence"], found["nearest"]["arousal"]) == ("ben", "cleo")
    assert found["annotators"][1]["valence"]["mean"] == pytest.approx(1, abs=1e-3)
    leads = [rater["valence"]["lead"] for rater in found["annotators"]]
    assert sum(leads) == pytest.approx(0, abs=1e-9)  # where all have rated all videos
    assert found["annotators"][0]["both"] == pytest.approx(
        np.mean([found["annotators"][0][dimension]["lead"] for dimension in ("valence", "arousal")])
    )
    assert nearness.of_corpus(corpus, ("test",))["nearest"] == {"valence": None, "arousal": None, "both": None}


def test_the_report_ranks_the_annotators(corpus):
    found = agreement_report.report(corpus)
    near = found["landmarks"]
    assert near["nearest"]["valence"] == "ben"
    assert all(0 < rater["arousal"]["by_chance"] < 1 for rater in near["annotators"])
    text = agreement_report.table(found)
    assert "nearest to the landmarks: ben in valence, cleo in arousal" in text


def entry(*values):
    return [{"landmarks": value, "by_chance": None} for value in values]


def test_nobody_gains_by_rating_only_the_easy_videos():
    # By hand: in the hard video ann leads by 0.05 over ben; in the easy one ben leads by 0.05 over cleo.
    videos = {"valence": [entry(0.5, 0.4, None), entry(None, 0.9, 0.8)]}
    found = nearness.ranking(videos, NAMES)
    assert [rater["valence"]["mean"] for rater in found["annotators"]] == pytest.approx([0.5, 0.65, 0.8])
    assert [rater["valence"]["lead"] for rater in found["annotators"]] == pytest.approx([0.05, 0.0, -0.05])
    assert found["nearest"]["valence"] == "ann"


def test_an_annotator_without_a_correlation_is_none():
    found = nearness.ranking({"valence": [entry(None, 0.4)], "arousal": [entry(0.3, 0.2)]}, ["ann", "ben"])
    assert found["annotators"][0]["both"] is None
    assert found["nearest"] == {"valence": "ben", "arousal": "ann", "both": "ben"}
    assert "ann" in "\n".join(nearness.lines(found))
    assert nearness.lines(nearness.ranking({"valence": [], "arousal": []}, ["ann"])) == []
