"""Assign subjects to splits or folds that are alike, by the three criteria of thesis section 3.3.

1. The labels are distributed alike in all parts. 2. So are the genders, where they are known. 3. No subject is in two
parts, which holds by construction because whole subjects are assigned. The search minimises the mean over parts of

    labels: half the sum of |share of the part's labels - share of the corpus's labels| over 10 x 10 cells of the plane
  + genders: half the sum of |share of a gender among the part's videos - among the corpus's videos|
  + frames: |the part's share of the frames - the wanted share|

each from 0 (alike) to 1. It begins with random assignments, and improves the best of them by moving and exchanging
subjects until nothing helps. It may miss the best assignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import SPLITS, is_labelled

CELLS = np.arange(-5, 6) / 5
TERMS = ("labels", "genders", "frames")
_RANDOM = 200


def shares_of_splits(fractions: Sequence[float]) -> dict[str, float]:
    """Return the wanted share of the frames by split: train, validation, and with three fractions test.

    Raises:
      UserError: if there are not two or three fractions above 0 that sum to 1.
    """
    if len(fractions) not in (2, 3) or not all(0 < part < 1 for part in fractions) or abs(sum(fractions) - 1) > 1e-6:
        given = ",".join(f"{part:g}" for part in fractions)
        raise UserError(f"`fractions` must be two or three above 0 that sum to 1. Received: {given}")
    return dict(zip(SPLITS, fractions, strict=False))


def equal_folds(number: int) -> dict[str, float]:
    """Return equal shares for `fold-1`, `fold-2`, ...

    Raises:
      UserError: if there are fewer than two.
    """
    if number < 2:
        raise UserError(f"`folds` must be at least 2. Received: {number}")
    return {f"fold-{fold}": 1 / number for fold in range(1, number + 1)}


@dataclass(frozen=True)
class Subjects:
    """The S subjects to assign.

    Attributes:
      names: in order.
      labels: (S, 100) labelled frames in each cell of the plane, see `cells_of`.
      genders: (S, G) videos of each known gender; G may be 0.
      frames: (S,) frames, labelled or not.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    genders: np.ndarray
    frames: np.ndarray


def cells_of(labels: np.ndarray) -> np.ndarray:
    """Return (100,) int64, the number of (n, 2) labels in each of 10 x 10 cells of the plane, without missing ones."""
    values = np.round(labels[is_labelled(labels)], 6).clip(-1, 1)
    return np.histogram2d(*values.T, bins=[CELLS, CELLS])[0].astype(np.int64).ravel()


def distances(subjects: Subjects, assignment: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return (P, 3) the distances of each part, in the order of `TERMS`.

    Args:
      subjects: that are assigned.
      assignment: (S,) the part of each subject.
      shares: (P,) wanted shares of the frames, sum 1.
    """
    search = _Search(subjects, shares)
    return search.distances(search.totals(assignment), np.arange(len(shares)))


def search(subjects: Subjects, shares: np.ndarray, seed: int, tries: int = 3) -> tuple[np.ndarray, float, float]:
    """Return (S,) the part of each subject, the parts' mean distance, and the median distance of random assignments.

    Args:
      subjects: to assign.
      shares: (P,) wanted shares of the frames, sum 1.
      seed: of the random assignments; the same seed gives the same parts.
      tries: how many of the random assignments are improved.

    Raises:
      UserError: if there are fewer subjects than parts, or no label.
    """
    if len(subjects.names) < len(shares):
        raise UserError(
            f"There must be at least as many subjects as parts, {len(shares)}: no subject may be in two. "
            f"Received: {len(subjects.names)}."
        )
    if not subjects.labels.any():
        raise UserError("There must be labels for their distributions to be alike. Received: a corpus without any.")
    rng = np.random.default_rng(seed)
    searching = _Search(subjects, shares)
    drawn = [searching.random(rng) for _ in range(_RANDOM)]
    costs = [searching.cost(assignment) for assignment in drawn]
    best = [searching.improved(drawn[index], rng) for index in np.argsort(costs, kind="stable")[:tries]]
    assignment = min(best, key=searching.cost)
    return assignment, searching.cost(assignment), float(np.median(costs))


class _Search:
    """The subjects as rows of numbers whose sums describe a part."""

    def __init__(self, subjects: Subjects, shares: np.ndarray):
        self._rows = np.concatenate([subjects.labels, subjects.genders, subjects.frames[:, None]], axis=1).astype(float)
        self._shares = np.asarray(shares, float)
        cells, genders = subjects.labels.shape[1], subjects.genders.shape[1]
        self._labels, self._genders = slice(0, cells), slice(cells, cells + genders)
        self._whole = self._rows.sum(axis=0)

    def totals(self, assignment: np.ndarray) -> np.ndarray:
        return np.stack([self._rows[assignment == part].sum(axis=0) for part in range(len(self._shares))])

    def distances(self, totals: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return (..., 3) the distances of parts with the sums `totals` (..., row) that are `parts` (...)."""
        labels = _unlike(totals[..., self._labels], self._whole[self._labels])
        genders = _unlike(totals[..., self._genders], self._whole[self._genders])
        frames = np.abs(totals[..., -1] / self._whole[-1] - self._shares[parts])
        return np.stack([labels, genders, frames], axis=-1)

    def cost(self, assignment: np.ndarray) -> float:
        return float(self.distances(self.totals(assignment), np.arange(len(self._shares))).sum(axis=1).mean())

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """Return an assignment: one subject to each part, then each other one to the part that lacks most frames."""
        assignment = np.empty(len(self._rows), np.int64)
        lacking = self._shares * self._whole[-1]
        for place, subject in enumerate(rng.permutation(len(self._rows))):
            part = place if place < len(lacking) else int(lacking.argmax())
            assignment[subject] = part
            lacking[part] -= self._rows[subject, -1]
        return assignment

    def improved(self, assignment: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return an assignment that no move of a subject and no exchange of two improves."""
        assignment = assignment.copy()
        totals = self.totals(assignment)
        better = True
        while better:
            better = False
            for subject in rng.permutation(len(assignment)):
                better |= self._improve(subject, assignment, totals)
        return assignment

    def _improve(self, subject: int, assignment: np.ndarray, totals: np.ndarray) -> bool:
        own, row = assignment[subject], self._rows[subject]
        now = self.distances(totals, np.arange(len(totals))).sum(axis=1)
        # Exchanges with each subject of another part, and moves to each other part unless this one would be empty.
        others = np.flatnonzero(assignment != own)
        moves = np.flatnonzero(np.arange(len(totals)) != own) if (assignment == own).sum() > 1 else np.empty(0, int)
        to = np.concatenate([assignment[others], moves])
        back = np.concatenate([self._rows[others], np.zeros((len(moves), len(row)))])
        if not len(to):
            return False
        here = self.distances(totals[own] - row + back, np.full(len(to), own)).sum(axis=1)
        there = self.distances(totals[to] + row - back, to).sum(axis=1)
        change = here + there - now[own] - now[to]
        best = int(change.argmin())
        if change[best] > -1e-9:
            return False
        if best < len(others):
            assignment[others[best]] = own
        assignment[subject] = to[best]
        totals[own] += back[best] - row
        totals[to[best]] += row - back[best]
        return True


def _unlike(counts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return (...,) half the sum of the differences of shares; 0 where the whole is empty, 1 where only the part is."""
    if not whole.sum():
        return np.zeros(counts.shape[:-1])
    number = counts.sum(axis=-1, keepdims=True)
    far = np.abs(counts / np.maximum(number, 1) - whole / whole.sum()).sum(axis=-1) / 2
    return np.where(number[..., 0] > 0, far, 1.0)
