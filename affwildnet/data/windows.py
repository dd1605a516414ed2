"""Which frames go together: windows of consecutive frames, planned from the manifest before anything is read.

A plan is an (n, 4) int64 array with the columns VIDEO, FIRST, LENGTH and VALID: the video's index in the corpus, the
index of the window's first record in the video, the number of records to read, and how many of them count (both 0 in
the windows that only fill up a batch).
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from affwildnet.data import balance as balancing
from affwildnet.data.corpus import Corpus
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.study import quadrants

VIDEO, FIRST, LENGTH, VALID = range(4)
WINDOW_RULES = ("consecutive", "padded", "first_to_last")


class Position(NamedTuple):
    """Where a training run stands in its data: windows already used of an epoch, counted from 0."""

    epoch: int
    window: int


START = Position(0, 0)


def segments(corpus: Corpus, max_gap: int) -> np.ndarray:
    """Return (n, 3) int64 VIDEO, FIRST, LENGTH of the stretches whose frame numbers grow by `max_gap` at most.

    Raises:
      UserError: if `max_gap` is not at least 1.
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


def evaluation_plan(corpus: Corpus, window: int, batch_size: int, overlap: int = 0) -> np.ndarray:
    """Return the plan that reads every record: windows of consecutive frames, tails shorter than `window`.

    Windows of nearly one length stand in a batch, the longest first, so that hardly anything is computed for padding.
    Batches of one length each would leave the rest of most of them empty; one of 0.9 times the longest may join it. A
    batch is filled up at its end with windows that read nothing, so that all have one shape.

    Args:
      overlap: frames that a window has in common with the one before it; 0 reads every record once.

    Raises:
      UserError: if `window` or `batch_size` is not at least 1, or `overlap` is not from 0 to `window` - 1.
    """
    _check("window", window)
    _check("batch_size", batch_size)
    if not 0 <= overlap < window:
        raise UserError(f"`overlap` must be from 0 to below `window`, {window}. Received: {overlap}")
    rows = []
    for video, first, length in segments(corpus, max_gap=1):
        # A window that begins in the last `overlap` frames would hold nothing new.
        for start in range(0, max(length - overlap, min(length, 1)), window - overlap):
            size = min(window, length - start)
            rows.append((video, first + start, size, size))
    batches: list[list[tuple]] = []
    for row in sorted(rows, key=lambda row: -row[LENGTH]):  # stable: windows of one length stay in order
        if not batches or len(batches[-1]) == batch_size or row[LENGTH] < 0.9 * batches[-1][0][LENGTH]:
            batches.append([])
        batches[-1].append(row)
    return np.array([row for batch in batches for row in _filled(batch, batch_size)], np.int64)


def sequence_plan(corpus: Corpus, window: int, lanes: int) -> np.ndarray:
    """Return the plan that reads every video as one sequence, gaps or not, in pieces of at most `window` records.

    A batch is a row of each lane. A lane goes through one video after the other, each from its first record to its
    last, and its next piece stands in the next batch: a row goes on with that of the batch before exactly where both
    are of one video. All pieces of a batch have one length, cut where the first of the videos ends, so that nothing is
    padded. Long videos come first, and lanes that are through stand at the end of a batch, reading nothing.

    Raises:
      UserError: if `window` or `lanes` is not at least 1.
    """
    _check("window", window)
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
        size = min(window, *(lengths[video] - first for video, first in current.values()))
        batches.append({lane: (video, first, size, size) for lane, (video, first) in current.items()})
        for place in current.values():
            place[1] += size
    # The more batches a lane is in, the nearer to the beginning it stands.
    order = sorted(range(lanes), key=lambda lane: -sum(lane in batch for batch in batches))
    rows = (_filled([batch[lane] for lane in order if lane in batch], lanes) for batch in batches)
    return np.array([row for batch in rows for row in batch], np.int64)


def _filled(batch: list[tuple], batch_size: int) -> list[tuple]:
    return batch + [(*batch[0][:LENGTH], 0, 0)] * (batch_size - len(batch))


def training_plan(
    corpus: Corpus,
    window: int,
    epoch: int,
    seed: int,
    max_gap: int = 1,
    rule: str = "consecutive",
    balance: tuple[float, ...] = (),
) -> np.ndarray:
    """Return one epoch's plan: whole windows from a random phase in each segment, shuffled.

    What does not fill a window is dropped for this epoch, and so are windows without any label. The plan depends on
    nothing but the arguments, so that a run can be resumed anywhere.

    Args:
      rule: "consecutive" never lets a window cross a gap above `max_gap`. "padded" neither, and a segment shorter than
        a window is a window too, of as many records as there are. "first_to_last" is the looser rule of the thesis
        (section 5.1.2), for comparison only: gaps inside do not matter while the last frame number is less than 15
        windows above the first.
      balance: shares of the quadrants for which windows are repeated, see `balance.repeats`; each window is planned as
        often as it is read. Empty: once.

    Raises:
      UserError: if there is no such window.
    """
    _check("window", window)
    check_choice("window_rule", rule, WINDOW_RULES)
    loose = rule == "first_to_last"
    stretches = segments(corpus, max_gap=np.iinfo(np.int64).max if loose else max_gap)
    rng = np.random.default_rng([seed, epoch])
    rows = []
    for video, first, length in stretches:
        if length < window:
            rows += [(video, first, length, length)] * (rule == "padded")
            continue
        phase = rng.integers(min(window, length - window + 1))
        starts = np.arange(first + phase, first + length - window + 1, window)
        rows += [(video, start, window, window) for start in starts]
    plan = _useful(corpus, rows, window, loose)
    if not len(plan):
        # The phases may have missed the few labels that there are: any one window that holds some.
        rows = [
            (video, start, window, window)
            for video, first, length in stretches
            for start in range(first, first + length - window + 1)
        ]
        plan = rng.permutation(_useful(corpus, rows, window, loose))[:1]
    if not len(plan):
        raise UserError(
            f"{corpus.folder}: the split {corpus.split} must hold a labelled window of {window} consecutive frames. "
            f"Received: stretches of at most {stretches[:, LENGTH].max()} frames. Lower `training.window`."
        )
    if balance:
        plan = np.repeat(plan, balancing.repeats(quadrant_counts(corpus, plan), balance, rng), axis=0)
    return plan[rng.permutation(len(plan))]


def quadrant_counts(corpus: Corpus, plan: np.ndarray) -> np.ndarray:
    """Return (n, 4) int64: labelled frames of each quadrant, as in `quadrants.QUADRANTS`, in each window of a plan."""
    is_in = corpus.record_quadrants[:, None] == np.arange(len(quadrants.QUADRANTS))
    before = np.concatenate([np.zeros((1, is_in.shape[1]), np.int64), np.cumsum(is_in, axis=0)])
    at = corpus.first_record[plan[:, VIDEO]] + plan[:, FIRST]
    return before[at + plan[:, LENGTH]] - before[at]


def balance_told(corpus: Corpus, window: int, seed: int, max_gap: int, rule: str, balance: tuple[float, ...]) -> str:
    """Return a line on what `balance` does to the first epoch: windows and shares of the quadrants, before and after.

    Raises:
      UserError: if `balance` cannot be aimed at in this split.
    """
    balancing.check_targets(balance, quadrants.count_quadrants(corpus.record_quadrants))
    plans = [training_plan(corpus, window, 0, seed, max_gap, rule, targets) for targets in ((), balance)]
    shares = [quadrants.shares(quadrant_counts(corpus, plan)) for plan in plans]
    return f"balance: {len(plans[0]):,} -> {len(plans[1]):,} windows an epoch, frames {balancing.told(*shares)}"


def _useful(corpus: Corpus, rows: list[tuple], window: int, loose: bool) -> np.ndarray:
    # Those of the windows that hold a label and, by the looser rule, do not stretch too far.
    plan = np.array(rows, np.int64).reshape(-1, 4)
    at = corpus.first_record[plan[:, VIDEO]] + plan[:, FIRST]
    labels_before = np.concatenate([[0], np.cumsum(corpus.record_labelled)])
    keep = labels_before[at + plan[:, LENGTH]] > labels_before[at]
    if loose:
        keep &= corpus.record_frames[at + window - 1] - corpus.record_frames[at] < 15 * window
    return plan[keep]


def training_stream(
    corpus: Corpus,
    window: int,
    seed: int,
    start: Position,
    max_gap: int = 1,
    rule: str = "consecutive",
    balance: tuple[float, ...] = (),
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (epoch, first window, rest of the epoch's plan) from `start` on, without end."""
    epoch, skip = start
    while True:
        yield epoch, skip, training_plan(corpus, window, epoch, seed, max_gap, rule, balance)[skip:]
        epoch, skip = epoch + 1, 0


def _check(name: str, value: int) -> None:
    if value < 1:
        raise UserError(f"`{name}` must be at least 1. Received: {value}")
