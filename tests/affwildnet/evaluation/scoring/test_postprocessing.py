"""Median filter and smoothing against loops and values computed by hand; chosen on the validation split only."""

import json
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.evaluation.scoring import postprocessing, utterances
from affwildnet.evaluation.scoring.postprocessing import PostProcessing, choose, none
from affwildnet.evaluation.scoring.protocols import gather, score
from affwildnet.experiments.config import EvaluationConfig
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

BOTH = EvaluationConfig(sequence=10, post_process=("median_filter", "smoothing"))


def filtering(valence, arousal):
    return postprocessing._make((valence, arousal))


def median_by_loop(frames, values, size):
    """Return each frame's median over the frames around it; beyond the ends of a segment its frames are mirrored."""
    found = []
    for index, frame in enumerate(frames):
        first = last = index
        while first > 0 and frames[first] - frames[first - 1] == 1:
            first -= 1
        while last + 1 < len(frames) and frames[last + 1] - frames[last] == 1:
            last += 1
        run = list(values[first : last + 1])
        there_and_back = run + run[::-1]
        around = [
            there_and_back[(index - first + step) % len(there_and_back)] for step in range(-(size // 2), size // 2 + 1)
        ]
        assert frame == frames[index]
        found.append(sorted(around)[size // 2])
    return found


@pytest.mark.parametrize("sizes", [(3, 1), (1, 5), (81, 3), (7, 81)])
def test_the_filter_is_a_running_median_that_stops_at_gaps(sizes):
    rng = np.random.default_rng(0)
    # Segments of 1, 2, 6, 40 and 5 frames: shorter and longer than the filter.
    frames = [3, *range(5, 7), *range(10, 16), *range(20, 60), *range(100, 105)]
    values = rng.normal(size=(len(frames), 2)).astype(np.float32)
    labels = rng.normal(size=values.shape)
    labels[4] = np.nan
    before = evaluation(video("v", labels, values, frames=frames))
    after = filtering(*sizes).apply(replace(before, frames_labelled=99))
    for dimension, size in enumerate(sizes):
        expected = median_by_loop(frames, values[:, dimension], size)
        np.testing.assert_array_equal(after.videos[0].predictions[:, dimension], expected)
    np.testing.assert_array_equal(before.videos[0].predictions, values)
    keep = np.isfinite(labels).all(axis=1)
    scores = by_definition(np.float32(labels[keep]), after.videos[0].predictions[keep])
    assert after.scores["ccc"] == pytest.approx(scores["ccc"])
    assert after.frames_scored == keep.sum()
    assert after.frames_labelled == 99


def test_the_filter_on_values_computed_by_hand():
    values = [[0, 0], [9, 9], [1, 1], [2, 2], [2, 9]]
    (after,) = filtering(3, 1).apply(evaluation(video("v", np.eye(5)[:, :2], values))).videos
    assert after.predictions.tolist() == [[0, 0], [1, 9], [2, 1], [2, 2], [2, 9]]


# Smoothing.


def smoothed_example(radii):
    """Return smoothed predictions of utterances 1, 2 and 10 of source video a (10, 30, 60 frames) and one of b."""
    sizes = {"a_utterance_10": 60, "b_utterance_2": 5, "a_utterance_2": 30, "a_utterance_1": 10}
    values = {"a_utterance_1": 1.0, "a_utterance_2": 2.0, "a_utterance_10": 4.0, "b_utterance_2": 100.0}
    found = evaluation(
        *(video(name, np.full((n, 2), 0.5), np.full((n, 2), values[name]), name[0]) for name, n in sizes.items()),
        smoothing=radii,
    )
    return {u.video: u.prediction.tolist() for u in utterances.predicted(found, EvaluationConfig(sequence=7))}


def test_an_utterance_is_averaged_with_its_neighbours_by_frames():
    assert smoothed_example((1, 0)) == {
        "a_utterance_1": [(10 * 1 + 30 * 2) / 40, 1],
        "a_utterance_2": [(10 * 1 + 30 * 2 + 60 * 4) / 100, 2],
        "a_utterance_10": [(30 * 2 + 60 * 4) / 90, 4],
        "b_utterance_2": [100, 100],
    }
    whole = (10 * 1 + 30 * 2 + 60 * 4) / 100
    assert smoothed_example((0, 2))["a_utterance_1"] == pytest.approx([1, whole])
    assert smoothed_example((3, 3))["a_utterance_10"] == pytest.approx([whole, whole])
    assert smoothed_example((0, 0))["a_utterance_1"] == [1, 1]


# Choosing.


def noisy(split="validation", seed=1, videos=5, protocol="frames"):
    """Return videos whose valence has noise that a long median removes; their arousal is quick and clean."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(videos):
        time = np.arange(300)
        slow, quick = np.sin(time / 60 + index), np.sin(time * 1.3 + index)
        labels = np.stack([slow, quick], axis=1)
        predictions = labels + np.stack([rng.standard_cauchy(300), rng.normal(0, 0.05, 300)], axis=1)
        found.append(video(f"v{index}", labels, predictions))
    return evaluation(*found, split=split)


def test_each_dimension_gets_the_filter_of_its_highest_ccc():
    validation = noisy(videos=2)
    config = replace(BOTH, post_process=("median_filter",))
    chosen = choose(validation, "frames", config)
    # By loops over some of the sizes: none is better than the chosen one, and arousal is not filtered.
    labels = np.concatenate([part.labels for part in validation.videos])

    def ccc(size):
        columns = [
            np.concatenate([median_by_loop(p.frames, p.predictions[:, d], size) for p in validation.videos])
            for d in (0, 1)
        ]
        return by_definition(labels, np.stack(columns, axis=1))["ccc"]

    rows = {size: ccc(size) for size in (1, 3, chosen.median_filter[0], 81)}
    best = max(rows, key=lambda size: rows[size]["valence"])
    assert chosen.median_filter == (best, 1)
    assert 5 < best <= 81
    assert chosen.before == pytest.approx(rows[1])
    assert chosen.after["valence"] == pytest.approx(rows[best]["valence"])
    assert chosen.after["arousal"] == chosen.before["arousal"]
    assert chosen.after["mean"] == pytest.approx((chosen.after["valence"] + chosen.after["arousal"]) / 2)
    assert chosen.after["valence"] > chosen.before["valence"] + 0.3
    assert chosen.smoothing == (0, 0)


def test_what_was_chosen_is_applied_to_the_test_split_as_it_is():
    chosen = choose(noisy(), "frames", BOTH)
    test = noisy("test", seed=2)
    after = score(chosen.apply(test), "frames", BOTH, 0)
    assert after.scores["ccc"]["valence"] > score(test, "frames", BOTH, 0).scores["ccc"]["valence"] + 0.3
    again = filtering(*chosen.median_filter).apply(test)
    for one, other in zip(chosen.apply(test).videos, again.videos, strict=True):
        np.testing.assert_array_equal(one.predictions, other.predictions)


def short_and_long(split="validation", seed=3):
    """Return source videos of constant valence; utterances of 2 frames are predicted badly, those of 40 well."""
    rng = np.random.default_rng(seed)
    found = []
    for source in range(8):
        level = rng.uniform(-1, 1)
        for number in range(1, 7):
            frames = 2 if number % 2 else 40
            label = [level, rng.uniform(-1, 1)]
            noise = [rng.normal(0, 1.5 if frames == 2 else 0.05), 0.02 * rng.normal()]
            labels = np.tile(label, (frames, 1))
            found.append(video(f"s{source}_utterance_{number}", labels, labels + noise, f"s{source}"))
    return evaluation(*found, split=split)


def test_smoothing_is_chosen_where_short_utterances_gain_from_it():
    validation = short_and_long()
    config = replace(BOTH, post_process=("smoothing",))
    chosen = choose(validation, "utterances", config)
    assert chosen.median_filter == (1, 1)
    assert chosen.smoothing[0] > 0
    assert chosen.smoothing[1] == 0
    rows = {
        radius: score(replace(validation, smoothing=(radius, 0)), "utterances", config, 0).ranking
        for radius in range(4)
    }
    assert chosen.smoothing[0] == max(rows, key=lambda radius: rows[radius]["valence"])
    assert chosen.before == rows[0]
    assert chosen.after == rows[chosen.smoothing[0]]
    assert chosen.after["valence"] > chosen.before["valence"] + 0.1
    test = short_and_long("test", seed=4)
    plain, processed = (score(each, "utterances", config, 0).ranking for each in (test, chosen.apply(test)))
    assert processed["valence"] > plain["valence"] + 0.05
    assert processed["arousal"] == plain["arousal"]


def test_both_steps_are_a_chain():
    validation = random_utterances(np.random.default_rng(5), [[30, 4, 25], [50, 3], [20, 20, 2, 9]])
    chosen = choose(validation, "utterances", BOTH)
    after = score(chosen.apply(validation), "utterances", BOTH, 0)
    assert after.ranking == chosen.after
    assert all(chosen.after[name] >= chosen.before[name] for name in ("valence", "arousal"))
    filtered = filtering(*chosen.median_filter).apply(validation)
    predictions = [utterance_by_loop(part, 10, np.median) for part in filtered.videos]
    unsmoothed = score(filtered, "utterances", BOTH, 0).per_video
    for row, prediction in zip(unsmoothed, predictions, strict=True):
        assert list(row.prediction.values()) == pytest.approx(prediction)


def outliers(seed=7):
    """Return utterances whose mean predictions are wrong only because of outliers, which a median filter removes."""
    rng = np.random.default_rng(seed)
    found = []
    for source in range(6):
        level = rng.uniform(-0.5, 0.5, 2)
        for number in range(1, 7):
            label = level + rng.uniform(-0.3, 0.3, 2)
            predictions = np.tile(label, (30, 1))
            predictions[rng.choice(30, 4, replace=False)] += 8 * rng.choice([-1, 1], (4, 2))
            found.append(video(f"s{source}_utterance_{number}", np.tile(label, (30, 1)), predictions, f"s{source}"))
    return evaluation(*found)


def test_smoothing_is_chosen_on_what_the_filter_leaves():
    validation, config = outliers(), replace(BOTH, aggregation="mean")
    # Smoothing helps the network's own predictions, and harms the filtered ones, which equal the labels.
    assert min(choose(validation, "utterances", replace(config, post_process=("smoothing",))).smoothing) > 0
    chosen = choose(validation, "utterances", config)
    assert min(chosen.median_filter) > 1
    assert chosen.smoothing == (0, 0)
    assert chosen.after == pytest.approx({"mean": 1, "valence": 1, "arousal": 1})


def test_what_does_not_help_is_left_out():
    rng = np.random.default_rng(6)
    labels = rng.uniform(-1, 1, (200, 2))
    chosen = choose(evaluation(video("v", labels, labels)), "frames", BOTH)
    assert (chosen.median_filter, chosen.smoothing) == ((1, 1), (0, 0))
    assert chosen.before == chosen.after == pytest.approx({"mean": 1, "valence": 1, "arousal": 1})
    # Constant predictions are the same after every filter: of equal ones, none.
    constant = choose(evaluation(video("v", labels, np.ones((200, 2)))), "frames", BOTH)
    assert constant.median_filter == (1, 1)


def test_frames_are_not_smoothed():
    validation, config = short_and_long(), replace(BOTH, post_process=("smoothing",))
    assert choose(validation, "frames", config).smoothing == (0, 0)
    assert choose(gather([validation]), "folds", config).smoothing == (0, 0)


def test_folds_stay_folds():
    folds = gather([noisy("validation", 1, 2), replace(noisy("validation", 2, 1), videos=noisy(seed=2).videos[4:])])
    assert filtering(3, 3).apply(folds).folds == (2, 1)


def test_without_steps_nothing_is_done():
    validation = noisy(videos=1)
    assert choose(validation, "frames", EvaluationConfig()) == none()
    assert none().apply(validation) is validation
    assert none().chosen().to_json()["chosen"] == {
        "median_filter": {"valence": 1, "arousal": 1},
        "smoothing": {"valence": 0, "arousal": 0},
    }


def test_json_holds_what_was_chosen():
    chosen = choose(noisy(videos=2), "frames", BOTH)
    stored = json.loads(json.dumps(chosen.chosen().to_json()))
    assert stored["chosen"]["median_filter"] == {"valence": chosen.median_filter[0], "arousal": 1}
    assert stored["validation"] == {"before": chosen.before, "after": chosen.after}


def test_steps_of_folds_stand_beside_each_other_and_their_ccc_is_averaged():
    own = [choose(noisy(seed=seed, videos=2), "frames", BOTH) for seed in (1, 2)]
    together = postprocessing.over_folds([each.chosen() for each in own])
    assert [str(step) for step in together.steps] == [
        f"fold {fold}, {step}" for fold in (1, 2) for step in ("median_filter", "smoothing")
    ]
    assert tuple(together.steps[2].sizes.values()) == own[1].median_filter
    for name in ("valence", "arousal", "mean"):
        assert together.before[name] == pytest.approx((own[0].before[name] + own[1].before[name]) / 2)
        assert together.after[name] == pytest.approx((own[0].after[name] + own[1].after[name]) / 2)


# On the validation split only.


@pytest.mark.parametrize("split", ["test", "train"])
def test_nothing_is_chosen_on_another_split(split):
    with pytest.raises(ValueError, match=f"must be chosen on the split validation. Received: {split}"):
        choose(noisy(split, videos=1), "frames", BOTH)


def test_nothing_else_makes_a_post_processing():
    with pytest.raises(TypeError, match=r"Only `postprocessing\.choose`.* make a PostProcessing"):
        PostProcessing((81, 3), (0, 2))
    chosen = choose(noisy(videos=1), "frames", BOTH)
    with pytest.raises(TypeError, match=r"Only `postprocessing\.choose`.* make a PostProcessing"):
        replace(chosen, median_filter=(5, 5))
    with pytest.raises(AttributeError):
        chosen.median_filter = (5, 5)


def test_settings_are_checked():
    with pytest.raises(UserError, match=r"`evaluation.post_process` must be one of median_filter, smoothing\."):
        choose(noisy(videos=1), "frames", replace(BOTH, post_process=("median",)))
    with pytest.raises(UserError, match=r"must be empty with the protocol videos\. Received: median_filter, smoothing"):
        choose(noisy(videos=1), "videos", BOTH)


def test_probabilities_are_not_filtered():
    found = evaluation(expression_video("v", "fear", np.eye(7)))
    assert none().apply(found) is found
    with pytest.raises(ValueError, match=r"for valence and arousal\. Received: 7 predicted values a frame"):
        filtering(3, 3).apply(found)


def test_random_videos_keep_their_labels():
    before = evaluation(random_video(np.random.default_rng(0), "v", 30))
    np.testing.assert_array_equal(filtering(9, 9).apply(before).videos[0].labels, before.videos[0].labels)
