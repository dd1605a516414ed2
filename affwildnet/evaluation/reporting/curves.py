"""Plots over time: labels and predictions of a whole split, of chosen segments and of single videos."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from affwildnet.evaluation.reporting.distributions import labelled_frames
from affwildnet.evaluation.reporting.segments import LENGTH, chosen
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.metrics import Moments
from affwildnet.plotting import CLASSES, LABEL, PREDICTION, elided, lone_points, subplots
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

MAX_CURVES = 12
# With more frames than this, a curve shows the range within each of so many bins.
BINS = 1500
# More boundaries than this would hide the curves.
MAX_BOUNDARIES = 80
# With more frames than this, a curve of a row shows the range within each of so many parts of its time, a pixel each.
LONGEST_WHOLE, PARTS = 1000, 500
# Ticks of valence and arousal and their labels: up to 1, and beyond.
NARROW = (-1, -0.5, 0, 0.5, 1), ("−1.0", "−0.5", "0.0", "0.5", "1.0")
WIDE = (-2, -1, 0, 1, 2), ("−2", "−1", "0", "1", "2")
BINNED = "line: mean of a bin, shade: its range"
# Inches of a grid of axes, on each side, and between the columns.
_WIDTH, _LEFT, _RIGHT, _BETWEEN = 12, 0.75, 0.12, 0.9


def split_curves(evaluation: Evaluation) -> Figure:
    """Draw all labelled frames of the split, one video after the other, as thesis figs. 6.3 and 6.6."""
    labels, predictions = labelled_frames(evaluation)
    ends = np.cumsum([int(video.labelled.sum()) for video in evaluation.videos])
    figure, axes = subplots(2, 1, (12, 6.4), sharex=True)
    ccc = Moments.from_arrays(labels, predictions).ccc()
    for column, (name, axis) in enumerate(zip(DIMENSIONS, axes, strict=True)):
        for values, colour, style, label in (
            (labels[:, column], LABEL, "-", "label"),
            (predictions[:, column], PREDICTION, "--", "prediction"),
        ):
            x, low, middle, high = binned(values, BINS)
            if len(values) > BINS:
                axis.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
                style = "-"  # dashes would run together
            # No line between the last frame of a video and the first of the next.
            breaks = np.searchsorted(x, ends[:-1] + 0.5)
            axis.plot(
                np.insert(x, breaks, np.nan),
                np.insert(middle, breaks, np.nan),
                color=colour,
                linestyle=style,
                linewidth=1,
                marker="." if len(values) < 3 else None,
                label=label,
            )
        if len(ends) <= MAX_BOUNDARIES:
            for end in ends[:-1]:
                axis.axvline(end + 0.5, color="grey", linewidth=0.6, alpha=0.6)
        axis.set(ylabel=name, title=f"{name}: CCC {ccc[column]:.3f} over {len(labels):,} labelled frames")
        _limits(axis, predictions[:, column])
    axes[1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes[1].set_xlabel(
        "labelled frame of the split"
        + ("; vertical lines separate the videos" if 1 < len(ends) <= MAX_BOUNDARIES else "")
        + (f"; {BINNED}" if len(labels) > BINS else "")
    )
    _legend(figure, axes[0], "outside upper right")
    return figure


def segment_curves(evaluation: Evaluation) -> Figure | None:
    """Draw the segments with the highest, median and lowest CCC, by dimension, as thesis figs. 6.4 to 6.8.

    Return None if the labels vary in no video.
    """
    found = [chosen(evaluation, column) for column in range(len(DIMENSIONS))]
    rows = max(map(len, found))
    if rows == 0:
        return None
    figure, axes = _grid(rows, 2, height=1.75, above=0.85, between=0.95)
    for column, (name, segments) in enumerate(zip(DIMENSIONS, found, strict=True)):
        for axis in axes[len(segments) :, column]:
            axis.remove()
        for axis, (which, segment) in zip(axes[:, column], segments.items(), strict=False):
            _curve(axis, segment.video, column, slice(segment.first, segment.end))
            frames = segment.video.frames
            title = f"{name}, {which} CCC: {segment.ccc:.3f}\n{elided(segment.video.video)}, "
            title += f"frames {frames[segment.first]} to {frames[segment.end - 1]}"
            axis.set_title(title, fontsize=9, parse_math=False)
            axis.set(ylabel=name, xlabel="time in the video [s]")
    _legend(figure, figure.axes[0])
    figure.text(0.01, 0.995, f"Segments of at least {LENGTH} frames; shorter videos as a whole", va="top", fontsize=9)
    return figure


def curves(evaluation: Evaluation) -> Figure:
    """Draw labels and predictions over time, a row for each of the first twelve videos, as ijcv2019 fig. 10."""
    videos = evaluation.videos[:MAX_CURVES]
    figure, axes = _grid(len(videos), 2, height=1.4, above=0.65, between=0.55, sharex="row")
    for video, pair in zip(videos, axes, strict=True):
        own = video.moments.ccc() if video.labelled.any() else None
        for column, (name, axis) in enumerate(zip(DIMENSIONS, pair, strict=True)):
            _curve(axis, video, column)
            ccc = f", CCC {own[column]:.2f}" if own is not None else ", no label"
            axis.set_title(f"{elided(video.video)}: {name}{ccc}", fontsize=9, parse_math=False)
            axis.set_ylabel(name)
    binned = any(len(video.frames) > LONGEST_WHOLE for video in videos)
    for axis in axes[-1]:
        axis.set_xlabel("time in the video [s]" + (f"; {BINNED}" if binned else ""))
    _first(figure, len(videos), evaluation)
    _legend(figure, axes[0][0])
    return figure


def _first(figure: Figure, drawn: int, evaluation: Evaluation) -> None:
    """Say that not every video is drawn, where it is not."""
    if drawn < len(evaluation.videos):
        text = f"The first {drawn} of {len(evaluation.videos)} videos"
        figure.text(0.01, 0.995, text, va="top", fontsize=9)


def probabilities(evaluation: Evaluation) -> Figure:
    """Draw the predicted probabilities of the expressions over time, a row for each of the first twelve videos."""
    videos = evaluation.videos[:MAX_CURVES]
    figure, axes = _grid(len(videos), 1, height=1.4, above=0.65, between=0.55)
    for video, axis in zip(videos, axes[:, 0], strict=True):
        for column, (name, (colour, style)) in enumerate(CLASSES.items()):
            x, values = _broken(video, video.predictions[:, column])
            axis.plot(x, values, color=colour, linestyle=style, label=name)
            lone_points(axis, x, values, colour)
        own = np.unique(video.labels[video.labelled].argmax(axis=1))
        label = ", ".join(EXPRESSIONS[index] for index in own) or "none"
        axis.set_title(f"{elided(video.video)}: label {label}", fontsize=9, parse_math=False)
        axis.set(ylabel="probability", ylim=(-0.03, 1.03))
        axis.grid(alpha=0.3)
    axes[-1][0].set_xlabel("time in the video [s]")
    _first(figure, len(videos), evaluation)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", borderaxespad=0.2, ncols=len(CLASSES))
    return figure


def binned(values: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return centre (a 1-based index), least, mean and greatest value of at most `bins` bins of neighbours.

    Args:
      values: (N,) finite.

    Returns:
      Four arrays of min(N, bins) values; the bins differ by one value at most.
    """
    count = min(bins, len(values))
    edges = np.linspace(0, len(values), count + 1).astype(int)
    starts, sizes = edges[:-1], np.diff(edges)
    centres = starts + (sizes + 1) / 2
    return centres, *_ranges(values, starts, sizes)


def by_time(times: np.ndarray, values: np.ndarray, parts: int) -> tuple[np.ndarray, ...]:
    """Return centre, least, mean and greatest value of equal parts of a time, (parts,) each; NaN where there is none.

    Args:
      times: (N,) rising.
      values: (N,), NaN where missing.
    """
    first, span = times[0], (times[-1] - times[0]) or 1.0  # frames may all have one time
    there = np.isfinite(values)
    values = values[there].astype(np.float64)
    part = np.minimum(((times[there] - first) * (parts / span)).astype(int), parts - 1)
    held, starts, sizes = np.unique(part, return_index=True, return_counts=True)
    found = np.full((3, parts), np.nan)
    if len(held):
        found[:, held] = _ranges(values, starts, sizes)
    return first + (np.arange(parts) + 0.5) * span / parts, *found


def _ranges(values: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return least, mean and greatest value of neighbours that start at `starts`, so many each."""
    means = np.add.reduceat(values, starts) / sizes
    return np.minimum.reduceat(values, starts), means, np.maximum.reduceat(values, starts)


def _grid(rows: int, columns: int, height: float, above: float, between: float, **more):
    """Return a figure and axes of one size, with room for their texts.

    No layout is searched, which takes as long as drawing.

    Args:
      height: of the axes, in inches.
      above: inches for the legend and the titles of the first row.
      between: inches for titles and labels between two rows.
    """
    below = 0.55
    whole = above + rows * height + (rows - 1) * between + below
    width = (_WIDTH - _LEFT - _RIGHT - (columns - 1) * _BETWEEN) / columns
    places = {
        "left": _LEFT / _WIDTH,
        "right": 1 - _RIGHT / _WIDTH,
        "top": 1 - above / whole,
        "bottom": below / whole,
        "hspace": between / height,
        "wspace": _BETWEEN / width,
    }
    return subplots(rows, columns, (_WIDTH, whole), layout="none", squeeze=False, gridspec_kw=places, **more)


def _curve(axis, video: VideoPredictions, column: int, part: slice = slice(None)) -> None:
    for values, colour, style, label in (
        (video.labels[:, column], LABEL, "-", "label"),
        (video.predictions[:, column], PREDICTION, "--", "prediction"),
    ):
        if len(video.frames[part]) > LONGEST_WHOLE:
            x, low, values, high = by_time(video.timestamps[part], values[part], PARTS)
            axis.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
            style = "-"  # dashes would run together
        else:
            x, values = _broken(video, values, part)
        axis.plot(x, values, color=colour, linestyle=style, label=label)
        lone_points(axis, x, values, colour)
    _limits(axis, video.predictions[part, column])


def _broken(video: VideoPredictions, values: np.ndarray, part: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values, with NaN where frames are missing, so that the line has a gap there."""
    breaks = np.flatnonzero(np.diff(video.frames[part]) > 1) + 1
    return tuple(np.insert(each[part].astype(float), breaks, np.nan) for each in (video.timestamps, values))


def _limits(axis, predictions: np.ndarray) -> None:
    reach = max(1.05, min(2.0, 1.05 * np.abs(predictions).max()))
    axis.set_yticks(*(NARROW if reach < 1.3 else WIDE))
    axis.set_ylim(-reach, reach)  # after the ticks, which would widen it
    axis.grid(alpha=0.3)


def _legend(figure: Figure, axis, place: str = "upper right") -> None:
    figure.legend(*axis.get_legend_handles_labels(), loc=place, borderaxespad=0.4, ncols=2)
