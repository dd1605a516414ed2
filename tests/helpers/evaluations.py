"""Evaluations made by hand or at random, without a network; scores by definition."""

import numpy as np

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from tfrecords_tools.records.schema import EXPRESSIONS


def video(name, labels, predictions, subject=None, frames=None):
    """Return one video with labels and predictions (N, D) of the frames 1 to N, or of the given ones."""
    frames = np.arange(1, len(labels) + 1) if frames is None else np.array(frames)
    times = ((frames - 1) / 30).astype(np.float32)
    return VideoPredictions(name, subject or name, frames, times, np.float32(labels), np.float32(predictions))


def evaluation(*videos, split="validation", **more):
    return Evaluation.of(split, videos, **more)


def random_video(rng, name, frames, subject=None, labels=None):
    """Return a video whose predictions follow its labels, with noise and a bias of its own."""
    labels = rng.uniform(-1, 1, (frames, 2)) if labels is None else np.tile(labels, (frames, 1))
    predictions = 0.6 * labels + rng.normal(0, 0.3, labels.shape) + rng.normal(0, 0.2, 2)
    return video(name, labels, predictions, subject)


def random_utterances(rng, sizes, split="validation"):
    """Return utterances; `sizes` holds the number of frames of each utterance of each source video."""
    return evaluation(
        *(
            random_video(rng, f"s{source}_utterance_{number}", frames, f"s{source}", rng.uniform(-1, 1, 2))
            for source, lengths in enumerate(sizes)
            for number, frames in enumerate(lengths, start=1)
        ),
        split=split,
    )


def expression_video(name, label, probabilities):
    """Return a video with probabilities (N, 7) and a class by its name; None is no label."""
    labels = np.full((len(probabilities), len(EXPRESSIONS)), np.nan)
    if label:
        labels = np.tile(np.eye(len(EXPRESSIONS))[EXPRESSIONS.index(label)], (len(probabilities), 1))
    return video(name, labels, probabilities)


def by_definition(labels, predictions):
    """Return every score of (N, 2) values by definition, in float64; NaN where one is undefined."""
    found = {name: [] for name in ("ccc", "pearson", "mse", "rmse", "sagr")}
    with np.errstate(invalid="ignore"):
        for y, x in zip(np.float64(labels).T, np.float64(predictions).T, strict=True):
            covariance = np.mean((y - y.mean()) * (x - x.mean()))
            found["ccc"].append(2 * covariance / (y.var() + x.var() + (y.mean() - x.mean()) ** 2))
            found["pearson"].append(covariance / (y.std() * x.std()))
            found["mse"].append(np.mean((y - x) ** 2))
            found["rmse"].append(np.sqrt(np.mean((y - x) ** 2)))
            found["sagr"].append(np.mean([np.sign(a) == np.sign(b) for a, b in zip(y, x, strict=True)]))
    return {name: dict(zip(("valence", "arousal", "mean"), (*v, np.mean(v)), strict=True)) for name, v in found.items()}


def utterance_by_loop(part, sequence, middle):
    """Return the prediction (2,) of an utterance: the mean over sequences of the median (or mean) over frames."""
    starts = range(0, len(part.frames), sequence)
    return np.mean([middle(np.float64(part.predictions[s : s + sequence]), axis=0) for s in starts], axis=0)
