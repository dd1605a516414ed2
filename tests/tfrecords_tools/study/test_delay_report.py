"""The delays of a packed corpus's raters, and their reliability, as `agreement` reports them."""

import json

import numpy as np
import pytest

from tests.helpers.corpora import FPS
from tests.helpers.raters import make_rated_corpus
from tfrecords_tools.cli import main
from tfrecords_tools.errors import UserError
from tfrecords_tools.study import delay_report
from tfrecords_tools.study.agreement_report import report

FRAMES = 900
DELAYS = {"ann": 1.0, "ben": 2.5, "cleo": 2.5, "odd": None}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two videos whose landmarks move with a curve that three raters follow late; the fourth follows nothing."""
    ratings, landmarks = [], []
    for seed in range(2):
        random = np.random.default_rng(seed)
        wander = np.convolve(random.normal(0, 1, FRAMES + 400), np.hanning(150), "valid")[: FRAMES + 200]
        wander *= 0.7 / np.abs(wander).max()
        nothing = np.convolve(random.normal(0, 0.05, FRAMES + 39), np.hanning(40), "valid")
        shown = wander[150 : 150 + FRAMES]
        video = np.stack(
            [nothing if delay is None else wander[150 - round(delay * FPS) :][:FRAMES] for delay in DELAYS.values()],
            axis=1,
        )
        ratings.append(np.repeat(video[:, :, None], 2, axis=2).astype(np.float32).clip(-1, 1))
        points = random.random((68, 2)) + 0.05 * shown[:, None, None] * random.normal(0, 1, (68, 2))
        landmarks.append((points + random.normal(0, 0.002, points.shape)).astype(np.float32))
    folder = tmp_path_factory.mktemp("delayed") / "corpus"
    make_rated_corpus(folder, ratings, list(DELAYS), landmarks)
    return folder


def test_each_raters_delay_is_found_from_the_records(corpus):
    found = {rater["name"]: rater for rater in delay_report.report(corpus)["raters"]}
    for name in ("ann", "ben", "cleo"):
        assert found[name]["landmarks"]["seconds"] == pytest.approx(DELAYS[name], abs=0.1)
    assert found["ann"]["others"]["seconds"] == pytest.approx(-1.5, abs=0.4)
    assert found["odd"]["landmarks"]["correlation"] < 0.9 < found["ann"]["landmarks"]["correlation"]


def test_a_delay_that_cannot_be_told_from_chance_is_not_chosen(corpus, caplog):
    found = delay_report.report(corpus)
    with pytest.raises(UserError, match=r"p of at most 0\.05\. Received: p 0\.\d\d: a correlation of 0\.\d\d at "):
        delay_report.chosen(found)
    found["raters"] = [rater for rater in found["raters"] if rater["name"] != "odd"]
    caplog.set_level("INFO")
    assert delay_report.chosen(found) == pytest.approx({"ann": 1.0, "ben": 2.5, "cleo": 2.5}, abs=0.1)
    assert "estimated from " in caplog.text
    assert "by chance" in caplog.text
    found["raters"][1]["landmarks"].update(chance=None, p=None)
    with pytest.raises(UserError, match=r"of ben cannot be tested against chance: .* must be at least 18 s long"):
        delay_report.chosen(found)


def test_the_command_shows_delays_and_reliability_and_keeps_them(corpus, tmp_path, capsys):
    assert main(["agreement", str(corpus), "--delay", f"--output={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    for part in ("V: ICC(2,1)", "A: alpha", "pooled", "agree little with the others: odd", "behind the landmarks"):
        assert part in shown
    found = json.loads((tmp_path / "agreement.json").read_text())
    assert [rater["name"] for rater in found["delay"]["raters"]] == list(DELAYS)
    assert found["reliability"]["valence"]["outliers"] == ["odd"]


def test_reliability_is_of_each_video_and_pooled(corpus):
    found = report(corpus)
    pooled = found["reliability"]["valence"]
    assert pooled["ccc"][1][2] == pytest.approx(1, abs=1e-6)  # ben and cleo are the same
    assert 0 < pooled["icc_2_1"] < pooled["icc_2_k"] < 1
    for video in found["videos"]:
        assert video["arousal"]["reliability"]["alpha"] is not None
        assert np.shape(video["arousal"]["reliability"]["ccc"]) == (4, 4)


def test_a_corpus_without_single_annotators_has_the_delay_of_its_label(packed_sample):
    (rater,) = delay_report.report(packed_sample)["raters"]
    assert (rater["name"], rater["landmarks"], rater["others"]) == ("label", None, None)  # clips of a second
    assert report(packed_sample)["reliability"] == {"valence": None, "arousal": None}
    assert "label" in delay_report.table(delay_report.report(packed_sample))
