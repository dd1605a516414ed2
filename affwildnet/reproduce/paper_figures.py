"""The figures of the papers from the rows that are done: curves of a part of a video, and where the labels lie.

curves       ijcv2019 figures 10 and 13, cvprw2017 figures 4 and 5, thesis figures 6.3 to 6.8
histogram    ijcv2019 figures 11 and 12: labels and predictions in the plane of valence and arousal
utterances   omg2019 figure 3: the labels of the utterances of each split
training     thesis figures 6.1 and 6.2: CCC on validation of all rows over the steps
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.plotting import LABEL, PREDICTION, save
from affwildnet.reproduce.row_jobs import short
from affwildnet.reproduce.row_order import predictions_of
from affwildnet.reproduce.row_results import Results, RowResult
from affwildnet.runs.json_files import read_lines
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.records.schema import DIMENSIONS, SPLITS

FOLDER = "figures"
_BINS = 40
_SIZE = (12, 5)


def draw(results: Results, video: str = "", frames: tuple[int, int] | None = None) -> list[tuple[str, Path]]:
    """Draw the figures of a table's rows into its working directory; return captions and files.

    Args:
      video: whose curves are drawn; "" is the longest.
      frames: first and last frame of the curves; None is all.

    Raises:
      UserError: if no row has scores of that video.
    """
    folder = results.request.workdir / FOLDER
    scored, seen = [], set()
    for each in results.rows:
        if each.report and each.path not in seen and "accuracy" not in each.report:
            seen.add(each.path)
            scored.append(each)
    if not scored:
        return []
    folder.mkdir(exist_ok=True)
    found = []
    for each in scored:
        evaluation, _, _ = predictions_of(each)
        name = f"{short(each.row.experiment)}-{each.row.checkpoint}"
        found.append(_curves(each, _chosen(evaluation, video), frames, folder / f"{name}-curves.png"))
        found.append(_histogram(each, evaluation, folder / f"{name}-histogram.png"))
    if scored[0].report["protocol"] == "utterances":
        found.append(_utterances(Path(scored[0].report["corpus"]["folder"]), folder / "utterances.png"))
    if training := _training(scored, folder / "training.png"):
        found.append(training)
    return found


def _chosen(evaluation: Evaluation, video: str) -> VideoPredictions:
    if not video:
        return max(evaluation.videos, key=lambda each: len(each.frames))
    names = [each.video for each in evaluation.videos]
    if video not in names:
        raise UserError(
            f"`figure_video` must be a video of the split {evaluation.split}. Received: {video}."
            f"{suggestion(video, names)}"
        )
    return evaluation.videos[names.index(video)]


def _words(result: RowResult) -> str:
    return f"{result.row.row}{' (rehearsal)' if result.rehearsal else ''}"


def _curves(result: RowResult, video: VideoPredictions, frames: tuple[int, int] | None, path: Path) -> tuple[str, Path]:
    """Draw the labels and the predictions of a part of a video."""
    first, last = frames or (int(video.frames[0]), int(video.frames[-1]))
    inside = (video.frames >= first) & (video.frames <= last)
    if not inside.any():
        raise UserError(
            f"`figure_frames` must hold frames of {video.video}, {video.frames[0]} to {video.frames[-1]}. Received: "
            f"{first} to {last}."
        )
    figure, axes = pyplot.subplots(len(DIMENSIONS), 1, figsize=_SIZE, sharex=True, layout="constrained")
    for index, (axis, name) in enumerate(zip(axes, DIMENSIONS, strict=True)):
        axis.plot(video.frames[inside], video.labels[inside, index], color=LABEL, label="label")
        axis.plot(video.frames[inside], video.predictions[inside, index], color=PREDICTION, label="prediction")
        axis.set_ylabel(name)
    axes[0].legend(loc="upper right")
    axes[-1].set_xlabel("frame")
    save(figure, path)
    return f"{_words(result)}: predictions and labels of {video.video}, frames {first} to {last}", path


def _histogram(result: RowResult, evaluation: Evaluation, path: Path) -> tuple[str, Path]:
    """Draw how many labels and predictions lie where in the plane of valence and arousal."""
    labels = np.concatenate([video.labels[video.labelled] for video in evaluation.videos])
    predictions = np.concatenate([video.predictions[video.labelled] for video in evaluation.videos])
    figure, axes = pyplot.subplots(1, 2, figsize=_SIZE, sharex=True, sharey=True, layout="constrained")
    for axis, values, title in zip(axes, (labels, predictions), ("labels", "predictions"), strict=True):
        _plane(axis, values, title)
    save(figure, path)
    return f"{_words(result)}: where labels and predictions lie, {len(labels):,} frames", path


def _plane(axis: Axes, values: np.ndarray, title: str) -> None:
    axis.hist2d(*np.clip(values, -1, 1).T, bins=_BINS, range=[[-1, 1], [-1, 1]], cmap="cividis", cmin=1)
    axis.set(title=title, xlabel="valence", ylabel="arousal", aspect="equal")


def _utterances(corpus: Path, path: Path) -> tuple[str, Path]:
    """Draw where the labels of the utterances of each split lie."""
    packed = manifest.load(corpus)
    splits = [split for split in SPLITS if any(entry.split == split for entry in packed.videos)]
    figure, axes = pyplot.subplots(1, len(splits), figsize=_SIZE, squeeze=False, layout="constrained")
    for axis, split in zip(axes[0], splits, strict=True):
        read = read_labels(corpus, packed, packed.split(split))
        own = [labels[np.isfinite(labels).all(axis=1)] for labels in read]
        _plane(axis, np.array([labels[0] for labels in own if len(labels)]), f"{split}, {len(own)} utterances")
    save(figure, path)
    return "Where the labels of the utterances lie", path


def _training(scored: Sequence[RowResult], path: Path) -> tuple[str, Path] | None:
    """Draw the mean CCC and MSE on validation of all rows over the steps; None without scored checkpoints."""
    curves = {}
    for each in scored:
        lines = [line for line in read_lines(each.path.parent / "metrics.jsonl") if "ccc" in line]
        if lines:
            curves[_words(each)] = lines
    if not curves:
        return None
    figure, axes = pyplot.subplots(1, 2, figsize=_SIZE, layout="constrained")
    styles = itertools.cycle(("-", "--", "-.", ":"))
    for name, lines in curves.items():
        style = next(styles)
        for axis, metric in zip(axes, ("ccc", "mse"), strict=True):
            values = [np.nan if line[metric]["mean"] is None else line[metric]["mean"] for line in lines]
            axis.plot([line["step"] for line in lines], values, style, label=name)
    for axis, title in zip(axes, ("CCC, mean", "MSE, mean"), strict=True):
        axis.set(title=title, xlabel="step")
    axes[0].legend(fontsize="small")
    save(figure, path)
    return "On validation, over the steps", path
