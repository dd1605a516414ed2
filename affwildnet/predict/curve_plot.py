"""A plot of the two curves over time, from a table of any length, in colours that the colour-blind can tell apart."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affwildnet.plotting import COLOURS, lone_points, save, subplots
from affwildnet.predict import prediction_table
from tfrecords_tools.records.schema import DIMENSIONS

FACES = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
NO_FACE = "#DDDDDD"
POINTS = 2000  # the most on the time axis: no screen shows more


@dataclass(frozen=True)
class Curves:
    """The curves of a table, reduced to few points. A point is the mean of several frames in a row.

    Attributes:
      times: (P,) seconds.
      predictions: (P, 2) by track, the mean over the frames that show the face; NaN where none does.
      frames: number of frames in a point; the last one may have fewer.
      tracks: number of faces in the table.
    """

    times: np.ndarray
    predictions: dict[int, np.ndarray]
    frames: int
    tracks: int


def read_curves(path: Path, points: int = POINTS, most: int = len(FACES)) -> Curves:
    """Read a table, line by line and twice; of more than `most` faces, return those in most frames."""
    frames, seen, before = 0, Counter(), None
    for line in prediction_table.lines(path):
        frames += line.time != before
        before = line.time
        if line.track:
            seen[line.track] += 1
    each = max(1, -(-frames // points))
    count = -(-frames // each)
    shown = sorted(track for track, _ in seen.most_common(most))
    times, counts = np.zeros(count), np.zeros(count)
    sums = {track: np.zeros((count, len(DIMENSIONS))) for track in shown}
    found = {track: np.zeros((count, 1)) for track in shown}
    frame, before = -1, None
    for line in prediction_table.lines(path):
        if line.time != before:
            frame, before = frame + 1, line.time
            times[frame // each] += line.time
            counts[frame // each] += 1
        if line.track in sums:
            sums[line.track][frame // each] += line.prediction
            found[line.track][frame // each] += 1
    with np.errstate(invalid="ignore"):
        predictions = {track: sums[track] / found[track] for track in shown}
    return Curves(times / counts, predictions, each, len(seen))


def plot_curves(table: Path, title: str, path: Path) -> None:
    """Plot a table: valence and arousal of one face in one diagram, or one diagram each for several faces.

    Curves have gaps, on grey, where no face was found.
    """
    curves = read_curves(table)
    several = curves.tracks > 1
    figure, axes = subplots(2 if several else 1, 1, (11, 5.6 if several else 3.8), sharex=True, squeeze=False)
    axes = axes[:, 0]
    for number, (track, predictions) in enumerate(curves.predictions.items()):
        for column, name in enumerate(DIMENSIONS):
            axis = axes[column if several else 0]
            label = f"face {track}" if several else name
            _draw(axis, curves.times, predictions[:, column], FACES[number] if several else COLOURS[name], label)
    for axis, name in zip(axes, DIMENSIONS if several else ("prediction",), strict=True):
        _finish(axis, curves)
        axis.set_ylabel(name)
    axes[-1].set_xlabel("time in the video [s]")
    parts = [title]
    if curves.frames > 1:
        parts.append(f"means of {curves.frames} frames")
    if curves.tracks > len(curves.predictions):
        parts.append(f"the {len(curves.predictions)} faces in most frames, of {curves.tracks}")
    figure.suptitle(", ".join(parts), fontsize=10, parse_math=False)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside right upper")
    save(figure, path)


def _draw(axis, times: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    axis.plot(times, values, color=colour, linewidth=1.3, label=label)
    lone_points(axis, times, values, colour)


def _finish(axis, curves: Curves) -> None:
    without = np.all([np.isnan(values[:, 0]) for values in curves.predictions.values()] or [True], axis=0)
    without = np.broadcast_to(without, curves.times.shape)
    half = np.median(np.diff(curves.times)) / 2 if len(curves.times) > 1 else 0.5
    edges = np.flatnonzero(np.diff(np.pad(without.astype(int), 1)))
    for index, (begin, end) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        label = "no face" if index == 0 else None
        axis.axvspan(
            curves.times[begin] - half, curves.times[end - 1] + half, color=NO_FACE, linewidth=0, zorder=0, label=label
        )
    axis.axhline(0, color="grey", linewidth=0.6)
    largest = max((np.nanmax(np.abs(values), initial=0) for values in curves.predictions.values()), default=0)
    reach = max(1.05, 1.05 * float(largest))
    axis.set_ylim(-reach, reach)
    axis.set_xlim(curves.times[0] - half, curves.times[-1] + half)
    axis.grid(alpha=0.3)
