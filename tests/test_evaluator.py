"""Every frame of a split estimated once, as the network alone would, and scores as NumPy computes them."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from corpora import label_of, make_corpus
from networks import numpy
from trainings import TINY, tiny_corpus, tiny_model

from affwildnet.data import Corpus
from affwildnet.evaluation.evaluator import Evaluator, VideoEstimates
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools import manifest
from tfrecords_tools.errors import UserError
from tfrecords_tools.inspection import read_records

RUNS = [(3, 11), (14, 26)]  # of v2; v3 has the frames 1 to 13
UNLABELLED = {5, 6, 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def corpus(folder):
    return Corpus.open(folder, "validation", 32)


@pytest.fixture(scope="module")
def model():
    return tiny_model(seed=5)


@pytest.fixture(scope="module")
def evaluation(corpus, model):
    return Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))(model)


def scores_by_numpy(labels, estimates):
    """CCC, Pearson and MSE of (N, 2) values, from their definitions, in float64."""
    labels, estimates = np.float64(labels), np.float64(estimates)
    found = {"ccc": [], "pearson": [], "mse": []}
    for y, x in zip(labels.T, estimates.T, strict=True):
        covariance = np.mean((y - y.mean()) * (x - x.mean()))
        found["ccc"].append(2 * covariance / (y.var() + x.var() + (y.mean() - x.mean()) ** 2))
        found["pearson"].append(covariance / (y.std() * x.std()))
        found["mse"].append(np.mean((y - x) ** 2))
    return {name: dict(zip(("valence", "arousal", "mean"), (*v, np.mean(v)), strict=True)) for name, v in found.items()}


def by_hand(corpus, model, window):
    """(frames, estimates) of each video: each window alone, read record by record, nothing padded."""
    found = {}
    for entry in corpus.videos:
        records = read_records(corpus.folder, entry)
        frames = [int(record["frame"]) for record in records]
        estimates = []
        for first, last in entry.runs:
            run = records[frames.index(first) : frames.index(last) + 1]
            for start in range(0, len(run), window):
                part = run[start : start + window]
                faces = np.stack([tf.io.decode_jpeg(record["face"]).numpy() for record in part])
                landmarks = np.stack([record["landmarks"] for record in part])
                estimates += list(numpy(model({"frames": faces[None], "landmarks": landmarks[None]})[0]))
        found[entry.video] = frames, np.array(estimates)
    return found


def test_every_frame_is_estimated_once_in_order(evaluation):
    frames = {video.video: video.frames.tolist() for video in evaluation.videos}
    assert frames == {"v2": [*range(3, 12), *range(14, 27)], "v3": list(range(1, 14))}
    for video in evaluation.videos:
        np.testing.assert_allclose(video.timestamps, (video.frames - 1) / 30, rtol=1e-6)
        assert video.estimates.shape == video.labels.shape == (len(video.frames), 2)


@pytest.mark.parametrize(("batch_size", "window"), [(2, 6), (1, 80), (4, 5), (3, 1)])
def test_estimates_are_those_of_the_network_on_each_window_alone(batch_size, window, corpus, model):
    found = Evaluator(corpus, EvaluationConfig(batch_size=batch_size, window=window))(model)
    expected = by_hand(corpus, model, window)
    pooled = []
    for video in found.videos:
        frames, estimates = expected[video.video]
        assert video.frames.tolist() == frames
        np.testing.assert_allclose(video.estimates, estimates, rtol=1e-4, atol=1e-5)
        labelled = [frame not in UNLABELLED or video.video == "v3" for frame in frames]
        labels = np.array([label_of(int(video.video[1]), frame) for frame in frames])
        pooled.append((labels[labelled], estimates[labelled]))
    by_definition = scores_by_numpy(*(np.concatenate(part) for part in zip(*pooled, strict=True)))
    for metric, values in by_definition.items():
        for name, value in values.items():
            assert found.scores[metric][name] == pytest.approx(value, abs=1e-4), (metric, name)
    assert found.frames_scored == found.frames_labelled == 22 - 3 + 13


def test_where_a_window_starts_matters_so_the_check_above_can_fail(corpus, model):
    short, long = (by_hand(corpus, model, window)["v3"][1] for window in (5, 80))
    np.testing.assert_allclose(short[:5], long[:5], rtol=1e-4, atol=1e-5)
    assert np.abs(short[5:] - long[5:]).max() > 1e-3


def test_labels_are_those_of_the_records_and_missing_ones_nan(evaluation):
    first, second = evaluation.videos
    assert set(first.frames[~first.labelled].tolist()) == UNLABELLED
    assert np.isnan(first.labels[~first.labelled]).all()
    assert second.labelled.all()
    for index, video in ((2, first), (3, second)):
        expected = np.array([label_of(index, frame) for frame in video.frames[video.labelled]])
        np.testing.assert_allclose(video.labels[video.labelled], expected, rtol=1e-6)


def test_scores_per_video_are_of_that_video_alone(evaluation):
    rows = evaluation.per_video()
    assert [(row["video"], row["frames"], row["frames_scored"]) for row in rows] == [("v2", 22, 19), ("v3", 13, 13)]
    for row, video in zip(rows, evaluation.videos, strict=True):
        expected = scores_by_numpy(video.labels[video.labelled], video.estimates[video.labelled])
        for metric, values in expected.items():
            assert row["scores"][metric] == pytest.approx(values, abs=1e-9)
    # Pooling is not averaging: what the challenge's scores are, and what they are not.
    mean = np.mean([row["scores"]["ccc"]["mean"] for row in rows])
    assert abs(mean - evaluation.scores["ccc"]["mean"]) > 1e-4


def test_a_video_without_labels_is_estimated_and_not_scored(folder, model):
    evaluation = Evaluator(Corpus.open(folder, "test", 32), TINY.evaluation)(model)
    rows = evaluation.per_video()
    assert [(row["frames"], row["frames_scored"]) for row in rows] == [(11, 0), (10, 10)]
    assert rows[0]["scores"] is None
    assert np.isfinite(evaluation.videos[0].estimates).all()
    assert evaluation.frames_scored == evaluation.frames_labelled == 10


def test_half_a_label_is_no_label(tmp_path, model):
    labels = np.array([label_of(0, frame) for frame in range(1, 9)])
    labels[2, 0] = labels[5, 1] = np.nan
    make_corpus(tmp_path, [{"frames": 8, "labels": labels}])
    evaluation = Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)
    assert evaluation.frames_scored == evaluation.frames_labelled == 6
    assert np.isnan(evaluation.videos[0].labels[[2, 5]]).all()


def test_one_evaluator_scores_the_weights_that_the_network_has_now(corpus, evaluation):
    evaluator = Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))
    network = tiny_model(seed=6)
    before = evaluator(network)
    network.set_weights(tiny_model(seed=5).get_weights())
    after = evaluator(network)
    for one, other, earlier in zip(after.videos, evaluation.videos, before.videos, strict=True):
        np.testing.assert_allclose(one.estimates, other.estimates, rtol=1e-5, atol=1e-6)
        assert np.abs(one.estimates - earlier.estimates).max() > 1e-3
    other_network = evaluator(tiny_model(seed=6))
    assert other_network.scores["ccc"]["mean"] == pytest.approx(before.scores["ccc"]["mean"], abs=1e-6)


def test_estimates_that_are_not_finite_name_the_video(corpus):
    network = tiny_model()
    network.get_layer("valence_arousal").bias.assign([0.0, np.nan])
    with pytest.raises(UserError, match="estimates for the video v2 are not finite: training diverged"):
        Evaluator(corpus, TINY.evaluation)(network)


def test_a_split_without_labels_is_refused(tmp_path):
    make_corpus(tmp_path, [{"frames": 4, "split": "test", "unlabelled": range(1, 5)}])
    with pytest.raises(UserError, match="no frame of the split test has a label, so nothing is scored"):
        Evaluator(Corpus.open(tmp_path, "test"), TINY.evaluation)


def test_a_manifest_that_tells_of_other_labels_is_noticed(tmp_path, model):
    packed = make_corpus(tmp_path, [{"frames": 8, "unlabelled": [4]}])
    (entry,) = packed.videos
    manifest.save(replace(packed, videos=(replace(entry, labelled_runs=((1, 8),)),)), tmp_path)
    with pytest.raises(UserError, match=r"scored once\. Received: 7 scored of 8 labelled.*verify"):
        Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)


def test_a_corrupt_record_is_told_from_a_bug(tmp_path, model):
    packed = make_corpus(tmp_path, [{"frames": 8}])
    path = tmp_path / packed.videos[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a record is corrupt or cut off .*verify"):
        Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)


def test_constant_estimates_have_no_pearson():
    labels = np.float32([[0.1, 0.2], [0.3, 0.1]])
    video = VideoEstimates("v", "s", np.array([1, 2]), np.zeros(2, np.float32), labels, np.zeros((2, 2), np.float32))
    assert video.moments.ccc().tolist() == [0, 0]
    assert np.isnan(video.moments.pearson()).all()
