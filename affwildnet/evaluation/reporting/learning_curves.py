"""The plot of a run: its training loss, and the validation scores of its checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import pyplot

from affwildnet.metrics import WITH_MEAN
from affwildnet.plotting import COLOURS, STYLES, save
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir


@dataclass(frozen=True)
class Progress:
    """The course of a run's training.

    Attributes:
      training: lines with `step` and `loss`; where a resumed run has a step twice, the last one counts.
      scored: lines with `step` and `ccc` or `accuracy`; others are of checkpoints that could not be scored.
      chosen: step of the reported checkpoint; None where it is not known.
    """

    training: Sequence[dict] = ()
    scored: Sequence[dict] = ()
    chosen: int | None = None

    @classmethod
    def of(cls, workdir: Workdir, chosen: int | None) -> "Progress":
        """Return what the logs of a working directory hold."""
        return cls(read_lines(workdir.training_log), read_lines(workdir.metrics), chosen)


def training_curves(progress: Progress, path: Path) -> bool:
    """Draw training loss and validation scores by step; draw nothing and return False if there are neither."""
    by_step = {line["step"]: line["loss"] for line in progress.training}
    good = {line["step"]: line for line in progress.scored if "ccc" in line or "accuracy" in line}
    if not by_step and not good:
        return False
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(10, 6.4), sharex=True, layout="constrained")
    steps = sorted(by_step)
    above.plot(steps, [by_step[step] for step in steps], color=COLOURS["valence"], marker=_marker(steps))
    above.set(ylabel="training loss", title="training loss" if steps else "no loss was logged")
    metric, names = _metric(good)
    steps = sorted(good)
    for name in names:
        values = [good[step][metric][name] for step in steps]
        below.plot(steps, values, color=COLOURS[name], linestyle=STYLES[name], marker="o", markersize=4, label=name)
    title = {"ccc": "CCC", "accuracy": "accuracy"}[metric]
    below.set(xlabel="step", ylabel=f"validation {title}")
    below.set_title(f"validation {title} of each scored checkpoint" if steps else "no checkpoint was scored")
    for axis in (above, below):
        axis.grid(alpha=0.3)
        if progress.chosen is not None:
            label = f"this checkpoint: step {progress.chosen:,}" if axis is below else None
            axis.axvline(progress.chosen, color="#CC79A7", linewidth=1.6, linestyle=(0, (1, 1)), label=label)
    if below.get_legend_handles_labels()[1]:
        below.legend(loc="best")
    return save(figure, path)


def _metric(good: dict[int, dict]) -> tuple[str, tuple[str, ...]]:
    if any("accuracy" in line for line in good.values()):
        return "accuracy", ("total",)
    return "ccc", WITH_MEAN


def _marker(steps: list[int]) -> str | None:
    return "." if len(steps) < 3 else None
