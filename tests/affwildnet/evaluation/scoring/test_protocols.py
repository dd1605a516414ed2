"""Each protocol against NumPy loops and values computed by hand; undefined scores have a reason."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.protocols import gather, score
from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import PROTOCOLS, EvaluationConfig
from tests.helpers.evaluations import (
    by_definition,
    evaluation,
    expression_video,
    random_utterances,
    random_video,
    utterance_by_loop,
    video,
)
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import EXPRESSIONS

CONFIG = EvaluationConfig(sequence=4)


def other(scored, name):
    (found,) = (entry for entry in scored.others if entry.name == name)
    return found


def reasons(scored):
    return {str(each): each.reason for each in scored.undefined}


def assert_scores(found, expected, abs=1e-9):
    assert found.keys() == expected.keys()
    for metric, values in expected.items():
        assert found[metric] == pytest.approx(values, abs=abs), metric


def pooled(videos):
    keep = [(part.labels[part.labelled], part.predictions[part.labelled]) for part in videos]
    return [np.concatenate(part) for part in zip(*keep, strict=True)]


@pytest.fixture
def three():
    """Three videos of different lengths with labels, one of them with gaps; and one without labels."""
    rng = np.random.default_rng(1)
    videos = [random_video(rng, f"v{index}", length) for index, length in enumerate((40, 7, 90))]
    videos[2].labels[10:30] = np.nan
    videos[2].labels[50, 0] = np.nan
    return evaluation(*videos, video("none", np.full((5, 2), np.nan), np.ones((5, 2))))


def test_there_is_a_protocol_for_each_name_that_an_experiment_can_have():
    assert protocols.MODULES.keys() == PROTOCOLS.keys()


# Frames.


def test_frames_are_pooled(three):
    scored = score(three, "frames", CONFIG, 0)
    assert (scored.unit, scored.units) == ("frames", 40 + 7 + 90 - 21)
    assert_scores(scored.scores, by_definition(*pooled(three.videos)))
    assert scored.ranking == {name: scored.scores["ccc"][name] for name in ("mean", "valence", "arousal")}
    assert (scored.confusion, scored.intervals.ends, scored.intervals.resamples) == (None, {}, 0)


def test_each_video_has_its_row_and_each_the_same_weight_in_the_mean(three):
    scored = score(three, "frames", CONFIG, 0)
    counted = [(row.video, row.subject, row.frames, row.frames_scored) for row in scored.per_video]
    assert counted == [("v0", "v0", 40, 40), ("v1", "v1", 7, 7), ("v2", "v2", 90, 69), ("none", "none", 5, 0)]
    own = [by_definition(*pooled([part])) for part in three.videos[:3]]
    for row, expected in zip(scored.per_video, own, strict=False):
        assert_scores(row.scores, expected)
        assert row.undefined == {}
    assert scored.per_video[3].scores is None
    assert scored.per_video[3].to_json()["undefined"] == {"scores": "no frame has a label"}
    mean = other(scored, "mean of the videos' own CCC")
    expected = {name: np.mean([each["ccc"][name] for each in own]) for name in ("valence", "arousal", "mean")}
    assert mean.scores["ccc"] == pytest.approx(expected)
    assert mean.note == "over 3 videos; 1 without a label left out"
    assert mean.scores["ccc"]["mean"] != pytest.approx(scored.scores["ccc"]["mean"], abs=1e-3)


# Utterances.


@pytest.mark.parametrize(("aggregation", "middle"), [("median", np.median), ("mean", np.mean)])
def test_an_utterance_is_the_mean_of_its_sequences(aggregation, middle):
    found = random_utterances(np.random.default_rng(2), [[9, 4, 3], [1, 13], [8]])
    scored = score(found, "utterances", replace(CONFIG, aggregation=aggregation), 0)
    labels = np.array([part.labels[0] for part in found.videos])
    predictions = np.array([utterance_by_loop(part, 4, middle) for part in found.videos])
    assert (scored.unit, scored.units) == ("utterances", 6)
    assert_scores(scored.scores, by_definition(labels, predictions), 1e-7)
    assert [row.sequences for row in scored.per_video] == [3, 1, 1, 1, 4, 2]
    for row, label, prediction in zip(scored.per_video, labels, predictions, strict=True):
        assert list(row.label.values()) == pytest.approx(label, abs=1e-7)
        assert list(row.prediction.values()) == pytest.approx(prediction, abs=1e-9)
        assert row.scores["mse"]["valence"] == pytest.approx((label[0] - prediction[0]) ** 2, abs=1e-7)


def test_an_utterance_computed_by_hand():
    # Sequences (1, 2, 9, 3) and (5): medians 2.5 and 5, mean 3.75; of arousal 0 and 1.
    predictions = [[1, 0], [2, 0], [9, 0], [3, 0], [5, 1]]
    found = evaluation(video("a_utterance_1", np.full((5, 2), 0.25), predictions, "a"))
    (row,) = score(found, "utterances", CONFIG, 0).per_video
    assert row.prediction == {"valence": 3.75, "arousal": 0.5}
    (row,) = score(found, "utterances", replace(CONFIG, aggregation="mean"), 0).per_video
    assert row.prediction == {"valence": (3.75 + 5) / 2, "arousal": 0.5}


def test_the_challenges_first_version_is_the_mean_over_source_videos():
    found = random_utterances(np.random.default_rng(3), [[5, 6, 7], [5, 8], [30], [4, 4, 4, 4]])
    scored = score(found, "utterances", CONFIG, 0)
    own = []
    for source in ("s0", "s1", "s3"):
        parts = [part for part in found.videos if part.subject == source]
        predictions = np.array([utterance_by_loop(part, 4, np.median) for part in parts])
        own.append(by_definition([part.labels[0] for part in parts], predictions)["ccc"])
    first = other(scored, "mean of the videos' own CCC")
    expected = {name: np.mean([each[name] for each in own]) for name in ("valence", "arousal", "mean")}
    assert first.scores["ccc"] == pytest.approx(expected, abs=1e-7)
    assert first.note == "over 3 source videos; 1 with one utterance left out"
    assert_scores(other(scored, "each frame, pooled").scores, by_definition(*pooled(found.videos)))


def test_utterances_without_a_label_are_left_out():
    found = random_utterances(np.random.default_rng(4), [[5, 6], [5, 8]])
    found.videos[1].labels[:] = np.nan
    found.videos[3].labels[2:] = np.nan  # its first two frames have one
    scored = score(found, "utterances", CONFIG, 0)
    keep = [found.videos[index] for index in (0, 2, 3)]
    predictions = np.array([utterance_by_loop(part, 4, np.median) for part in keep])
    assert scored.units == 3
    assert_scores(scored.scores, by_definition([part.labels[0] for part in keep], predictions), 1e-7)
    assert scored.per_video[1].scores is None
    assert scored.per_video[1].label is None
    assert scored.per_video[1].prediction["valence"] == pytest.approx(
        utterance_by_loop(found.videos[1], 4, np.median)[0]
    )


@pytest.mark.parametrize(("by", "refused"), [(5e-7, False), (2e-6, True)])
def test_an_utterance_has_one_label(by, refused):
    found = random_utterances(np.random.default_rng(5), [[5, 6]])
    found.videos[1].labels[:, 1] = 0.125
    found.videos[1].labels[3, 1] += by
    if not refused:
        assert score(found, "utterances", CONFIG, 0).units == 2
        return
    with pytest.raises(UserError, match=r"one arousal for all frames .* from 0\.125 to 0\.125002 in s0_utterance_2"):
        score(found, "utterances", CONFIG, 0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"aggregation": "max"}, "`evaluation.aggregation` must be one of median, mean. Received: max"),
        ({"sequence": 0}, "`evaluation.sequence` must be at least 1 frame. Received: 0"),
    ],
)
def test_settings_of_utterances_are_checked(config, message):
    with pytest.raises(UserError, match=message):
        score(random_utterances(np.random.default_rng(6), [[5]]), "utterances", replace(CONFIG, **config))


def test_only_experiments_on_omg_are_scored_by_utterance_and_all_of_them_post_processed():
    by_utterance = {name for name, experiment in EXPERIMENTS.items() if experiment.protocol == "utterances"}
    assert by_utterance == {name for name in EXPERIMENTS if name.startswith("omg2019/")}
    for name in by_utterance:
        config = EXPERIMENTS[name].evaluation
        assert (config.sequence, config.aggregation) == (80, "median")
        assert config.post_process == ("median_filter", "smoothing")


# Videos of one expression each.


def test_a_video_has_the_class_of_its_mean_probability():
    def frames(*rows):
        return np.array([[row.get(name, 0.0) for name in EXPRESSIONS] for row in rows])

    found = evaluation(
        # Two of three frames say fear, but the mean says anger.
        expression_video(
            "a", "anger", frames({"anger": 0.9}, {"anger": 0.4, "fear": 0.5}, {"anger": 0.4, "fear": 0.5})
        ),
        expression_video("b", "anger", frames({"sadness": 0.6, "anger": 0.4})),
        expression_video("c", "sadness", frames({"sadness": 1.0})),
        expression_video("d", "neutral", frames({"neutral": 0.5, "surprise": 0.5})),  # of equal ones the first
        expression_video("e", None, frames({"fear": 1.0})),
    )
    scored = score(found, "videos", CONFIG, 0)
    assert (scored.unit, scored.units) == ("videos", 4)
    accuracy = {"anger": 0.5, "neutral": 1.0, "sadness": 1.0, "total": 0.75}
    assert scored.scores == {"accuracy": {name: accuracy.get(name) for name in (*EXPRESSIONS, "total")}}
    missing = {f"accuracy.{name}" for name in ("disgust", "fear", "happiness", "surprise")}
    assert reasons(scored) == dict.fromkeys(missing, "no video has this class")
    assert scored.ranking == {"mean": 0.75}
    confusion = np.zeros((7, 7), int)
    for label, predicted in (("anger", "anger"), ("anger", "sadness"), ("sadness", "sadness"), ("neutral", "neutral")):
        confusion[EXPRESSIONS.index(label), EXPRESSIONS.index(predicted)] += 1
    np.testing.assert_array_equal(scored.confusion, confusion)
    rows = [(row.label, row.predicted, row.frames_scored) for row in scored.per_video]
    assert rows[0] == ("anger", "anger", 3)
    assert rows[1] == ("anger", "sadness", 1)
    assert rows[4] == (None, "fear", 0)
    assert scored.per_video[4].scores is None


def test_accuracies_are_those_of_scikit_learns_confusion_matrix():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 7, 60)
    probabilities = [rng.dirichlet(np.ones(7) + 3 * np.eye(7)[label], rng.integers(1, 9)) for label in labels]
    found = evaluation(
        *(
            expression_video(f"v{i}", EXPRESSIONS[k], p)
            for i, (k, p) in enumerate(zip(labels, probabilities, strict=True))
        )
    )
    scored = score(found, "videos", CONFIG, 0)
    predicted = [np.float32(p).mean(axis=0).argmax() for p in probabilities]
    matrix = confusion_matrix(labels, predicted, labels=range(7))
    np.testing.assert_array_equal(scored.confusion, matrix)
    assert 0.3 < scored.scores["accuracy"]["total"] < 1
    assert scored.scores["accuracy"]["total"] == pytest.approx(np.trace(matrix) / 60)
    each = np.diag(matrix) / matrix.sum(axis=1)
    assert [scored.scores["accuracy"][name] for name in EXPRESSIONS] == pytest.approx(each)


def test_a_video_of_two_expressions_is_refused():
    mixed = expression_video("v1", "fear", np.eye(7)[:3])
    mixed.labels[2] = np.eye(7)[6]
    with pytest.raises(UserError, match=r"one class for all frames of a video\. Received: fear and surprise in v1"):
        score(evaluation(mixed), "videos", CONFIG)


# Folds.


@pytest.fixture
def folds():
    rng = np.random.default_rng(8)
    return [
        evaluation(*(random_video(rng, f"v{fold}{index}", 20 + 10 * fold) for index in range(fold + 1)), split="test")
        for fold in range(3)
    ]


def test_utterances_of_several_folds_are_each_smoothed_as_their_fold_has_chosen():
    found = random_utterances(np.random.default_rng(9), [[5, 9, 4], [7], [3, 8, 6, 2], [4, 5]], split="test")
    first, second = found.videos[:4], found.videos[4:]
    parts = [
        replace(evaluation(*first, split="test"), smoothing=(1, 0)),
        replace(evaluation(*second, split="test"), smoothing=(0, 2)),
    ]
    predictions = {part.video: utterance_by_loop(part, 4, np.median) for part in found.videos}
    expected = {name: own.copy() for name, own in predictions.items()}
    for own, dimension, radius in ((first, 0, 1), (second, 1, 2)):
        for place, part in enumerate(own):
            near = [
                other for other in own[max(0, place - radius) : place + radius + 1] if other.subject == part.subject
            ]
            weights = [len(other.frames) for other in near]
            values = [predictions[other.video][dimension] for other in near]
            expected[part.video][dimension] = np.dot(weights, values) / sum(weights)
    scored = score(gather(parts), "utterances", CONFIG, 0)
    assert scored.units == 10
    for row in scored.per_video:
        assert list(row.prediction.values()) == pytest.approx(expected[row.video], abs=1e-9)
    labels = [part.labels[0] for part in found.videos]
    assert_scores(scored.scores, by_definition(np.array(labels), np.array(list(expected.values()))), 1e-7)


def test_gathered_folds_are_pooled_and_averaged(folds):
    scored = score(gather(folds), "folds", CONFIG, 0)
    videos = [part for fold in folds for part in fold.videos]
    assert scored.units == 20 + 2 * 30 + 3 * 40
    assert_scores(scored.scores, by_definition(*pooled(videos)))
    own = [by_definition(*pooled(fold.videos)) for fold in folds]
    mean = other(scored, "mean over the folds")
    for metric, row in mean.scores.items():
        assert row == pytest.approx({name: np.mean([each[metric][name] for each in own]) for name in row})
    assert list(mean.scores) == ["ccc", "pearson", "mse", "rmse", "sagr"]
    assert mean.note == "over 3 folds, each with the same weight"
    assert abs(mean.scores["pearson"]["valence"] - scored.scores["pearson"]["valence"]) > 1e-3


def test_gathered_folds_have_the_labelled_frames_of_all(folds):
    counted = [replace(fold, frames_labelled=100 + number) for number, fold in enumerate(folds)]
    assert gather(counted).frames_labelled == 100 + 101 + 102
    assert gather(counted).frames_scored == 20 + 2 * 30 + 3 * 40


def test_one_fold_is_scored_like_frames(folds):
    assert score(folds[1], "folds", CONFIG, 50) == score(folds[1], "frames", CONFIG, 50)


def test_a_fold_with_an_undefined_pearson_makes_the_mean_undefined(folds):
    constant = evaluation(video("constant", np.full((4, 2), 0.5), np.ones((4, 2))), split="test")
    scored = score(gather([*folds, constant]), "folds", CONFIG, 0)
    mean = other(scored, "mean over the folds").scores
    assert mean["pearson"] == {"valence": None, "arousal": None, "mean": None}
    assert mean["ccc"]["valence"] is not None
    assert reasons(scored)["mean over the folds: pearson.valence"] == "not defined for one of the folds"


def test_a_video_is_in_one_fold_only(folds):
    with pytest.raises(UserError, match=r"must be in one fold only\. Received: v10 in evaluations 2 and 4 of 4"):
        gather([*folds, folds[1]])
    # A name is unique in its split only, and folds are of videos of all splits.
    namesake = replace(folds[1].videos[0], subject="somebody else")
    assert gather([folds[1], evaluation(namesake, split="test")]).folds == (2, 1)


def test_folds_are_of_one_split(folds):
    with pytest.raises(UserError, match=r"of the same split\. Received: test, validation"):
        gather([folds[0], replace(folds[1], split="validation")])
    with pytest.raises(UserError, match="at least one evaluation"):
        gather([])


# Regions.


def test_regions_are_by_label_with_0_among_the_positive():
    labels = [[0, 0], [0, 0.49], [0.3, 0.5], [1, 1], [-0.01, 0], [-1, 0.5], [-0.5, 0.6]]
    predictions = np.array(labels) + np.array([0.1, 0.2]) * np.arange(1, 8)[:, None]
    scored = score(evaluation(video("v", labels, predictions)), "frames", CONFIG, 0)
    expected = {
        "V in [0, 1], A in [0, 0.5)": [1, 2],
        "V in [0, 1], A in [0.5, 1]": [3, 4],
        "V in [-1, 0), A in [0, 0.5)": [5],
        "V in [-1, 0), A in [0.5, 1]": [6, 7],
        "V in [-1, 1], A in [0, 1]": [1, 2, 3, 4, 5, 6, 7],
    }
    assert [row.region for row in scored.regions] == list(expected)
    for row, numbers in zip(scored.regions, expected.values(), strict=True):
        assert row.units == len(numbers)
        mse = [np.mean([(step * number) ** 2 for number in numbers]) for step in (0.1, 0.2)]
        assert list(row.mse.values()) == pytest.approx([*mse, np.mean(mse)], rel=1e-5)


def test_regions_have_the_names_of_table_7():
    published = [row.row for row in EXPERIMENTS["omg2019/cnn_3rnn"].published if row.table == "7"]
    found = score(evaluation(video("v", [[0, 0]], [[0, 0]])), "frames", CONFIG, 0).regions
    assert [name.split(", ", 1)[1] for name in published] == [row.region for row in found]


def test_negative_arousal_brings_the_quadrants_and_empty_regions_have_a_reason():
    labels = [[0.5, 0.2], [0, -0.1], [-0.2, -0.9], [-0.2, -0.3]]
    scored = score(evaluation(video("v", labels, np.zeros((4, 2)))), "frames", CONFIG, 0)
    rows = {row.region: row for row in scored.regions}
    quadrants = [f"V in {v}, A in {a}" for a in ("[0, 1]", "[-1, 0)") for v in ("[0, 1]", "[-1, 0)")]
    assert list(rows)[5:] == quadrants
    assert [rows[name].units for name in quadrants] == [1, 0, 1, 2]
    assert rows[quadrants[3]].mse["arousal"] == pytest.approx((0.81 + 0.09) / 2)
    assert rows[quadrants[1]].mse == {"valence": None, "arousal": None, "mean": None}
    assert reasons(scored)[f"regions.{quadrants[1]}"] == "no label lies there"


def test_regions_of_utterances_count_utterances():
    scored = score(random_utterances(np.random.default_rng(9), [[5, 6], [30]]), "utterances", CONFIG, 0)
    rows = {row.region: row for row in scored.regions}
    negative = [row for name, row in rows.items() if name.endswith("A in [-1, 0)") and row.units]
    counted = [rows["V in [-1, 1], A in [0, 1]"], *negative]
    assert sum(row.units for row in counted) == 3
    # Each utterance lies in one of these, so that their errors make up that of all.
    for name in ("valence", "arousal"):
        total = sum(row.units * row.mse[name] for row in counted if row.units)
        assert total / 3 == pytest.approx(scored.scores["mse"][name])
