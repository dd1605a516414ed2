"""The report's pictures, as PNG files. Colours are from the Okabe-Ito palette, safe for the colour-blind."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot

from affwildnet.evaluation.estimates import Evaluation, VideoEstimates
from affwildnet.metrics import DIMENSIONS
from tfrecords_tools.files import whole

LABEL, ESTIMATE = "#000000", "#D55E00"
COLOURS = {"valence": "#0072B2", "arousal": "#E69F00", "mean": "#000000"}
MAX_CURVES = 12


def curves(evaluation: Evaluation, path: Path) -> None:
    """True and estimated valence and arousal over time, a row per video (the first twelve), as ijcv2019 fig. 10."""
    videos = evaluation.videos[:MAX_CURVES]
    figure, axes = pyplot.subplots(
        len(videos), 2, figsize=(12, 1.2 + 1.9 * len(videos)), sharex="row", squeeze=False, layout="constrained"
    )
    rows = evaluation.per_video()
    for row, (video, pair) in enumerate(zip(videos, axes, strict=True)):
        for column, (name, axis) in enumerate(zip(DIMENSIONS, pair, strict=True)):
            _curve(axis, video, column)
            own = rows[row]["scores"]
            ccc = f", CCC {own['ccc'][name]:.2f}" if own else ""
            axis.set_title(f"{video.video}: {name}{ccc}", fontsize=9, parse_math=False)
            axis.set_ylabel(name)
    for axis in axes[-1]:
        axis.set_xlabel("time in the video [s]")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    _save(figure, path)


def _curve(axis, video: VideoEstimates, column: int) -> None:
    # Frames that were left out break the line instead of being bridged.
    breaks = np.flatnonzero(np.diff(video.frames) > 1) + 1
    times = np.insert(video.timestamps.astype(float), breaks, np.nan)
    axis.plot(times, np.insert(video.labels[:, column].astype(float), breaks, np.nan), color=LABEL, label="label")
    estimates = np.insert(video.estimates[:, column].astype(float), breaks, np.nan)
    axis.plot(times, estimates, color=ESTIMATE, linestyle="--", label="estimate")
    reach = max(1.05, min(2.0, 1.05 * np.abs(video.estimates[:, column]).max()))
    axis.set_ylim(-reach, reach)
    axis.grid(alpha=0.3)


def histograms(evaluation: Evaluation, path: Path) -> None:
    """Labels and estimates in the valence-arousal plane, as ijcv2019 fig. 11."""
    labelled = [video.labelled for video in evaluation.videos]
    labels = np.concatenate([video.labels[keep] for video, keep in zip(evaluation.videos, labelled, strict=True)])
    estimates = np.concatenate([video.estimates[keep] for video, keep in zip(evaluation.videos, labelled, strict=True)])
    edges = np.linspace(-1, 1, 41)
    counts = [np.histogram2d(*values.clip(-1, 1).T, bins=edges)[0].T for values in (labels, estimates)]
    top = max(1, *(count.max() for count in counts))
    figure, axes = pyplot.subplots(1, 2, figsize=(10.5, 4.8), layout="constrained", sharey=True)
    for axis, count, title in zip(axes, counts, ("labels", "estimates (beyond -1 and 1: at the edge)"), strict=True):
        image = axis.pcolormesh(edges, edges, np.ma.masked_equal(count, 0), cmap="viridis", vmin=0, vmax=top)
        axis.axhline(0, color="grey", linewidth=0.6)
        axis.axvline(0, color="grey", linewidth=0.6)
        axis.set(title=title, xlabel="valence", aspect="equal")
    axes[0].set_ylabel("arousal")
    figure.colorbar(image, ax=axes, label="frames")
    _save(figure, path)


def training_curves(training: list[dict], scored: list[dict], chosen: int | None, path: Path) -> None:
    """Training loss and validation CCC by step; `chosen` is the step of the scored checkpoint."""
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(10, 6), sharex=True, layout="constrained")
    by_step = {line["step"]: line["loss"] for line in training}  # a resumed run wrote some steps twice
    above.plot(sorted(by_step), [by_step[step] for step in sorted(by_step)], color="#0072B2")
    above.set_ylabel("training loss")
    good = sorted((line for line in scored if "ccc" in line), key=lambda line: line["step"])
    for name, colour in COLOURS.items():
        steps = [line["step"] for line in good]
        below.plot(steps, [line["ccc"][name] for line in good], color=colour, marker="o", markersize=3, label=name)
    below.set(xlabel="step", ylabel="validation CCC")
    if chosen is not None:
        below.axvline(chosen, color="grey", linestyle=":", label="scored here")
    below.legend()
    for axis in (above, below):
        axis.grid(alpha=0.3)
    _save(figure, path)


def _save(figure, path: Path) -> None:
    with whole(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
    pyplot.close(figure)
