"""Plots of the distributions of labels, predictions and residuals."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.plotting import COLOURS, PREDICTION, subplots
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study.shares_bar import shares_bar

TICKS = (-1, -0.5, 0, 0.5, 1)


def histograms(evaluation: Evaluation) -> Figure:
    """Draw labels and predictions in the valence-arousal plane, in percent of the frames, as ijcv2019 fig. 11."""
    edges = np.linspace(-1, 1, 41)
    both = labelled_frames(evaluation)
    shares = [100 * np.histogram2d(*values.clip(-1, 1).T, bins=edges)[0].T / len(values) for values in both]
    beyond = 100 * np.mean(np.abs(both[1]).max(axis=1) > 1)
    figure, axes = subplots(1, 2, (10.8, 5), sharey=True)
    titles = ("labels", f"predictions ({beyond:.1f} % beyond -1 or 1, drawn at the edge)")
    for axis, share, title in zip(axes, shares, titles, strict=True):
        image = axis.pcolormesh(edges, edges, np.ma.masked_equal(share, 0), cmap="viridis", norm=_scale(shares))
        axis.axhline(0, color="grey", linewidth=0.6)
        axis.axvline(0, color="grey", linewidth=0.6)
        axis.set(title=title, xlabel="valence", aspect="equal", xticks=TICKS, yticks=TICKS)
    axes[0].set_ylabel("arousal")
    shares_bar(figure, image, axes)
    return figure


def residuals(evaluation: Evaluation) -> Figure:
    """Draw the residuals, prediction minus label: a histogram, and against the label with the mean of each bin."""
    labels, predictions = labelled_frames(evaluation)
    residual = predictions - labels
    reach = float(np.clip(np.abs(residual).max(), 0.25, 2)) * 1.02
    edges, label_edges = np.linspace(-reach, reach, 41), np.linspace(-1, 1, 41)
    figure, axes = subplots(2, 2, (11.5, 8.6), sharey="row")
    planes = [
        100 * np.histogram2d(labels[:, i].clip(-1, 1), residual[:, i].clip(-reach, reach), bins=(label_edges, edges))[0]
        for i in range(2)
    ]
    planes = [plane.T / len(labels) for plane in planes]
    for column, (name, above, below) in enumerate(zip(DIMENSIONS, *axes, strict=True)):
        own = residual[:, column]
        share = 100 * np.histogram(own.clip(-reach, reach), bins=edges)[0] / len(own)
        above.stairs(share, edges, fill=True, color=COLOURS[name], alpha=0.6)
        above.axvline(0, color="black", linewidth=0.8)
        above.axvline(own.mean(), color=PREDICTION, linestyle="--", label=f"mean {own.mean():+.3f}")
        above.axvspan(
            own.mean() - own.std(), own.mean() + own.std(), color=PREDICTION, alpha=0.12, label=f"± sd {own.std():.3f}"
        )
        above.set(title=f"{name}: prediction minus label", xlabel="residual", xlim=(-reach, reach))
        above.legend(loc="upper right", fontsize=9)
        image = below.pcolormesh(
            label_edges, edges, np.ma.masked_equal(planes[column], 0), cmap="viridis", norm=_scale(planes)
        )
        below.axhline(0, color="grey", linewidth=0.8)
        below.plot(*binned_mean(labels[:, column], own), color=PREDICTION, marker=".", label="mean residual")
        below.set(xlabel=f"{name} label", title=f"{name}: residual against label", xlim=(-1, 1), ylim=(-reach, reach))
        below.set_xticks(TICKS)
        below.legend(loc="upper right", fontsize=9)
        above.grid(alpha=0.3)
    axes[0][0].set_ylabel("labelled frames per bin [%]")
    axes[1][0].set_ylabel("residual")
    shares_bar(figure, image, axes[1])
    return figure


def binned_mean(labels: np.ndarray, residual: np.ndarray, bins: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean label and the mean residual in each of `bins` bins over [-1, 1], without empty bins."""
    edges = np.linspace(-1, 1, bins + 1)
    own = np.digitize(labels, edges[1:-1])
    held = np.unique(own)
    return np.array([labels[own == index].mean() for index in held]), np.array(
        [residual[own == index].mean() for index in held]
    )


def _scale(shares: list[np.ndarray]) -> LogNorm:
    """Return one colour scale for all of them; cells without frames have no colour."""
    seen = np.concatenate([share[share > 0] for share in shares])
    low, high = seen.min(), seen.max()
    return LogNorm(low, high if high > low else 10 * low)


def labelled_frames(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions, both (N, D) float64, of the labelled frames of all videos."""
    keeps = [video.labelled for video in evaluation.videos]
    labels = [video.labels[keep] for video, keep in zip(evaluation.videos, keeps, strict=True)]
    predictions = [video.predictions[keep] for video, keep in zip(evaluation.videos, keeps, strict=True)]
    return np.concatenate(labels).astype(np.float64), np.concatenate(predictions).astype(np.float64)
