"""Splits that can hardly be scored: each protocol gives a score, None with a reason, or one clear error."""

import json
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.evaluation.scoring.protocols import score
from affwildnet.experiments.config import EvaluationConfig
from tests.helpers.evaluations import evaluation, expression_video, random_utterances, random_video, video
from tfrecords_tools.errors import UserError

CONFIG = EvaluationConfig(sequence=4)
NAN = float("nan")
DEGENERATE = {
    "one frame": evaluation(video("v", [[0.1, 0.2]], [[0.3, -0.4]])),
    "constant labels": evaluation(video("v", [[0.1, 0.2]] * 4, np.eye(4)[:, :2]), video("w", [[0.1, 0.2]], [[0, 0]])),
    "constant predictions": evaluation(
        *(video(name, [[i, i / 2]] * 3, np.ones((3, 2))) for i, name in enumerate("abc"))
    ),
    "one video": evaluation(random_video(np.random.default_rng(0), "v", 9, labels=[0.5, 0.1])),
    "one label": evaluation(video("v", [[NAN, NAN], [0.1, 0.1], [NAN, 0.1]], np.ones((3, 2)))),
    "one source video": random_utterances(np.random.default_rng(0), [[4, 5]]),
}


def nones(value, path=""):
    """Return the paths of all values within scores or intervals that are None."""
    if value is None:
        return [path]
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in nones(each, f"{path}.{key}".lstrip("."))]
    return []


@pytest.mark.parametrize("protocol", ["frames", "utterances", "folds"])
@pytest.mark.parametrize("case", DEGENERATE)
def test_undefined_values_are_none_with_a_reason(case, protocol):
    scored = score(DEGENERATE[case], protocol, CONFIG, 200)
    parts = [[each.to_json() for each in rows] for rows in (scored.per_video, scored.others, scored.regions)]
    json.dumps([scored.scores, scored.intervals.ends, *parts], allow_nan=False)
    reasons = {str(each): each.reason for each in scored.undefined}
    expected = {*nones(scored.scores), *nones(scored.intervals.ends)}
    expected |= {f"{other.name}: {path}" for other in scored.others for path in nones(other.scores)}
    expected |= {f"regions.{row.region}" for row in scored.regions if row.mse["mean"] is None}
    assert reasons.keys() == expected
    assert all(reasons.values())
    for row in scored.per_video:
        assert set(nones(row.scores or {})) == {str(key) for key in row.undefined}
    assert None not in scored.ranking.values()


@pytest.mark.parametrize(
    ("case", "key", "reason"),
    [
        ("one frame", "pearson.valence", "there is only one value"),
        ("one frame", "ccc.mean", "no interval: it needs two videos with a label"),
        ("constant labels", "pearson.arousal", "the labels are constant"),
        ("constant predictions", "pearson.valence", "the predictions are constant"),
        ("constant predictions", "pearson.mean", "not defined for valence and arousal"),
    ],
)
def test_reasons(case, key, reason):
    undefined = score(DEGENERATE[case], "frames", CONFIG, 100).undefined
    assert {str(each): each.reason for each in undefined}[key] == reason


def test_without_a_label_nothing_is_scored():
    bare = video("v", np.full((3, 2), np.nan), np.zeros((3, 2)))
    with pytest.raises(UserError, match="The split test has no frame with a label, so nothing is scored"):
        evaluation(bare, split="test")
    with pytest.raises(UserError, match="The split test has no frame with a label"):
        score(replace(DEGENERATE["one frame"], videos=(bare,), split="test"), "frames", CONFIG)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("frams", "`protocol` must be one of frames, utterances, folds, videos. .* Did you mean frames?"),
        ("videos", "The protocol videos scores 7 outputs, anger, .* Received: 2 for the video v"),
    ],
)
def test_protocols_that_do_not_fit(protocol, message):
    with pytest.raises(UserError, match=message):
        score(DEGENERATE["one frame"], protocol, CONFIG)


def test_expressions_cannot_be_scored_as_frames():
    with pytest.raises(UserError, match=r"The protocol frames scores 2 outputs, valence, arousal\. Received: 7"):
        score(evaluation(expression_video("v", "fear", np.eye(7))), "frames", CONFIG)
