"""The figures of the papers from the rows that are done: curves of a part of a video, and where the labels lie.

curves       ijcv2019 figures 10 and 13, cvprw2017 figures 4 and 5, thesis figures 6.4, 6.5, 6.7 and 6.8 (which count
             the frames of all test videos in a row; here they are of one video)
histogram    ijcv2019 figures 11 and 12: labels and predictions in the plane of valence and arousal
utterances   omg2019 figure 3: the labels of the utterances of each split
training     thesis figures 6.1 and 6.2: CCC and MSE on validation of all rows over the steps

Thesis figures 6.3 and 6.6, all frames of the test videos, are in each row's report.
"""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.plotting import LABEL, PREDICTION, save, subplots
from affwildnet.reproduce import row_reports
from affwildnet.reproduce.row_results import Results, RowResult
from affwildnet.reproduce.table_request import short
from affwildnet.reproduce.wanted_figures import Figures
from affwildnet.runs.json_files import read_lines
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.files import folder_at
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.records.schema import DIMENSIONS, SPLITS

_log = logging.getLogger(__name__)

FOLDER = "figures"
_BINS = 40
_SIZE = (12, 5)


def draw(results: Results, figures: Figures) -> list[tuple[str, Path]]:
    """Draw the figures of a table's rows into its working directory; return captions and files.

    A row whose predictions cannot be read has none, and one that was not scored on the wanted video no curves.
    """
    folder = results.request.workdir / FOLDER
    scored: dict[Path, tuple[RowResult, Evaluation]] = {}
    for each in results.rows:
        if each.report and each.path not in scored and "accuracy" not in each.report:
            try:
                scored[each.path] = each, row_reports.predictions(each.path, each.report)
            except UserError as error:
                _log.warning(f"no figures of {each.row.row}: {error}")
    if not scored:
        return []
    folder.mkdir(exist_ok=True)
    found = []
    for path, (each, evaluation) in scored.items():
        name = f"{short(each.row.experiment)}-{path.stem.removeprefix('report-')}"
        if video := _chosen(evaluation, figures.video):
            found.append(_curves(each, video, figures.frames, folder / f"{name}-curves.png"))
        found.append(_histogram(each, evaluation, folder / f"{name}-histogram.png"))
    rows = [each for each, _ in scored.values()]
    if rows[0].report["protocol"] == "utterances":
        found.append(_utterances(folder_at(rows[0].report["corpus"]["folder"]), folder / "utterances.png"))
    if training := _training(rows, folder / "training.png"):
        found.append(training)
    return found


def _chosen(evaluation: Evaluation, video: str) -> VideoPredictions | None:
    """Return the video of a name, the longest for ""; None if it was not scored."""
    if not video:
        return max(evaluation.videos, key=lambda each: len(each.frames))
    return next((each for each in evaluation.videos if each.video == video), None)


def _words(result: RowResult) -> str:
    return f"{result.row.row}{' (rehearsal)' if result.rehearsal else ''}"


def _curves(result: RowResult, video: VideoPredictions, frames: tuple[int, int] | None, path: Path) -> tuple[str, Path]:
    """Draw the labels and the predictions of a part of a video."""
    first, last = frames or (int(video.frames[0]), int(video.frames[-1]))
    inside = (video.frames >= first) & (video.frames <= last)
    figure, axes = subplots(len(DIMENSIONS), 1, _SIZE, sharex=True)
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
    figure, axes = subplots(1, 2, _SIZE, sharex=True, sharey=True)
    for axis, values, title in zip(axes, (labels, predictions), ("labels", "predictions"), strict=True):
        _plane(axis, values, title)
    save(figure, path)
    return f"{_words(result)}: where labels and predictions lie, {len(labels):,} frames", path


def _plane(axis: Axes, values: np.ndarray, title: str) -> None:
    axis.hist2d(*np.clip(values, -1, 1).T, bins=_BINS, range=[[-1, 1], [-1, 1]], cmap="cividis", cmin=1)
    axis.set(title=title, xlabel="valence", ylabel="arousal", aspect="equal")


def _utterances(corpus: Path, path: Path) -> tuple[str, Path]:
    """Draw where the labels of the utterances of each split lie: how many, above, and each of them, below."""
    packed = manifest.load(corpus)
    labels = {}
    for split in dict.fromkeys(entry.split for entry in packed.videos):
        read = read_labels(corpus, packed, packed.split(split))
        first = [own[np.isfinite(own).all(axis=1)][:1] for own in read]
        labels[split] = np.concatenate(first)  # one of each utterance that has one
    splits = [split for split in SPLITS if len(labels.get(split, ()))]
    figure, axes = subplots(2, len(splits), (_SIZE[0], 2 * _SIZE[1]), squeeze=False)
    for (above, below), split in zip(axes.T, splits, strict=True):
        _plane(above, labels[split], f"{split}, {count(len(labels[split]), 'utterance')}")
        below.plot(*labels[split].T, ".", color=LABEL)
        below.set(xlabel="valence", ylabel="arousal", aspect="equal", xlim=(-1, 1), ylim=(-1, 1))
    save(figure, path)
    return "Where the labels of the utterances lie", path


def _training(scored: Sequence[RowResult], path: Path) -> tuple[str, Path] | None:
    """Draw the mean CCC and MSE on validation of all rows over the steps; None without scored checkpoints."""
    curves = {}
    for each in scored:
        lines = read_lines(each.path.parent / "metrics.jsonl")
        own = [(line["step"], _mean(line, "ccc"), _mean(line, "mse")) for line in lines]
        if any(np.isfinite(ccc) for _, ccc, _ in own):
            curves[_words(each)] = np.array(own).T
    if not curves:
        return None
    figure, axes = subplots(1, 2, _SIZE)
    styles = itertools.cycle(("-", "--", "-.", ":"))
    for name, (steps, *metrics) in curves.items():
        style = next(styles)
        for axis, values in zip(axes, metrics, strict=True):
            axis.plot(steps, values, style, label=name)
    for axis, title in zip(axes, ("CCC, mean", "MSE, mean"), strict=True):
        axis.set(title=title, xlabel="step")
    axes[0].legend(fontsize="small")
    save(figure, path)
    return "On validation, over the steps", path


def _mean(line: dict, metric: str) -> float:
    scores = line.get(metric)
    value = scores.get("mean") if isinstance(scores, dict) else None
    return value if isinstance(value, int | float) else np.nan
