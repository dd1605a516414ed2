"""SIFT with SVR, and CNN-M, by one command on any packed corpus."""

import json

import cv2
import joblib
import numpy as np
import pytest

from affwildnet.baselines import baseline_experiments, baseline_runs
from affwildnet.baselines.sift_svr import DESCRIPTOR, Settings, descriptors, fit
from affwildnet.data import Corpus, corpus_needs
from affwildnet.runs.run import Run
from tests.helpers.corpora import make_corpus
from tests.helpers.evaluations import by_definition
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.reader import decode_face, read_records

SMALL = Settings(grid=2, components=8, penalties=(0.1, 10.0))


def test_descriptors_are_on_a_grid_row_by_row():
    face = np.zeros((96, 96, 3), np.uint8)
    rng = np.random.default_rng(0)
    face[:48, 48:] = rng.integers(0, 255, (48, 48, 1))  # something in the upper right corner alone
    found = descriptors(face, 6).reshape(6, 6, DESCRIPTOR)
    seen = found.any(axis=2)
    # A descriptor spans two cells, and is weighted over somewhat more: the far edges see nothing of the corner.
    assert seen[:3, 3:].all()
    assert not seen[5].any()
    assert not seen[:, 0].any()


def test_a_descriptor_is_that_of_opencv_at_its_place():
    face = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (96, 96, 3), np.uint8), (0, 0), 3)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    # The second cell of four by four, of 24 pixels: its centre is pixel 35.5, and 8 its keypoint's size.
    _, expected = cv2.SIFT_create().compute(grey, [cv2.KeyPoint(35.5, 11.5, 8, 0)])
    np.testing.assert_array_equal(descriptors(face, 4).reshape(16, DESCRIPTOR)[1], expected[0])


def test_the_penalty_is_the_best_on_validation(tiny_folder, monkeypatch):
    train, validation = (Corpus.open(tiny_folder, split) for split in ("train", "validation"))
    both = fit(train, validation, SMALL)
    for column, dimension in enumerate(("valence", "arousal")):
        ccc = {}
        for penalty in SMALL.penalties:
            alone = fit(train, validation, Settings(grid=2, components=8, penalties=(penalty,)))
            labels, predictions = [], []
            for entry in validation.videos:
                for record in read_records(tiny_folder, entry):
                    if np.isfinite(record["label"]).all():
                        labels.append(record["label"])
                        predictions.append(alone.predictions(descriptors(decode_face(record), 2)[None])[0])
            ccc[penalty] = by_definition(np.array(labels), np.array(predictions))["ccc"][dimension]
        assert both.penalties[column] == max(ccc, key=ccc.get)


def test_sift_svr_is_reported(tiny_folder, tmp_path, shown):
    report = baseline_runs.sift_svr(Run(baseline_experiments.SIFT_SVR, tiny_folder), tmp_path, "test", SMALL)
    stored = json.loads((tmp_path / "report-test.json").read_text())
    assert stored == json.loads(json.dumps(report.to_json()))
    assert stored["experiment"] == "baselines/sift_svr"
    assert stored["frames_scored"] == 10
    assert stored["configuration"]["grid"] == 2
    assert set(stored["configuration"]["chosen_penalty"].values()) <= {0.1, 10.0}
    assert joblib.load(tmp_path / "sift_svr.joblib").frames == 67
    assert (tmp_path / "report-test.html").is_file()
    table = baseline_runs.table({"SIFT + SVR": report})
    assert f"{report.scored.scores['ccc']['valence']:.3f}" in table
    assert "mean of the training labels" in table


def test_a_corpus_without_labels_is_refused(tmp_path):
    make_corpus(tmp_path, [
        {"frames": 4}, {"frames": 4, "split": "validation", "unlabelled": range(1, 5)}, {"frames": 3, "split": "test"},
    ])  # fmt: skip
    with pytest.raises(UserError, match=r"validation must have at least two labelled frames. Received: 0"):
        baseline_runs.sift_svr(Run(baseline_experiments.SIFT_SVR, tmp_path), tmp_path / "out", "test", SMALL)


def test_cnn_m_is_for_a_corpus_of_any_layout(tmp_path):
    packed = make_corpus(tmp_path / "corpus", [{"frames": 4}], layout="csv")
    corpus_needs.check(baseline_experiments.cnn_m(tmp_path / "corpus", []), packed, tmp_path)


@pytest.mark.slow
def test_cnn_m_is_trained_scored_and_chosen_on_validation(tmp_path):
    folder = tmp_path / "corpus"
    make_corpus(folder, [{"frames": 40}, {"frames": 20, "split": "validation"}, {"frames": 12, "split": "test"}], 96)
    settings = ["model.width=0.03", "model.hidden=64", "training.steps=12", "training.batch_size=4"]
    run = Run(baseline_experiments.cnn_m(folder, settings), folder)
    report = baseline_runs.cnn_m(run, tmp_path / "cnn_m", "test")
    lines = [json.loads(line) for line in (tmp_path / "cnn_m" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    best = max(lines, key=lambda line: line["ranking"]["mean"])
    assert report.step == best["step"]
    assert report.experiment == "ijcv2019/cnn_m"
    assert report.counts.frames_scored == 12
    assert "Baseline" in json.dumps(report.to_json()["published"])
