"""Figures of a packed corpus, as PNG files. Colours are from the Okabe-Ito palette, safe for the colour-blind."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.colors import LogNorm
from matplotlib.ticker import PercentFormatter

from tfrecords_tools.files import whole
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study.shares_bar import shares_bar

# By name, so that a split looks the same in every figure; line styles distinguish them without colours.
_SPLITS = {"train": ("#0072B2", "-"), "validation": ("#E69F00", "--"), "test": ("#009E73", ":"), "all": ("black", "-")}
_TICKS = (-1, -0.5, 0, 0.5, 1)
_CURVES = (("#D55E00", "-"), ("#0072B2", "--"), ("#009E73", ":"))


def label_histograms(numbers: dict, path: Path) -> None:
    """Draw the histograms of valence and arousal, a line for each split, in percent of its labelled frames.

    It is fig. 4 of ijcv2019.
    """
    edges = np.array(numbers["edges"])
    figure, axes = pyplot.subplots(1, 2, figsize=(10.5, 4), layout="constrained", sharey=True)
    for name, axis in zip(DIMENSIONS, axes, strict=True):
        for split, own in _drawn(numbers).items():
            colour, style = _SPLITS[split]
            share = np.array(own[name]["histogram"]) / max(own["frames_labelled"], 1)
            label = f"{split} ({own['frames_labelled']:,} frames)"
            axis.stairs(100 * share, edges, color=colour, linestyle=style, linewidth=1.6, label=label)
        axis.axvline(0, color="grey", linewidth=0.6)
        axis.set(xlabel=name, xlim=(edges[0], edges[-1]), title=name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"labelled frames per bin of {edges[1] - edges[0]:.2g} [%]")
    axes[0].set_ylim(bottom=0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    _save(figure, path)


def planes(numbers: dict, path: Path) -> None:
    """Draw the histogram of the valence-arousal plane, a panel for each split, in percent of its labelled frames.

    It is fig. 11 of ijcv2019.
    """
    drawn = _drawn(numbers)
    edges = np.array(numbers["edges"])
    shares = {
        split: 100 * np.array(own["histogram_plane"]).T / max(own["frames_labelled"], 1) for split, own in drawn.items()
    }
    seen = np.concatenate([share[share > 0] for share in shares.values()] or [[]])
    low, high = (seen.min(), seen.max()) if len(seen) else (1, 1)
    scale = LogNorm(low, high if high > low else 10 * low)
    columns = min(len(drawn), 2)
    rows = -(-len(drawn) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(1.2 + 4.6 * columns, 4.9 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(drawn) :]:
        axis.axis("off")
    for axis, (split, own) in zip(axes.flat, drawn.items(), strict=False):
        image = axis.pcolormesh(edges, edges, np.ma.masked_equal(shares[split], 0), cmap="viridis", norm=scale)
        axis.axhline(0, color="grey", linewidth=0.6)
        axis.axvline(0, color="grey", linewidth=0.6)
        axis.add_patch(pyplot.Rectangle((-1, -1), 2, 2, fill=False, color="grey", linewidth=0.6))
        for name, quadrant in own["quadrants"].items():
            _beside(axis, name, quadrant["share"])
        axis.set(title=f"{split}: {own['frames_labelled']:,} labelled frames", xlabel="valence", ylabel="arousal")
        axis.set(aspect="equal", xlim=(-1.02, 1.02), ylim=(-1.22, 1.22), xticks=_TICKS, yticks=_TICKS)
    shares_bar(figure, image, axes, shrink=0.9)
    _save(figure, path)


def cumulative(report: dict, names: dict[str, str], what: str, path: Path) -> None:
    """Draw the share of the videos with a value of at least x, for valence and arousal (ijcv2019 figs. 7 and 8).

    Args:
      report: as `agreement_report.report` returns it.
      names: of the values to draw, with their names in the legend.
      what: label of the x axis.
      path: of the figure.
    """
    figure, axes = pyplot.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained", sharey=True, sharex=True)
    lowest = 0.0
    for dimension, axis in zip(DIMENSIONS, axes, strict=True):
        for (name, title), (colour, style) in zip(names.items(), _CURVES, strict=False):
            values = np.sort([v[dimension][name] for v in report["videos"] if v[dimension].get(name) is not None])
            if not len(values):
                continue
            axis.step(*stairs(values), where="pre", color=colour, linestyle=style, linewidth=1.8)
            label = f"{title}: {len(values)} videos, mean {values.mean():.2f}"
            axis.plot([], [], color=colour, linestyle=style, linewidth=1.8, label=label)
            lowest = min(lowest, values[0])
        axis.set(title=dimension, xlabel=what)
        axis.grid(alpha=0.3)
        axis.yaxis.set_major_formatter(PercentFormatter())
        if axis.get_legend_handles_labels()[1]:
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    axes[0].set(ylabel="videos with at least this value", ylim=(-2, 102), xlim=(max(-1.0, lowest - 0.05), 1.02))
    _save(figure, path)


def labels_with_crops(
    times: np.ndarray, curves: dict[str, np.ndarray], crops: list[tuple[float, np.ndarray]], title: str, path: Path
) -> None:
    """Draw labels over time with crops of their frames below (ijcv2019 fig. 3).

    Args:
      times: (n,) seconds.
      curves: (n,) by name, NaN where missing.
      crops: times and (size, size, 3) uint8 RGB crops.
      title: of the figure.
      path: of the figure.
    """
    figure, axes = pyplot.subplots(2, 1, figsize=(10.5, 5), layout="constrained", height_ratios=[3, 1.2])
    _over_time(axes[0], times, curves, title)
    for place, (time, crop) in enumerate(crops):
        axes[1].imshow(crop, extent=(place, place + 0.95, 0, 0.95))
        axes[1].text(place + 0.475, -0.08, f"{time:.1f} s", ha="center", va="top", fontsize=8)
        axes[0].axvline(time, color="grey", linewidth=0.4, linestyle=":")
    axes[1].set(xlim=(0, max(len(crops), 1)), ylim=(-0.3, 1), aspect="equal")
    axes[1].axis("off")
    _save(figure, path)


def annotations(times: np.ndarray, panels: dict[str, dict[str, np.ndarray]], title: str, path: Path) -> None:
    """Draw single annotators' labels over time, a panel for each dimension (ijcv2019 fig. 6).

    Args:
      times: (n,) seconds.
      panels: by title of the panel the curves, (n,) by the annotators' names.
      title: of the figure.
      path: of the figure.
    """
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(10.5, 3 * len(panels)), layout="constrained", sharex=True)
    for axis, (name, curves) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        _over_time(axis, times, curves, f"{title}: {name}")
    _save(figure, path)


def _over_time(axis, times: np.ndarray, curves: dict[str, np.ndarray], title: str) -> None:
    styles = ["-", "--", ":", "-."]
    for place, (name, values) in enumerate(curves.items()):
        axis.plot(times, values, label=name, linewidth=1.5, color=f"C{place % 10}", linestyle=styles[place % 4])
    axis.axhline(0, color="grey", linewidth=0.6)
    axis.set(title=title, xlabel="seconds", ylim=(-1.05, 1.05), xlim=(times[0], times[-1]), yticks=_TICKS)
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def stairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n + 2,) x and y of the percentage of `values` of at least x; each y holds from the x before to its own.

    Args:
      values: (n,) from -1 to 1, rising.
    """
    number = len(values)
    above = np.concatenate([[number], np.arange(number, -1, -1)])
    return np.concatenate([[-1], values, [1]]), 100 * above / number


def _drawn(numbers: dict) -> dict[str, dict]:
    # The whole corpus has a panel only if it is more than one split; splits without labels have none.
    splits = {split: own for split, own in numbers["splits"].items() if own["frames_labelled"]}
    if len(splits) == 2:
        splits.pop("all")
    return splits or {"all": numbers["splits"]["all"]}


def _beside(axis, name: str, share: float | None) -> None:
    # Above and below the plane, where there are no labels.
    x, y = (0.5 if sign == "+" else -0.5 for sign in (name[1], name[3]))
    text = f"{name}: none" if share is None else f"{name}: {100 * share:.1f} %"
    axis.text(x, 2.2 * y, text, ha="center", va="center", fontsize=9)


def _save(figure, path: Path) -> None:
    with whole(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
    pyplot.close(figure)
