"""Windows planned for training against what brute force says of them."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from affwildnet.data import START, Position
from affwildnet.data.batches import distinct
from affwildnet.data.windows import evaluation_plan, segments, sequence_plan, training_plan, training_stream
from tests.helpers.window_plans import GAP, VIDEOS, WINDOW, corpus_of, evaluation, fast, training
from tfrecords_tools.errors import UserError


def has_window(videos, window, max_gap, rule="consecutive"):
    """Return whether any `window` records in a row could be a window, by trying all of them."""
    for frames in videos:
        for start in range(len(frames) - window + 1):
            part = frames[start : start + window]
            steps = np.diff(np.abs(part))
            near = (steps <= max_gap).all() if rule == "consecutive" else abs(part[-1]) - abs(part[0]) <= 15 * window
            if near and max(part) > 0:
                return True
    return False


@fast
@given(VIDEOS, WINDOW, GAP, st.integers(0, 5), st.integers(0, 9))
def test_a_training_window_is_of_near_frames_of_one_video(videos, window, gap, epoch, seed):
    assume(has_window(videos, window, gap))
    plan = training_plan(corpus_of(videos), training(window, seed=seed, max_gap=gap), epoch)
    used = set()
    for video, first, length in plan:
        assert length == window
        assert 0 <= first <= len(videos[video]) - window
        part = videos[video][first : first + window]
        assert (np.diff(np.abs(part)) <= gap).all()
        assert max(part) > 0, "no label in it"
        records = {(video, index) for index in range(first, first + window)}
        assert not records & used, "a record in two windows of one epoch"
        used |= records


@fast
@given(VIDEOS, WINDOW, GAP, st.integers(0, 5), st.sampled_from(["consecutive", "first_to_last"]))
def test_there_is_an_error_exactly_where_no_window_fits(videos, window, gap, epoch, rule):
    corpus, config = corpus_of(videos), training(window, max_gap=gap, window_rule=rule)
    if has_window(videos, window, gap, rule):
        assert len(training_plan(corpus, config, epoch))
    else:
        with pytest.raises(UserError, match="must hold a labelled window"):
            training_plan(corpus, config, epoch)


@fast
@given(VIDEOS, WINDOW, GAP)
def test_an_epoch_drops_less_than_two_windows_of_a_segment(videos, window, gap):
    videos = [[abs(frame) for frame in frames] for frames in videos]
    assume(has_window(videos, window, gap))
    corpus = corpus_of(videos)
    plan = training_plan(corpus, training(window, max_gap=gap), 0)
    for video, first, length in segments(corpus, gap):
        inside = ((plan[:, 0] == video) & (plan[:, 1] >= first) & (plan[:, 1] < first + length)).sum()
        # Less than a window before the first, less than one after the last; a segment of one window is never dropped.
        assert max(length // window - 1, int(length >= window)) <= inside <= length // window


@fast
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 5), st.integers(0, 9))
@example([5, 5, 5], 2, 0)
@example([10, 1, 1], 2, 0)
def test_batches_hold_different_videos_where_they_can(windows, batch_size, seed):
    videos = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(windows)), windows))
    order = distinct(videos, batch_size, np.random.default_rng(seed))
    assert order.tolist() == distinct(videos, batch_size, np.random.default_rng(seed)).tolist()
    assert len(set(order)) == len(order)
    if len(videos) < batch_size:
        assert len(order) == len(videos)
        return
    assert len(order) == len(videos) // batch_size * batch_size
    different = sum(len(set(batch)) == batch_size for batch in videos[order].reshape(-1, batch_size).tolist())
    # k such batches take at most k windows of each video: the largest k for which these are enough.
    possible = [k for k in range(len(videos) + 1) if sum(min(k, n) for n in windows) >= k * batch_size]
    assert different >= max(possible)


def test_an_epoch_of_different_videos_starts_and_ends_with_a_whole_batch():
    corpus = corpus_of([range(1, 60), range(1, 70), range(1, 45), range(1, 75)])
    config = training(5, batch_size=3, distinct_videos=True)
    for epoch in range(4):
        batches = training_plan(corpus, config, epoch)[:, 0].reshape(-1, 3)
        assert all(len(set(batch)) == 3 for batch in batches.tolist())
        own = training_plan(corpus, training(5, batch_size=3), epoch)
        assert 0 <= len(own) - batches.size < 3


def test_large_videos_do_not_come_last():
    videos = np.repeat(np.arange(3), [60, 30, 30])
    order = videos[distinct(videos, 2, np.random.default_rng(0))].reshape(-1, 2)
    halves = [(half == 0).sum() for half in np.split(order, 2)]
    assert halves == [30, 30]  # video 0 is in every batch
    videos = np.repeat(np.arange(20), [40] + [20] * 19)
    order = videos[distinct(videos, 2, np.random.default_rng(0))].reshape(-1, 2)
    first, second = ((half == 0).sum() for half in np.split(order, 2))
    assert abs(first - second) < 15


@fast
@given(VIDEOS, GAP)
def test_segments_are_cut_at_gaps_and_nowhere_else(videos, gap):
    found = segments(corpus_of(videos), gap)
    cuts = {(video, first) for video, first, _ in found}
    expected = {
        (video, index)
        for video, frames in enumerate(videos)
        for index in range(len(frames))
        if index == 0 or abs(frames[index]) - abs(frames[index - 1]) > gap
    }
    assert cuts == expected
    assert sum(length for _, _, length in found) == sum(len(frames) for frames in videos)


def rows_of(stream, number):
    """The first `number` rows (epoch, window, plan) of a stream."""
    rows = ((epoch, first + index, *row) for epoch, first, plan in stream for index, row in enumerate(plan))
    return [tuple(map(int, row)) for row in islice(rows, number)]


@fast
@given(VIDEOS, WINDOW, GAP, st.integers(0, 9), st.integers(0, 60))
def test_a_stream_goes_on_anywhere_as_if_never_stopped(videos, window, gap, seed, stop):
    assume(has_window(videos, window, gap))
    corpus, config = corpus_of(videos), training(window, seed=seed, max_gap=gap)
    whole = rows_of(training_stream(corpus, config, START), stop + 50)
    last = whole[stop - 1] if stop else (0, -1)
    resumed = rows_of(training_stream(corpus, config, Position(last[0], last[1] + 1)), 50)
    assert resumed == whole[stop:]
    epochs = [row[0] for row in whole]
    assert epochs == sorted(epochs)
    for epoch in range(epochs[-1]):
        assert [row[1] for row in whole if row[0] == epoch] == list(range(epochs.count(epoch)))


def test_the_plan_follows_from_seed_and_epoch():
    corpus = corpus_of([list(range(1, 200)), list(range(1, 150))])
    first = training_plan(corpus, training(8, seed=5), epoch=3)
    np.testing.assert_array_equal(first, training_plan(corpus, training(8, seed=5), epoch=3))
    for epoch, seed in [(4, 5), (3, 6), (5, 3)]:
        other = training_plan(corpus, training(8, seed=seed), epoch)
        assert other.shape != first.shape or (other != first).any()


def test_windows_start_at_every_phase_and_every_frame_is_seen():
    corpus = corpus_of([list(range(1, 32))])
    plans = [training_plan(corpus, training(5), epoch) for epoch in range(60)]
    phases = [plan[:, 1].min() for plan in plans]
    assert set(phases) == {0, 1, 2, 3, 4}
    assert min(phases.count(phase) for phase in range(5)) >= 4
    seen = {record for plan in plans for first in plan[:, 1] for record in range(first, first + 5)}
    assert seen == set(range(31))


def test_windows_are_shuffled_over_the_videos():
    corpus = corpus_of([list(range(1, 101))] * 4)
    plan = training_plan(corpus, training(5), 0)
    assert (np.diff(plan[:, 0]) != 0).sum() > len(plan) / 2
    assert set(plan[:, 0]) == {0, 1, 2, 3}


def test_windows_without_a_label_are_dropped_in_training_and_read_in_evaluation():
    frames = [-n if 11 <= n <= 40 else n for n in range(1, 51)]
    corpus = corpus_of([frames])
    for epoch in range(20):
        plan = training_plan(corpus, training(5), epoch)
        assert all(max(frames[first : first + 5]) > 0 for first in plan[:, 1])
        assert len(plan) <= 6
    assert evaluation_plan(corpus, evaluation(5, 1))[:, 2].sum() == 50


def test_few_labels_are_found_in_every_epoch():
    # One label, which half of the phases miss.
    corpus = corpus_of([[-1, -2, -3, -4, -5, 6, -7], [-1, -2, -3]])
    for epoch in range(50):
        plan = training_plan(corpus, training(4), epoch)
        assert len(plan) == 1
        assert plan[0, 0] == 0
        assert plan[0, 1] <= 5 < plan[0, 1] + 4


def test_a_larger_gap_is_crossed_only_when_allowed():
    corpus = corpus_of([[1, 2, 3, 5, 6, 7, 10, 11]])
    assert [tuple(row[1:]) for row in segments(corpus, 1)] == [(0, 3), (3, 3), (6, 2)]
    assert [tuple(row[1:]) for row in segments(corpus, 2)] == [(0, 6), (6, 2)]
    assert [tuple(row[1:]) for row in segments(corpus, 3)] == [(0, 8)]
    with pytest.raises(UserError, match="segments of at most 3 frames"):
        training_plan(corpus, training(4), 0)
    plans = [training_plan(corpus, training(4, max_gap=2), epoch) for epoch in range(9)]
    assert {first for plan in plans for first in plan[:, 1]} == {0, 1, 2}


def test_the_looser_rule_looks_at_first_and_last_alone():
    # With T = 2 the last frame may be at most 30 above the first: the thesis drops what is further apart than 15 T.
    corpus = corpus_of([[1, 31, 62, 93, 123, 200]])
    plans = [training_plan(corpus, training(2, window_rule="first_to_last"), epoch) for epoch in range(20)]
    assert {first for plan in plans for first in plan[:, 1]} == {0, 3}
    with pytest.raises(UserError, match="labelled window"):
        training_plan(corpus, training(2, max_gap=29 - 1), 0)


def test_the_looser_rule_never_crosses_videos():
    corpus = corpus_of([[1, 5, 9], [1, 5, 9]])
    for epoch in range(9):
        plan = training_plan(corpus, training(2, window_rule="first_to_last"), epoch)
        assert (plan[:, 1] <= 1).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda corpus: training_plan(corpus, training(0), 0), "`window` must be at least 1"),
        (lambda corpus: training_plan(corpus, training(4, max_gap=0), 0), "`max_gap` must be at least 1"),
        (
            lambda corpus: training_plan(corpus, training(4, window_rule="loose"), 0),
            "`window_rule` must be one of .*Received: loose",
        ),
        (lambda corpus: evaluation_plan(corpus, evaluation(0, 1)), "`window` must be at least 1"),
        (lambda corpus: evaluation_plan(corpus, evaluation(4, 0)), "`batch_size` must be at least 1"),
        (
            lambda corpus: evaluation_plan(corpus, evaluation(4, 1, 4)),
            "`evaluation.overlap` must be from 0 to below `evaluation.window`, 4. Received: 4",
        ),
        (lambda corpus: sequence_plan(corpus, evaluation(0, 1)), "`window` must be at least 1"),
        (lambda corpus: sequence_plan(corpus, evaluation(4, 0)), "`batch_size` must be at least 1"),
        (lambda corpus: training_plan(corpus, training(30), 0), "30 consecutive frames.*at most 20 frames"),
    ],
)
def test_settings_that_cannot_be_are_errors(call, says):
    with pytest.raises(UserError, match=says):
        call(corpus_of([list(range(1, 21))]))
