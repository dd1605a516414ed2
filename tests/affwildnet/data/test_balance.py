"""Repetition to wanted shares: against values worked out by hand, a general solver, and a count of planned frames."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize

from affwildnet.data import Corpus, Position, balance, training_batches
from affwildnet.data.balance import PAPER_SHARES, check_targets, repeats
from affwildnet.data.windows import balance_summary, quadrant_counts, training_plan, training_stream
from affwildnet.experiments.config import Experiment, TrainingConfig
from affwildnet.experiments.overrides import from_json, override, to_json
from tests.helpers.corpora import make_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.study import quadrants
from tfrecords_tools.study.quadrants import quadrant_of, shares

PAPER = (0.43, 0.24, 0.19, 0.14)


def rng(seed=0):
    return np.random.default_rng(seed)


def pure(numbers, frames=80):
    """Windows of one quadrant each, `numbers` of each quadrant."""
    return np.repeat(np.eye(4, dtype=np.int64) * frames, numbers, axis=0)


def test_the_quadrants_are_in_the_papers_order_and_0_is_positive():
    labels = [
        (0.5, 0.5),
        (-0.5, 0.5),
        (0.5, -0.5),
        (-0.5, -0.5),
        (0, 0),
        (0, -0.1),
        (-0.1, 0),
        (np.nan, 1),
        (1, np.nan),
    ]
    assert quadrant_of(np.array(labels)).tolist() == [0, 1, 2, 3, 0, 2, 1, -1, -1]
    assert quadrants.QUADRANTS == ("V+A+", "V-A+", "V+A-", "V-A-")
    assert PAPER_SHARES == PAPER
    assert quadrants.count_quadrants(np.array([0, 3, 3, -1])).tolist() == [1, 0, 0, 2]


def test_pure_windows_are_repeated_as_worked_out_by_hand():
    # Shares 65, 20, 10 and 5 %: the first is lowered most, so it stays; the others by (t / p) / (0.43 / 0.65).
    counts = pure([6500, 2000, 1000, 500])
    times = repeats(counts, PAPER, rng())
    for quadrant, expected in enumerate((1, 0.24 / 0.20, 0.19 / 0.10, 0.14 / 0.05)):
        own = times[counts[:, quadrant] > 0]
        expected *= 1 if quadrant == 0 else 0.65 / 0.43
        assert own.mean() == pytest.approx(expected, abs=0.01)
        assert set(own) <= {np.floor(expected), np.ceil(expected)}
    assert shares(counts) == pytest.approx([0.65, 0.2, 0.1, 0.05])
    assert shares(counts, times) == pytest.approx(PAPER, abs=1e-3)


def test_a_fraction_is_rounded_up_as_often_as_it_says():
    counts = pure([1, 1, 1, 1])
    times = np.array([repeats(counts, (3 / 9, 2 / 9, 2 / 9, 2 / 9), rng(seed)) for seed in range(400)])
    assert set(times[:, 0]) == {1, 2}
    assert times[:, 0].mean() == pytest.approx(1.5, abs=0.1)
    assert (times[:, 1:] == 1).all()


def test_what_has_the_shares_already_is_left():
    counts = pure([43, 24, 19, 14])
    assert (repeats(counts, PAPER, rng()) == 1).all()


def test_mixed_windows_meet_the_shares_with_the_repetitions_nearest_to_one():
    draw = rng(3)
    counts = np.array([draw.multinomial(80, p) for p in draw.dirichlet([0.5, 0.3, 0.2, 0.15], 25)])
    times = balance._weights(counts, np.ones(25), np.array(PAPER), 10)
    excess = counts - np.array(PAPER) * counts.sum(1, keepdims=True)
    solved = scipy.optimize.minimize(
        lambda w: ((w - 1) ** 2).sum() / 2,
        np.ones(25),
        jac=lambda w: w - 1,
        bounds=[(1, 10)] * 25,
        constraints={"type": "eq", "fun": lambda w: w @ excess[:, :3] / 80, "jac": lambda w: excess[:, :3].T / 80},
    )
    assert solved.success
    np.testing.assert_allclose(times, solved.x, atol=5e-3)
    assert shares(counts, times) == pytest.approx(PAPER, abs=1e-4)
    many = np.tile(counts, (40, 1))
    assert shares(many, repeats(many, PAPER, rng())) == pytest.approx(PAPER, abs=2e-3)


def test_targets_out_of_reach_are_approached():
    rare = pure([970, 20, 5, 5])
    times = repeats(rare, PAPER, rng())
    assert (times[970:] == balance.MOST_REPEATS).all()
    assert (times[:970] == 1).all()
    alike = np.tile([50, 20, 8, 2], (30, 1))  # no repetition changes the shares
    assert (repeats(alike, PAPER, rng()) == 1).all()
    assert repeats(np.zeros((2, 4), np.int64), PAPER, rng()).tolist() == [1, 1]
    assert len(repeats(np.zeros((0, 4), np.int64), PAPER, rng())) == 0
    missing = repeats(pure([70, 20, 10, 0]), PAPER, rng())
    assert missing.min() == 1
    assert missing[:70].max() == 1 < missing[90:].min()


def test_the_seed_decides_which_are_repeated_and_nothing_else():
    counts = pure([650, 200, 100, 50])
    first, again, other = (repeats(counts, PAPER, rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert abs(first.sum() - other.sum()) <= 1


@pytest.mark.parametrize(
    ("targets", "frames", "says"),
    [
        ((0.5, 0.5), (1, 1, 1, 1), "must be four shares, of V\\+A\\+, V-A\\+, V\\+A-, V-A-. Received: 0.5,0.5"),
        ((0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1), "sum to 1"),
        ((0.5, 0.5, 0, 0), (1, 1, 1, 1), "above 0"),
        ((np.nan, 0.3, 0.3, 0.3), (1, 1, 1, 1), "above 0"),
        (PAPER, (9, 9, 0, 9), "without a labelled frame of V\\+A-"),
    ],
)
def test_shares_that_cannot_be_aimed_at_are_errors(targets, frames, says):
    with pytest.raises(UserError, match=says):
        check_targets(targets, np.array(frames))


SIGNS = {0: (0.4, 0.3), 1: (-0.4, 0.3), 2: (0.4, -0.3), 3: (-0.4, -0.3)}
# Quadrants of 24 blocks of 8 frames: 12, 6, 4 and 2 of them; in all a rest of frames without a label.
BLOCKS = [0, 0, 1, 0, 2, 0, 3, 0, 1, 0, 0, 2, 1, 0, 2, 0, 1, 0, 0, 3, 1, 2, 0, 1]
TARGETS = (0.25, 0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def quadrants_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("balanced")
    labels = [SIGNS[quadrant] for quadrant in BLOCKS for _ in range(8)]
    half = len(labels) // 2
    make_corpus(
        path, [{"frames": half, "labels": labels[:half], "unlabelled": [3]}, {"frames": half, "labels": labels[half:]}]
    )
    return path


def frames_of(plan):
    """Quadrants of all labelled frames of a plan, by walking through it."""
    found = []
    for video, first, length in plan:
        for record in range(first, first + length):
            if (video, record) != (0, 2):
                found.append(BLOCKS[(video * 96 + record) // 8])
    return np.bincount(found, minlength=4)


PLAIN = TrainingConfig(batch_size=1, window=4, seed=7, flip=True)
BALANCED = replace(PLAIN, balance=TARGETS)


def test_an_epoch_has_the_wanted_shares_and_every_window_at_least_once(quadrants_folder):
    corpus = Corpus.open(quadrants_folder, "train")
    for epoch in range(3):
        plain, balanced = (training_plan(corpus, config, epoch) for config in (PLAIN, BALANCED))
        assert {tuple(row) for row in plain} == {tuple(row) for row in balanced}
        np.testing.assert_array_equal(quadrant_counts(corpus, balanced).sum(0), frames_of(balanced))
        before, after = (frames_of(plan) / frames_of(plan).sum() for plan in (plain, balanced))
        assert np.abs(before - 0.25).max() > 0.15
        np.testing.assert_allclose(after, TARGETS, atol=0.03)


def test_a_balanced_plan_depends_on_nothing_but_its_arguments(quadrants_folder):
    once, again = (training_plan(Corpus.open(quadrants_folder, "train"), BALANCED, 1) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert len(training_plan(Corpus.open(quadrants_folder, "train"), BALANCED, 2)) != 0
    epoch, first, rest = next(training_stream(Corpus.open(quadrants_folder, "train"), BALANCED, Position(1, 5)))
    assert (epoch, first) == (1, 5)
    np.testing.assert_array_equal(rest, once[5:])


def test_batches_are_balanced_resumable_and_logged(quadrants_folder, caplog):
    corpus = Corpus.open(quadrants_folder, "train")
    plain, plan = (training_plan(corpus, config, 0) for config in (PLAIN, BALANCED))
    with caplog.at_level(logging.INFO):
        whole = [batch for batch, _ in zip(training_batches(corpus, BALANCED).as_numpy_iterator(), plan, strict=False)]
    (line,) = caplog.messages
    assert line == balance_summary(corpus, BALANCED)
    assert line.startswith(f"balance: {len(plain)} -> {len(plan)} windows an epoch, frames V+A+ ")
    before, after = (100 * frames_of(each)[3] / frames_of(each).sum() for each in (plain, plan))
    assert line.endswith(f"V-A- {before:.1f} -> {after:.1f} %")
    rest = training_batches(corpus, BALANCED, Position(0, 6)).as_numpy_iterator()
    for batch, row in zip(whole, plan, strict=True):
        assert (batch["video"][0], batch["frame"][0, 0]) == (row[0], row[1] + 1)
    for batch, expected in zip(rest, whole[6:12], strict=False):
        np.testing.assert_array_equal(batch["frames"], expected["frames"])
        assert batch["window"] == expected["window"]
    with pytest.raises(UserError, match="must be four shares"):
        training_batches(corpus, replace(BALANCED, balance=(1.0,)))


def test_the_field_goes_through_command_line_and_json():
    experiment = override(Experiment("x/y", "z"), ["training.balance=0.43,0.24,0.19,0.14"])
    assert experiment.training.balance == PAPER
    assert from_json(to_json(experiment)) == experiment
    assert Experiment("x/y", "z").training.balance == ()
