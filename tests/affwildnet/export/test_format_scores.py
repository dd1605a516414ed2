"""Scoring formats on a corpus: every frame once, states carried through each video, and the table of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.export import format_scores, tflite
from affwildnet.export.format_scores import FormatRunner, score_formats, score_table
from affwildnet.export.formats import FORMATS
from affwildnet.metrics import Moments
from affwildnet.models.signature import Signature
from tests.helpers.corpora import label_of, landmarks_of, make_corpus
from tfrecords_tools.errors import UserError

SIZE = 8
FRAMES = {0: [*range(1, 40), *range(50, 60)], 1: list(range(1, 34))}
UNLABELLED = {0: [3, 4, 55], 1: []}
FUNCTIONS = SimpleNamespace(
    signature=Signature(SIZE, True, "valence_arousal", {"sum": (None, 1)}),
    inputs=(
        tf.TensorSpec([None, None, SIZE, SIZE, 3], name="frames"),
        tf.TensorSpec([None, None, 68, 2], name="landmarks"),
    ),
    states=(tf.TensorSpec([None, 1], name="sum"),),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    videos = [{"frames": FRAMES[index], "split": "test", "unlabelled": UNLABELLED[index]} for index in FRAMES]
    make_corpus(folder, videos, image_size=SIZE)
    return Corpus.open(folder, "test", SIZE)


def summing(shift=0.0, most=None, once=False):
    """A step that predicts from all landmarks of the video so far; `shift` is added to the arousal, or `once` to it."""
    calls = 0

    def step(arrays):
        nonlocal calls, shift
        calls += 1
        if once and calls > 1:
            shift = 0.0
        frames = arrays["landmarks"].shape[1]
        assert arrays["frames"].shape[:2] == (1, frames)
        assert most is None or frames <= most
        sums = arrays["sum"][0, 0] + np.cumsum(arrays["landmarks"][0, :, 5, 1])
        predictions = np.stack([np.sin(sums), np.cos(sums) + shift], 1).astype(np.float32)
        return {"valence_arousal": predictions[None], "sum": sums[None, -1:].astype(np.float32)}

    return step


def test_states_go_through_each_video_and_begin_anew_with_the_next(corpus):
    runners = {
        "network": FormatRunner(summing()),
        "single": FormatRunner(summing(most=1), one_frame=True),
        "shifted": FormatRunner(summing(0.25)),
        "once": FormatRunner(summing(0.125, once=True)),
    }
    score_formats(corpus, FUNCTIONS, runners)
    labels, predictions = [], []
    for index, frames in FRAMES.items():
        sums = np.cumsum([landmarks_of(index, frame)[5, 1] for frame in frames])
        for frame, total in zip(frames, sums, strict=True):
            if frame not in UNLABELLED[index]:
                labels.append(label_of(index, frame))
                predictions.append((np.sin(total), np.cos(total)))
    wanted = Moments.from_arrays(np.array(labels), np.array(predictions), np.ones(len(labels))).ccc()
    assert np.ptp(wanted) > 1e-3
    for name in ("network", "single"):
        np.testing.assert_allclose(runners[name].moments.ccc(), wanted, atol=1e-5)
        assert runners[name].deviation < 1e-4
    assert runners["shifted"].deviation == pytest.approx(0.25, abs=1e-4)
    assert runners["once"].deviation == pytest.approx(0.125, abs=1e-4)
    np.testing.assert_allclose(runners["shifted"].moments.ccc()[0], wanted[0], atol=1e-5)
    assert runners["shifted"].moments.ccc()[1] != pytest.approx(wanted[1], abs=1e-3)


def test_predictions_that_are_not_finite_name_the_format_and_the_video(corpus):
    def broken(arrays):
        return {name: values * np.nan for name, values in summing()(arrays).items()}

    runners = {"network": FormatRunner(summing()), "onnx": FormatRunner(broken)}
    with pytest.raises(UserError, match="predictions of the format onnx for the video v0 are not finite"):
        score_formats(corpus, FUNCTIONS, runners)


def test_the_table_shows_each_format_beside_the_network():
    labels = np.array([(0.1, 0.9), (0.5, 0.2), (-0.3, -0.1), (0.7, 0.4)])
    exact, other = labels + [(0.1, -0.3)], labels * [(0.5, 1.0)] + [(0.0, -0.3)]
    runners = {
        name: FormatRunner(None, moments=Moments.from_arrays(labels, predictions, np.ones(4)), deviation=deviation)
        for name, predictions, deviation in (("network", exact, 0.0), ("onnx", other, 0.0321))
    }
    lines = score_table(runners, {"network": 2_500_000, "onnx": 1_250_000}).splitlines()
    assert lines[0].split() == ["format", "valence", "arousal", "mean", "CCC", "lost", "largest", "dev.", "MB"]
    means = []
    for line, predictions in zip(lines[1:], (exact, other), strict=True):
        covariance = ((labels - labels.mean(0)) * (predictions - predictions.mean(0))).mean(0)
        bias = (labels.mean(0) - predictions.mean(0)) ** 2
        ccc = 2 * covariance / (labels.var(0) + predictions.var(0) + bias)
        assert ccc[0] > ccc[1] if not means else ccc[0] != ccc[1]
        means.append(ccc.mean())
        assert line.split()[1:5] == [*(f"{value:.4f}" for value in (*ccc, ccc.mean())), f"{means[0] - ccc.mean():z.5f}"]
    assert lines[1].split()[5:] == ["0.0e+00", "2.50"]
    assert lines[2].split()[5:] == ["3.2e-02", "1.25"]


@pytest.mark.parametrize("weights", tflite.WEIGHTS)
def test_each_tflite_format_has_the_weights_of_its_name(weights, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(tflite, "functions_of", lambda model: None)
    monkeypatch.setattr(tflite, "in_float32", lambda model: model)
    monkeypatch.setattr(tflite, "digest", lambda model: "")
    monkeypatch.setattr(tflite, "_converted", lambda functions, weights: written.append(weights) or b"file")
    monkeypatch.setattr(tflite.description, "describe", lambda *_: {})
    chosen = FORMATS[f"tflite_{weights}"]
    chosen.write(None, tmp_path / "tflite")
    assert written == [weights]
    assert chosen.one_frame
    assert chosen.size(tmp_path / "tflite") == 4  # of the file that is run alone


def test_the_size_of_a_format_in_several_files_is_that_of_all(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"123")
    (tmp_path / "variables" / "weights").write_bytes(b"4567")
    assert FORMATS["saved_model"].size(tmp_path) == 7
    assert not FORMATS["saved_model"].one_frame


def test_a_corpus_without_labels_is_refused(corpus, tmp_path):
    make_corpus(tmp_path, [{"frames": 3, "split": "test", "unlabelled": [1, 2, 3]}], image_size=SIZE)
    with pytest.raises(UserError, match="no frame of the split test has a label"):
        format_scores.check_scorable(Corpus.open(tmp_path, "test", SIZE), FUNCTIONS)
