"""The plot of a run: loss, CCC and MSE of training and validation over each other, beside another run's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affwildnet.metrics import WITH_MEAN
from affwildnet.plotting import COLOURS, STYLES, elided, subplots
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir

TRAINING, OTHER, CHOSEN = "#009E73", "#56B4E9", "#CC79A7"
# Most points of a training curve; with more, each is the mean of neighbours.
POINTS = 300


@dataclass(frozen=True)
class Progress:
    """The course of a run's training.

    Attributes:
      training: lines with `step` and `loss`; where a resumed run has a step twice, the last one counts.
      scored: lines with `step` and `ccc` or `accuracy`; others are of checkpoints that could not be scored.
      chosen: step of the reported checkpoint; None where it is not known.
      name: of the run, for a legend.
    """

    training: Sequence[dict] = ()
    scored: Sequence[dict] = ()
    chosen: int | None = None
    name: str = ""

    @classmethod
    def of(cls, workdir: Workdir, chosen: int | None = None) -> "Progress":
        """Return what the logs of a working directory hold."""
        return cls(read_lines(workdir.training_log), read_lines(workdir.metrics), chosen, workdir.path.name)

    @property
    def good(self) -> list[dict]:
        """The checkpoints that could be scored."""
        return [line for line in self.scored if "ccc" in line or "accuracy" in line]


def training_curves(progress: Progress, other: Progress | None = None) -> Figure | None:
    """Draw loss and scores of training and validation by step; return None if there are neither.

    Args:
      other: another run to draw beside this one.
    """
    good = progress.good
    if not progress.training and not good:
        return None
    if any("accuracy" in line for line in good):
        panels = {"loss": _loss, "accuracy": _scores("accuracy", ("total",))}
    else:
        panels = {"loss": _loss, "CCC": _scores("ccc", WITH_MEAN), "MSE": _scores("mse", WITH_MEAN)}
    figure, axes = subplots(len(panels), 1, (10, 1 + 2.7 * len(panels)), sharex=True)
    for axis, (title, draw) in zip(axes, panels.items(), strict=True):
        draw(axis, progress, other)
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
        if progress.chosen is not None:
            label = f"this checkpoint: step {progress.chosen:,}"
            axis.axvline(progress.chosen, color=CHOSEN, linewidth=1.6, linestyle=(0, (1, 1)), label=label)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        else:
            axis.text(0.5, 0.5, f"no {title} was logged", transform=axis.transAxes, ha="center", va="center")
    if not good:
        axes[0].set_title("no checkpoint was scored", fontsize=10)
    axes[-1].set_xlabel("step")
    return figure


def _loss(axis: Axes, progress: Progress, other: Progress | None) -> None:
    value = _at("loss")
    if other:
        _draw(axis, _points(other.training, value), f"{_name(other)}: training", OTHER, "-", 0.8)
        _draw(axis, _points(other.good, value), f"{_name(other)}: validation", OTHER, "--", marker="o")
    _draw(axis, _points(progress.training, value), "training", TRAINING, "-", 0.8)
    _draw(axis, _points(progress.good, value), "validation", COLOURS["mean"], "--", marker="o")


def _scores(metric: str, names: Sequence[str]) -> Callable[[Axes, Progress, Progress | None], None]:
    whole = names[-1]  # the mean, or the total

    def draw(axis: Axes, progress: Progress, other: Progress | None) -> None:
        if other:
            value = _at(metric, whole)
            _draw(axis, _points(other.good, value), f"{_name(other)}: validation, {whole}", OTHER, "--", marker="o")
        _draw(axis, _points(progress.training, _at(metric, whole)), f"training, {whole}", TRAINING, "-", 0.8)
        for name in names:
            points = _points(progress.good, _at(metric, name))
            _draw(axis, points, f"validation, {name}", COLOURS[name], STYLES[name], marker="o")

    return draw


def _at(*keys: str) -> Callable[[dict], float | None]:
    """Return what reads a value of a line; None where the line has none, as those of earlier versions."""

    def value(line: dict) -> float | None:
        for key in keys:
            line = line.get(key) if isinstance(line, dict) else None
        return line

    return value


def _points(lines: Sequence[dict], value: Callable[[dict], float | None]) -> dict[int, float]:
    """Return values by step, in order; the last line of a step counts."""
    found = {line["step"]: value(line) for line in lines}
    return {step: found[step] for step in sorted(found) if found[step] is not None}


def _draw(
    axis: Axes,
    points: dict[int, float],
    label: str,
    colour: str,
    style: str,
    width: float = 1.4,
    marker: str | None = None,
) -> None:
    if not points:
        return
    steps, values = np.array(list(points)), np.array(list(points.values()))
    if len(steps) > POINTS:
        starts = np.linspace(0, len(steps), POINTS + 1).astype(int)[:-1]
        sizes = np.diff([*starts, len(steps)])
        steps, values = (np.add.reduceat(each, starts) / sizes for each in (steps, values))
    marker = marker or ("." if len(steps) < 3 else None)
    axis.plot(steps, values, color=colour, linestyle=style, linewidth=width, marker=marker, markersize=4, label=label)


def _name(other: Progress) -> str:
    return elided(other.name or "the other run", 24)
