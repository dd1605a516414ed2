"""Agreement of single annotators, with each other and with the landmarks: ijcv2019 sections 3.4 and 3.5.

For each video, and separately for valence and arousal:

MAC-A  the mean over all annotators of each one's mean Pearson correlation with the others;
MAC-S  the same among the annotators that were selected for the video, whose mean is its label;
canonical correlation of the frames' 136 landmark coordinates with an annotation.

A correlation with a constant, or of fewer than three frames, is not defined. Means leave it out, and a mean of nothing
is None.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.linalg

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files.spreadsheet_cells import unquoted
from tfrecords_tools.files.tables import read_rows
from tfrecords_tools.records.schema import DIMENSIONS

_FEWEST_FRAMES = 3
_SURROGATES = 200
# Most subsets of annotators that `best_subset` tries.
_MOST_SUBSETS = 100_000

# Indices of the selected annotators, by video and dimension.
Selection = dict[tuple[str, str], tuple[int, ...]]


def correlations(ratings: np.ndarray) -> np.ndarray:
    """Return (A, A) float64 Pearson correlations of (n, A) ratings, NaN where not defined.

    Each pair is compared on the frames that both have rated (are not NaN).
    """
    annotators = ratings.shape[1]
    found = np.full((annotators, annotators), np.nan)
    for a, b in itertools.combinations_with_replacement(range(annotators), 2):
        both = ~np.isnan(ratings[:, [a, b]]).any(axis=1)
        x, y = ratings[both][:, [a, b]].astype(np.float64).T
        if len(x) < _FEWEST_FRAMES or not np.ptp(x) or not np.ptp(y):
            continue
        x, y = x - x.mean(), y - y.mean()
        found[a, b] = found[b, a] = np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1)
    return found


def inter_annotator(matrix: np.ndarray) -> list[float | None]:
    """Return each annotator's mean correlation with the others, None where none is defined.

    Args:
      matrix: (A, A) as `correlations` returns it.
    """
    others = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    return [_mean(row) for row in others]


def mac(matrix: np.ndarray, selected: Sequence[int] | None = None) -> float | None:
    """Return MAC-A, or MAC-S among `selected`; None where no two annotators have a correlation.

    Args:
      matrix: (A, A) as `correlations` returns it.
      selected: indices of annotators; None is all of them.
    """
    if selected is not None:
        matrix = matrix[np.ix_(selected, selected)]
    return _mean([mean for mean in inter_annotator(matrix) if mean is not None])


def best_subset(matrix: np.ndarray, size: int) -> tuple[int, ...] | None:
    """Return the `size` annotators with the highest MAC, None where no subset has one.

    The paper's were selected by two experts who watched the videos. Selected here, MAC-S is as high as possible by
    construction.

    Raises:
      UserError: if there are fewer annotators, or too many subsets to try.
    """
    annotators = len(matrix)
    if not 2 <= size <= annotators:
        raise UserError(f"`best` must be from 2 to the number of annotators, {annotators}. Received: {size}")
    subsets = list(itertools.islice(itertools.combinations(range(annotators), size), _MOST_SUBSETS + 1))
    if len(subsets) > _MOST_SUBSETS:
        raise UserError(
            f"`best` tries at most {_MOST_SUBSETS:,} subsets. Received: {size} of {annotators} annotators. "
            "Select them in a file with `selected`."
        )
    scored = [(score, subset) for subset in subsets if (score := mac(matrix, subset)) is not None]
    return max(scored, key=lambda pair: pair[0])[1] if scored else None


def canonical_correlation(landmarks: np.ndarray, values: np.ndarray) -> tuple[float | None, int]:
    """Return the canonical correlation of landmarks with one annotation, and the landmarks' number of directions.

    With a single variable on one side, canonical correlation analysis is the multiple correlation: the length of the
    centred annotation's projection on the space of the centred coordinates, divided by its own length. That space comes
    from a singular value decomposition, so that nothing is inverted and no iteration has to converge; directions no
    larger than the rounding of float32 coordinates are left out, and so are frames without a value.

    With as many directions as frames less one, every annotation is matched exactly, and the result is None. What curves
    that have nothing to do with the face give is `by_chance`.

    Args:
      landmarks: (n, 68, 2) float32 in crop coordinates.
      values: (n,) the annotation, NaN where missing.
    """
    directions, y = _space(landmarks, values)
    number = directions.shape[1]
    if number == 0 or number >= len(y) - 1:
        return None, number
    return float(min(np.linalg.norm(directions.T @ y) / np.linalg.norm(y), 1.0)), number


def by_chance(landmarks: np.ndarray, values: np.ndarray) -> float | None:
    """Return the mean `canonical_correlation` of the annotation shifted in a circle: as slow, but at other times.

    Frames are no independent samples: slow curves correlate by chance far more than noise. Shifts keep the
    autocorrelation of the annotation, and take it away from its frames, by a tenth of the video at least. The circle is
    the annotation and its mirror image, so that it has no jump where they meet.

    Args:
      landmarks, values: as for `canonical_correlation`.
    """
    directions, y = _space(landmarks, values)
    if not 0 < directions.shape[1] < len(y) - 1:
        return None
    least = max(1, len(y) // 10)
    circle = np.concatenate([y, y[::-1]])
    shifts = np.unique(np.linspace(least, len(circle) - least, _SURROGATES).astype(int))
    surrogates = np.stack([np.roll(circle, shift)[: len(y)] for shift in shifts], axis=1)
    surrogates -= surrogates.mean(axis=0)
    sizes = np.linalg.norm(surrogates, axis=0)
    found = np.linalg.norm(directions.T @ surrogates, axis=0)[sizes > 0] / sizes[sizes > 0]
    return float(np.minimum(found, 1.0).mean()) if len(found) else None


def _space(landmarks: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an orthonormal basis of the landmarks' curves, (n, directions), and the annotation less its mean, (n,)."""
    there = ~np.isnan(values)
    y = values[there].astype(np.float64)
    if len(y) < _FEWEST_FRAMES or not np.ptp(y):
        return np.empty((len(y), 0)), y
    x = landmarks[there].reshape(len(y), -1).astype(np.float64)
    rounding = np.finfo(np.float32).eps * np.abs(x).max() * (np.sqrt(x.shape[0]) + np.sqrt(x.shape[1]))
    directions, sizes, _ = scipy.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return directions[:, sizes > rounding], y - y.mean()


def share_at_least(values: Sequence[float], at: Sequence[float]) -> list[float] | None:
    """Return the share of `values` at least as large as each of `at` (ijcv2019 figs. 7 and 8), None without values."""
    if not len(values):
        return None
    return [float(np.mean(np.asarray(values) >= x)) for x in at]


def common(ratings: np.ndarray, chosen: Sequence[int] | None = None) -> np.ndarray:
    """Return (n,) float64, the mean of the chosen columns of (n, A) ratings (None: all), NaN where one is missing.

    A mean over those that are there would jump where an annotator begins or ends.
    """
    ratings = np.asarray(ratings, np.float64)
    return (ratings if chosen is None else ratings[:, list(chosen)]).mean(axis=1)


def read_selection(path: Path, annotators: Sequence[str], videos: Sequence[str]) -> Selection:
    """Read which annotators were selected for which video, two or more each.

    The file is a CSV with a header: `video`, `annotators` (names with semicolons between), and `dimension`, valence or
    arousal, where the two differ.

    Args:
      path: of the file.
      annotators: names of all annotators, in the records' order.
      videos: names of all videos of the corpus.

    Raises:
      UserError: naming file and line, if a name is unknown or there twice, or fewer than two are selected.
    """
    selection: Selection = {}
    for row in read_rows(path, ("video", "annotators")):
        video, dimension = unquoted(row.filled("video")), row.text("dimension", default="")
        names = [name.strip() for name in unquoted(row.filled("annotators")).split(";") if name.strip()]
        try:
            check_choice("video", video, videos)
            for name in names:
                check_choice("annotators", name, annotators)
            if dimension:
                check_choice("dimension", dimension, DIMENSIONS)
        except UserError as error:
            raise UserError(f"{row.place}: {error}") from None
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise UserError(
                f"{row.place}: `annotators` must be two or more, each once. Received: {', '.join(names) or 'none'}."
            )
        for each in [dimension] if dimension else DIMENSIONS:
            if (video, each) in selection:
                raise UserError(f"{row.place}: {video} must have one selection for {each}. Received: a second one.")
            selection[video, each] = tuple(list(annotators).index(name) for name in names)
    return selection


def _mean(values: Sequence[float]) -> float | None:
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None
