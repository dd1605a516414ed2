"""Windows planned for evaluation: each record is read once, or as often as windows overlap."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from affwildnet.data.windows import evaluation_plan, segments, sequence_plan
from tests.helpers.window_plans import GAP, VIDEOS, WINDOW, corpus_of, evaluation, fast
from tfrecords_tools.errors import UserError


def assert_filled_up(plan, batch_size):
    """Batches are whole, with the windows that read nothing at their ends; return the batches without these."""
    assert len(plan) % batch_size == 0
    found = []
    for batch in plan.reshape(-1, batch_size, 3):
        real = int((batch[:, 2] > 0).sum())
        assert real > 0
        assert not batch[real:, 2].any()
        found.append(batch[:real])
    return found


def every_record(videos):
    return [(video, index) for video, frames in enumerate(videos) for index in range(len(frames))]


@fast
@given(VIDEOS, WINDOW, st.integers(1, 5), GAP)
@example([[1, 2, 3, -4, 9, 10]], 2, 4, 1)
def test_evaluation_reads_every_record_once(videos, window, batch_size, gap):
    config = evaluation(window, batch_size, max_gap=gap)
    batches = assert_filled_up(evaluation_plan(corpus_of(videos), config), batch_size)
    read = []
    for batch in batches:
        for video, first, length in batch:
            assert length <= window
            numbers = np.abs(videos[video][first : first + length])
            assert (np.diff(numbers) <= gap).all()
            if length < window and first + length < len(videos[video]):
                assert abs(videos[video][first + length]) > numbers[-1] + gap, "a window is short only before a gap"
            read += [(video, index) for index in range(first, first + length)]
    assert sorted(read) == every_record(videos)


@fast
@given(VIDEOS, WINDOW, st.integers(1, 5))
@example([[1, 2, 31, 32]], 2, 1)  # 15 windows apart: near enough
@example([[1, 2, 3, 34]], 2, 1)
def test_evaluation_across_gaps_reads_every_record_once_in_windows_that_are_as_long_as_they_may(
    videos, window, batch_size
):
    config = evaluation(window, batch_size, window_rule="first_to_last")
    read = []
    for batch in assert_filled_up(evaluation_plan(corpus_of(videos), config), batch_size):
        for video, first, length in batch:
            frames = np.abs(videos[video])
            end = first + length
            assert length <= window
            assert frames[end - 1] - frames[first] <= 15 * window
            if length < window and end < len(frames):
                assert frames[end] - frames[first] > 15 * window, "a window is short only where the next is too far"
            read += [(video, index) for index in range(first, end)]
    assert sorted(read) == every_record(videos)


def test_evaluation_across_gaps_follows_the_thesis_where_frames_are_missing():
    """Its loader takes 80 records in a row, wherever frames are missing; ours scores the tail too."""
    frames = [frame for frame in range(1, 401) if frame % 30]  # every 30th frame has no face
    corpus = corpus_of([frames])
    looser = evaluation_plan(corpus, evaluation(80, 1, window_rule="first_to_last"))
    assert looser[:, 1:].tolist() == [[0, 80], [80, 80], [160, 80], [240, 80], [320, 67]]
    assert evaluation_plan(corpus, evaluation(80, 1))[:, 2].max() == 29


def test_overlapping_windows_across_gaps_share_frames_only_where_the_first_is_whole():
    plan = evaluation_plan(corpus_of([[1, 2, 3, 4, 5, 200, 201]]), evaluation(4, 1, 2, window_rule="first_to_last"))
    assert sorted(map(tuple, plan[:, 1:].tolist())) == [(0, 4), (2, 3), (5, 2)]


def test_an_unknown_rule_of_evaluation_is_refused():
    with pytest.raises(UserError, match=r"`evaluation\.window_rule` must be one of consecutive, first_to_last"):
        evaluation_plan(corpus_of([[1]]), evaluation(4, 1, window_rule="padded"))


# Batches of different videos.


@fast
@given(VIDEOS, WINDOW, st.integers(1, 5))
def test_windows_of_a_batch_are_of_nearly_one_length(videos, window, batch_size):
    batches = assert_filled_up(evaluation_plan(corpus_of(videos), evaluation(window, batch_size)), batch_size)
    for batch in batches:
        assert batch[:, 2].min() >= 0.9 * batch[:, 2].max()
    whole = [batch for batch in batches if batch[0, 2] == window]
    assert all(len(batch) == batch_size for batch in whole[:-1]), "batches of whole windows are full"


@fast
@given(VIDEOS, WINDOW, st.integers(0, 8), st.integers(1, 5))
def test_overlapping_windows_start_at_even_steps_and_each_reads_something_new(videos, window, overlap, batch_size):
    assume(overlap < window)
    corpus = corpus_of(videos)
    batches = assert_filled_up(evaluation_plan(corpus, evaluation(window, batch_size, overlap)), batch_size)
    found = sorted(tuple(map(int, row)) for batch in batches for row in batch)
    expected = []
    for video, first, length in segments(corpus, 1):
        seen = 0
        for start in range(0, length, window - overlap):
            if seen < length:  # something of the segment is not yet in a window
                expected.append((video, first + start, min(window, length - start)))
                seen = start + window
    assert found == sorted(expected)


@fast
@given(VIDEOS, WINDOW, st.integers(1, 5))
@example([[1, 2, 3, 4, 5], [1, 9], [1]], 2, 2)
def test_sequences_go_on_in_the_same_row_of_the_next_batch(videos, window, lanes):
    batches = assert_filled_up(sequence_plan(corpus_of(videos), evaluation(window, lanes)), lanes)
    assert max(map(len, batches)) <= min(lanes, len(videos))
    read, before, begun = [], [], set()
    for batch in batches:
        assert len(set(batch[:, 2])) == 1, "windows of one length, nothing padded"
        assert 1 <= batch[0, 2] <= window
        assert len(batch) <= len(before) or not before, "a row without a video left is never used again"
        for row, (video, first, length) in enumerate(batch):
            if before and before[row][0] == video:
                assert first == before[row][1] + before[row][2]
            else:
                assert first == 0
                assert video not in begun
                begun.add(video)
            read += [(video, index) for index in range(first, first + length)]
        before = batch.tolist()
    assert sorted(read) == [(video, index) for video, frames in enumerate(videos) for index in range(len(frames))]


def test_sequences_of_videos_of_several_lengths():
    corpus = corpus_of([list(range(1, 8)), [1, 2, 3, 50], list(range(1, 13)), [1]])
    batches = assert_filled_up(sequence_plan(corpus, evaluation(5, 2)), 2)
    # Videos 2 and 0, the longest, come first; 1 follows 0 in its row, and 3 the first of the rows to end.
    assert [[tuple(map(int, row)) for row in batch] for batch in batches] == [
        [(2, 0, 5), (0, 0, 5)],
        [(2, 5, 2), (0, 5, 2)],
        [(2, 7, 4), (1, 0, 4)],
        [(2, 11, 1), (3, 0, 1)],
    ]
