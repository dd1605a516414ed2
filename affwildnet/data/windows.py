"""Which frames go together: windows of consecutive frames, planned from the manifest before anything is read.

A plan is an (n, 3) int64 array with the columns VIDEO, FIRST and LENGTH: the video's index in the corpus, the index of
the window's first record in the video, and the number of records to read (0 in the windows that only fill up a batch).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from affwildnet.data import balance as balancing
from affwildnet.data.batches import distinct
from affwildnet.data.corpus import Corpus
from affwildnet.experiments import window_rules
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from tfrecords_tools.errors import UserError, check_choice, count
from tfrecords_tools.study import quadrants

VIDEO, FIRST, LENGTH = range(3)
CONSECUTIVE, PADDED, FIRST_TO_LAST = "consecutive", "padded", "first_to_last"
WINDOW_RULES = (CONSECUTIVE, PADDED, FIRST_TO_LAST)
EVALUATION_RULES = (CONSECUTIVE, FIRST_TO_LAST)
# Rule "first_to_last": a window's last frame number is at most so many windows above its first.
_MOST_SPREAD = 15
# Windows in one batch of an evaluation have at least this share of the longest one's records.
_NEARLY_ONE_LENGTH = 0.9


class Position(NamedTuple):
    """Where a run stands in its training data: windows already used of an epoch, counted from 0."""

    epoch: int
    window: int


START = Position(0, 0)


def segments(corpus: Corpus, max_gap: int) -> np.ndarray:
    """Return (n, 3) int64 VIDEO, FIRST, LENGTH of the segments, in which frame numbers grow by at most `max_gap`.

    Raises:
      UserError: if `max_gap` is below 1.
    """
    if max_gap < 1:
        raise UserError(f"`max_gap` must be at least 1, which means consecutive frames. Received: {max_gap}")
    found = []
    for video, entry in enumerate(corpus.videos):
        start = corpus.first_record[video]
        frames = corpus.record_frames[start : start + entry.frames]
        cuts = [0, *(np.flatnonzero(np.diff(frames) > max_gap) + 1), entry.frames]
        found += [(video, first, last - first) for first, last in pairwise(cuts)]
    return np.array(found, np.int64)


def training_segments(corpus: Corpus, config: TrainingConfig) -> np.ndarray:
    """Return the segments that training windows lie in by `config.window_rule`: whole videos by "first_to_last"."""
    return segments(corpus, np.iinfo(np.int64).max if config.window_rule == FIRST_TO_LAST else config.max_gap)


def evaluation_plan(corpus: Corpus, config: EvaluationConfig) -> np.ndarray:
    """Return the plan that reads every record, in windows that are cut as in training; the last of them are shorter.

    By the rule "consecutive" windows lie in segments, in which frame numbers grow by at most `config.max_gap`. By
    "first_to_last" they go through the whole video across gaps, and end early where the last frame number would be more
    than 15 windows above the first. Training leaves out what does not fill a window; here it is scored too.

    Neighbouring windows of a segment share `config.overlap` frames; 0 reads every record once. A batch holds windows of
    nearly the same length, the longest first, which keeps padding rare: each has at least 0.9 times the records of the
    longest. (Batches of exactly one length would be mostly empty.) Windows that read nothing fill up a batch at its
    end, so that all batches have one shape.

    Raises:
      UserError: if `config.window` or `config.batch_size` is below 1, `config.overlap` not from 0 to below `window`, or
        the rule is not one of `EVALUATION_RULES`.
    """
    _check("window", config.window)
    _check("batch_size", config.batch_size)
    window_rules.check(config)
    check_choice("evaluation.window_rule", config.window_rule, EVALUATION_RULES)
    rows = list((_near_windows if config.window_rule == FIRST_TO_LAST else _segment_windows)(corpus, config))
    batches: list[list[tuple]] = []
    for row in sorted(rows, key=lambda row: -row[LENGTH]):  # stable: windows of one length stay in order
        shortest = _NEARLY_ONE_LENGTH * batches[-1][0][LENGTH] if batches else 0
        if not batches or len(batches[-1]) == config.batch_size or row[LENGTH] < shortest:
            batches.append([])
        batches[-1].append(row)
    return np.array([row for batch in batches for row in _filled(batch, config.batch_size)], np.int64)


def _segment_windows(corpus: Corpus, config: EvaluationConfig) -> Iterator[tuple[int, int, int]]:
    """Yield the windows of an evaluation by the rule "consecutive"."""
    window, overlap = config.window, config.overlap
    for video, first, length in segments(corpus, config.max_gap):
        # A window that begins in the last `overlap` frames would hold nothing new.
        for start in range(0, max(length - overlap, min(length, 1)), window - overlap):
            yield video, first + start, min(window, length - start)


def _near_windows(corpus: Corpus, config: EvaluationConfig) -> Iterator[tuple[int, int, int]]:
    """Yield the windows of an evaluation by the rule "first_to_last"."""
    window = config.window
    for video, entry in enumerate(corpus.videos):
        begin = corpus.first_record[video]
        frames = corpus.record_frames[begin : begin + entry.frames]
        start = 0
        while start < len(frames):
            near = int(np.searchsorted(frames, frames[start] + _MOST_SPREAD * window, side="right"))
            end = min(start + window, len(frames), near)
            yield video, start, end - start
            # Two windows share frames only where the first is whole: one that ends early ends at a gap.
            start = end - config.overlap if end - start == window and end < len(frames) else end


def sequence_plan(corpus: Corpus, config: EvaluationConfig) -> np.ndarray:
    """Return the plan that reads each video as one sequence, across gaps, `config.window` records at a time or fewer.

    Each row of a batch is a lane that goes through one video after the other, from first record to last. A row thus
    continues the same row of the batch before exactly where both are of one video. All windows of a batch have one
    length, cut where the first of the videos ends, so that nothing is padded. Long videos come first; lanes without a
    video left read nothing, at the end of the batch.

    Raises:
      UserError: if `config.window` or `config.batch_size` is below 1.
    """
    lanes = config.batch_size
    _check("window", config.window)
    _check("batch_size", lanes)
    lengths = [entry.frames for entry in corpus.videos]
    waiting = sorted((video for video, length in enumerate(lengths) if length), key=lambda video: lengths[video])
    current: dict[int, list[int]] = {}  # by lane: video and first record not yet read
    batches: list[dict[int, tuple]] = []
    while True:
        for lane in range(lanes):
            if lane in current and current[lane][1] == lengths[current[lane][0]]:
                del current[lane]
            if lane not in current and waiting:
                current[lane] = [waiting.pop(), 0]
        if not current:
            break
        size = min(config.window, *(lengths[video] - first for video, first in current.values()))
        batches.append({lane: (video, first, size) for lane, (video, first) in current.items()})
        for place in current.values():
            place[1] += size
    # The lanes of most batches come first.
    order = sorted(range(lanes), key=lambda lane: -sum(lane in batch for batch in batches))
    rows = (_filled([batch[lane] for lane in order if lane in batch], lanes) for batch in batches)
    return np.array([row for batch in rows for row in batch], np.int64)


def _filled(batch: list[tuple], batch_size: int) -> list[tuple]:
    return batch + [(*batch[0][:LENGTH], 0)] * (batch_size - len(batch))


def training_plan(corpus: Corpus, config: TrainingConfig, epoch: int) -> np.ndarray:
    """Return one epoch's plan: whole windows from a random phase in each segment, shuffled.

    Records that do not fill a window are left out of this epoch, and so are windows without any label. The plan depends
    on nothing but the arguments, so that a run can be resumed anywhere.

    What a window may hold depends on `config.window_rule`. "consecutive" never crosses a gap above `max_gap`. "padded"
    does not either, and makes a segment shorter than a window a window too, of as many records as it has.
    "first_to_last" is the looser rule of the thesis (section 5.1.2): gaps do not matter as long as the last frame
    number is at most 15 windows above the first. With `config.balance`, each window stands as often as
    `balance.repeats` says. With `config.distinct_videos`, the windows are in the order of `batches.distinct`.

    Raises:
      UserError: if there is no such window.
    """
    window = config.window
    _check("window", window)
    check_choice("window_rule", config.window_rule, WINDOW_RULES)
    found = training_segments(corpus, config)
    rng = np.random.default_rng([config.seed, epoch])
    rows = []
    for video, first, length in found:
        if length < window:
            rows += [(video, first, length)] * (config.window_rule == PADDED)
            continue
        phase = rng.integers(min(window, length - window + 1))
        rows += [(video, start, window) for start in range(first + phase, first + length - window + 1, window)]
    plan = _usable(corpus, config, rows)
    if not len(plan):
        # The phases may have missed the few labels that there are: take any one window that holds some.
        rows = [
            (video, start, window)
            for video, first, length in found
            for start in range(first, first + length - window + 1)
        ]
        plan = rng.permutation(_usable(corpus, config, rows))[:1]
    if not len(plan):
        longest = int(found[:, LENGTH].max())
        raise UserError(
            f"{corpus.folder}: the split {corpus.split} must hold a labelled window of {window} consecutive frames. "
            f"Received: segments of at most {count(longest, 'frame')}. Lower `training.window`."
        )
    if config.balance:
        plan = np.repeat(plan, balancing.repeats(quadrant_counts(corpus, plan), config.balance, rng), axis=0)
    plan = plan[rng.permutation(len(plan))]
    return plan[distinct(plan[:, VIDEO], config.batch_size, rng)] if config.distinct_videos else plan


def _usable(corpus: Corpus, config: TrainingConfig, rows: list[tuple]) -> np.ndarray:
    # The windows that hold a label and, by the looser rule, are not spread too far.
    plan = np.array(rows, np.int64).reshape(-1, 3)
    first = corpus.first_record[plan[:, VIDEO]] + plan[:, FIRST]
    labels_before = np.concatenate([[0], np.cumsum(corpus.record_labelled)])
    keep = labels_before[first + plan[:, LENGTH]] > labels_before[first]
    if config.window_rule == FIRST_TO_LAST:
        spread = corpus.record_frames[first + config.window - 1] - corpus.record_frames[first]
        keep &= spread <= _MOST_SPREAD * config.window
    return plan[keep]


def training_stream(
    corpus: Corpus, config: TrainingConfig, start: Position = START
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (epoch, index of the first window, rest of the epoch's plan) from `start` on, without end."""
    epoch, skip = start
    while True:
        yield epoch, skip, training_plan(corpus, config, epoch)[skip:]
        epoch, skip = epoch + 1, 0


def quadrant_counts(corpus: Corpus, plan: np.ndarray) -> np.ndarray:
    """Return (n, 4) int64: labelled frames of each quadrant, as in `quadrants.QUADRANTS`, in each window of a plan."""
    is_in = corpus.record_quadrants[:, None] == np.arange(len(quadrants.QUADRANTS))
    before = np.concatenate([np.zeros((1, is_in.shape[1]), np.int64), np.cumsum(is_in, axis=0)])
    first = corpus.first_record[plan[:, VIDEO]] + plan[:, FIRST]
    return before[first + plan[:, LENGTH]] - before[first]


def balance_summary(corpus: Corpus, config: TrainingConfig) -> str:
    """Return a line on what `config.balance` changes in the first epoch: number of windows, shares of the quadrants.

    Raises:
      UserError: if repetition cannot aim at these shares in this split.
    """
    balancing.check_targets(config.balance, quadrants.count_quadrants(corpus.record_quadrants))
    plans = [training_plan(corpus, replace(config, balance=targets), 0) for targets in ((), config.balance)]
    shares = [quadrants.shares(quadrant_counts(corpus, plan)) for plan in plans]
    return f"balance: {len(plans[0]):,} -> {len(plans[1]):,} windows an epoch, frames {balancing.summary(*shares)}"


def short_videos_summary(corpus: Corpus, config: TrainingConfig) -> str:
    """Return a line on the videos too short for a window, of which nothing is trained on; "" where there are none."""
    if config.window_rule == PADDED:
        return ""
    found = training_segments(corpus, config)
    long_enough = len(set(found[found[:, LENGTH] >= config.window, VIDEO].tolist()))
    short, videos = len(corpus.videos) - long_enough, len(corpus.videos)
    if not short:
        return ""
    has, are = ("has", "is") if short == 1 else ("have", "are")
    return (
        f"{short} of {count(videos, 'video')} {has} no {config.window} consecutive frames and {are} not trained on. "
        "`--set training.window_rule=padded` or a lower `training.window` includes them."
    )


def _check(name: str, value: int) -> None:
    if value < 1:
        raise UserError(f"`{name}` must be at least 1. Received: {value}")
