"""How late a rater reacts: the shift of an annotation at which it goes best with what it was a reaction to.

Reported delays are from 1 to 6 seconds (Mariooryad and Busso, "Correcting time-continuous emotional labels by modeling
the reaction lag of evaluators", IEEE Transactions on Affective Computing, 2015). A delay is estimated against the
landmarks, by the canonical correlation of their first principal components with the shifted annotation (ijcv2019
section 3.5 has that of all coordinates, which fits short parts whatever the shift is), or against the other raters, by
the correlation with their mean, which gives the delay relative to theirs.

Slow curves correlate with anything, the more the shorter they are: every estimate comes with what chance gives, the
best correlation of the same annotations shifted in a circle by more than a reaction takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

LONGEST = 6.0  # seconds
STEP = 0.1
# Seconds of video that a part for the uncertainty has at least.
PART = 20.0
_FEWEST_FRAMES = 50
_COMPONENTS = 16
_LEVEL = 1.96
# Shifts in a circle, of which none may correlate better: p is 0.05 then.
_SURROGATES = 19
# Seconds between the lags that are tried for chance, and the least length of a recording that is shifted in a circle.
_COARSE, SHIFTABLE = 0.5, 3 * LONGEST


@dataclass(frozen=True)
class Recording:
    """One annotation of one video on a grid of equal steps.

    Attributes:
      rate: values per second.
      values: (n,) the rater's, NaN where missing.
      landmarks: (n, 68, 2), or any other (n, ...) that moves with what is seen; None without.
      others: (n,) the mean of the other raters', or None.
    """

    rate: float
    values: np.ndarray
    landmarks: np.ndarray | None = None
    others: np.ndarray | None = None


@dataclass(frozen=True)
class Delay:
    """An estimated delay.

    Attributes:
      seconds: by which the annotation comes too late; negative against raters who are later still.
      low, high: its 95 % interval, from a jackknife over parts of the videos; None from fewer than three parts.
      correlation: at that delay; 0 shift gives `undelayed`.
      undelayed: correlation without a shift.
      rests_on: seconds of annotation.
      chance: the best correlation, at any delay, of 19 circular shifts of the annotations; None where they are shorter
        than 18 s, so that they cannot be shifted away from what they were a reaction to.
      p: share of the shifts, the real one counted, that correlate at least as well; None likewise.
    """

    seconds: float
    low: float | None
    high: float | None
    correlation: float
    undelayed: float
    rests_on: float
    chance: float | None
    p: float | None


def against_landmarks(recordings: Sequence[Recording]) -> Delay | None:
    """Return a rater's delay behind the landmarks, from 0 to 6 seconds; None where nothing can be said."""
    lags = np.arange(0, LONGEST + STEP / 2, STEP)
    return _delay(recordings, lags, _with_landmarks)


def against_raters(recordings: Sequence[Recording]) -> Delay | None:
    """Return a rater's delay behind the mean of the others, from -6 to 6 seconds; None where nothing can be said."""
    lags = np.arange(-LONGEST, LONGEST + STEP / 2, STEP)
    return _delay(recordings, lags, _with_others)


def _delay(
    recordings: Sequence[Recording], lags: np.ndarray, correlation: Callable[[Recording, int], float | None]
) -> Delay | None:
    recordings = [_reduced(each) for each in recordings]
    curves, sizes = _curves(recordings, lags, correlation)
    if not len(curves):
        return None
    pooled = sizes @ curves / sizes.sum()
    seconds = _peak(lags, pooled)
    low = high = None
    if len(curves) > 2:
        without = [
            _peak(lags, (sizes @ curves - sizes[i] * curves[i]) / (sizes.sum() - sizes[i])) for i in range(len(curves))
        ]
        n = len(curves)
        spread = np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2))
        low, high = seconds - _LEVEL * spread, seconds + _LEVEL * spread
    at, zero = np.abs(lags - seconds).argmin(), np.abs(lags).argmin()
    chance, p = _by_chance(recordings, lags, correlation)
    rests_on = sum(int((~np.isnan(each.values)).sum()) / each.rate for each in recordings)
    return Delay(
        float(seconds), low, high, float(np.tanh(pooled[at])), float(np.tanh(pooled[zero])), rests_on, chance, p
    )


def _curves(
    recordings: Sequence[Recording], lags: np.ndarray, correlation: Callable[[Recording, int], float | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (P, lags) Fisher's z, which may be averaged, of each part that has a correlation, and (P,) their sizes."""
    curves, sizes = [], []
    for part in _parts(recordings):
        curve = [correlation(part, round(lag * part.rate)) for lag in lags]
        if all(value is not None for value in curve):
            curves.append(np.arctanh(np.clip(curve, -0.999, 0.999)))
            sizes.append(len(part.values))
    return np.array(curves), np.array(sizes, np.float64)


def _by_chance(
    recordings: Sequence[Recording], lags: np.ndarray, correlation: Callable[[Recording, int], float | None]
) -> tuple[float | None, float | None]:
    """Return the best correlation of annotations that are shifted in a circle, and the p of the real ones."""
    long = [each for each in recordings if len(each.values) >= SHIFTABLE * each.rate]
    coarse = lags[:: max(1, round(_COARSE / (lags[1] - lags[0])))]

    def best(turned: Sequence[Recording]) -> float:
        curves, sizes = _curves(turned, coarse, correlation)
        return float((sizes @ curves / sizes.sum()).max()) if len(curves) else -np.inf

    real = best(long)
    if not np.isfinite(real):
        return None, None
    shifted = []
    for share in np.linspace(0, 1, _SURROGATES):
        shifted.append(best([_turned(each, share) for each in long]))
    return float(np.tanh(max(shifted))), (1 + sum(value >= real for value in shifted)) / (1 + _SURROGATES)


def _turned(recording: Recording, share: float) -> Recording:
    """Shift an annotation in a circle, by more than the longest delay in either direction."""
    least = round(LONGEST * recording.rate) + 1
    shift = least + round(share * (len(recording.values) - 2 * least))
    return replace(recording, values=np.roll(recording.values, shift))


def _reduced(recording: Recording) -> Recording:
    """Reduce the landmarks to their components."""
    if recording.landmarks is None:
        return recording
    return replace(recording, landmarks=_components(recording.landmarks))


def _parts(recordings: Sequence[Recording]) -> list[Recording]:
    """Cut the recordings into parts, each long against the longest delay."""
    found = []
    for each in recordings:
        number = max(1, int(len(each.values) / (each.rate * PART)))
        for places in np.array_split(np.arange(len(each.values)), number):
            take = slice(places[0], places[-1] + 1)
            cut = [None if array is None else array[take] for array in (each.values, each.landmarks, each.others)]
            found.append(Recording(each.rate, *cut))
    return found


def _components(landmarks: np.ndarray) -> np.ndarray:
    """Return (n, at most 16) principal components of the coordinates over time, each of unit variance."""
    x = landmarks.reshape(len(landmarks), -1).astype(np.float64)
    _, sizes, axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    kept = axes[:_COMPONENTS][sizes[:_COMPONENTS] > 1e-6 * max(sizes.max(initial=0), 1e-12)]
    found = (x - x.mean(axis=0)) @ kept.T
    return found / np.maximum(found.std(axis=0), 1e-12)


def _with_landmarks(part: Recording, shift: int) -> float | None:
    values, components = part.values[shift:], part.landmarks[: max(0, len(part.values) - shift)]
    good = ~np.isnan(values)
    y, x = values[good], components[good]
    if len(y) < _FEWEST_FRAMES or not np.ptp(y) or not x.size:
        return None
    y, x = y - y.mean(), x - x.mean(axis=0)
    directions, _ = np.linalg.qr(x)
    return float(min(1.0, np.linalg.norm(directions.T @ y) / np.linalg.norm(y)))


def _with_others(part: Recording, shift: int) -> float | None:
    n = len(part.values)
    if abs(shift) >= n:
        return None
    own = part.values[max(0, shift) : n + min(0, shift)]
    others = part.others[max(0, -shift) : n - max(0, shift)]
    good = ~np.isnan(own) & ~np.isnan(others)
    if good.sum() < _FEWEST_FRAMES or not np.ptp(own[good]) or not np.ptp(others[good]):
        return None
    return float(np.corrcoef(own[good], others[good])[0, 1])


def _peak(lags: np.ndarray, curve: np.ndarray) -> float:
    """Return the place of the maximum, between the grid's points by the parabola through its neighbours."""
    top = int(curve.argmax())
    if top in (0, len(curve) - 1):
        return float(lags[top])
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2 * middle + right
    return float(lags[top] + (0.5 * (left - right) / bend if bend else 0) * (lags[1] - lags[0]))
