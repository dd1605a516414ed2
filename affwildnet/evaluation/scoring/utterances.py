"""One prediction and one label for each utterance, pooled over utterances (omg2019 sections 5.1 and 7).

A packed video is an utterance; its subject is the source video that it was cut from. Its records are split into
sequences. The prediction of a sequence is the median (or mean) over its frames, that of the utterance the mean over its
sequences.
"""

import re
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from affwildnet.evaluation.scoring.details import Details, OtherScores, mean_of, reasons_for_none
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions, counts
from affwildnet.evaluation.scoring.regions import regions
from affwildnet.evaluation.scoring.video_scores import UtteranceScores
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import WITH_MEAN, Moments, scores
from tfrecords_tools.errors import UserError, check_choice, count
from tfrecords_tools.records.schema import DIMENSIONS

UNIT = "utterances"
# Utterances of one source video share the speaker, the scene and the annotators' context, so they are not independent;
# source videos are.
OVER = "source videos"
AGGREGATIONS = {"median": np.median, "mean": np.mean}
# How much the labels of one utterance may differ.
_TOLERANCE = 1e-6
_ONE_POINT = ("mse", "rmse", "sagr")


@dataclass(frozen=True, eq=False)
class Utterance:
    """The prediction for one utterance.

    Attributes:
      video: name of the packed video.
      source: the source video.
      frames: number of frames.
      sequences: number of sequences that they were split into.
      label: (2,) float64 valence and arousal, NaN where no frame has a label.
      prediction: (2,) float64.
    """

    video: str
    source: str
    frames: int
    sequences: int
    label: np.ndarray
    prediction: np.ndarray

    @property
    def labelled(self) -> bool:
        return bool(np.isfinite(self.label).all())


def predicted(evaluation: Evaluation, config: EvaluationConfig) -> list[Utterance]:
    """Return the utterances of an evaluation, in its order, smoothed as `evaluation.smoothing` says.

    Raises:
      UserError: if the labels of one differ, or `evaluation.sequence` or `evaluation.aggregation` is not valid.
    """
    check_choice("evaluation.aggregation", config.aggregation, AGGREGATIONS)
    if config.sequence < 1:
        raise UserError(f"`evaluation.sequence` must be at least 1 frame. Received: {config.sequence}")
    found = [_utterance(video, config) for video in evaluation.videos]
    if not evaluation.folds:
        return smoothed(found, evaluation.smoothing)
    edges = [0, *accumulate(evaluation.folds)]  # a source video, and so its utterances, is in one fold
    folds = zip(pairwise(edges), evaluation.smoothing, strict=True)
    return [utterance for (start, stop), radii in folds for utterance in smoothed(found[start:stop], radii)]


def smoothed(utterances: list[Utterance], radii: tuple[int, ...]) -> list[Utterance]:
    """Return utterances whose predictions are averaged with their neighbours in the source video (omg2019 6.3).

    Each prediction becomes the mean over the utterance and the `radius` utterances before and after it, weighted by
    their number of frames, so that a short utterance leans on its neighbours. At the ends of a source video there are
    fewer neighbours. The order is that of the numbers in the names; utterances without a label count too.

    Args:
      radii: utterances on each side, for valence and for arousal; 0 leaves the predictions.
    """
    found = list(utterances)
    for places in _sources(utterances).values():
        predictions = np.array([utterances[place].prediction for place in places])
        lengths = np.array([utterances[place].frames for place in places], np.float64)
        for index, place in enumerate(places):
            prediction = predictions[index].copy()
            for dimension, radius in enumerate(radii):
                if radius:
                    near = slice(max(0, index - radius), index + radius + 1)
                    prediction[dimension] = np.average(predictions[near, dimension], weights=lengths[near])
            found[place] = replace(utterances[place], prediction=prediction)
    return found


def parts(evaluation: Evaluation, config: EvaluationConfig) -> list[Moments]:
    """Return the moments of each source video, over its utterances with a label; raise as `predicted`."""
    return [_moments(group) for group in _labelled_by_source(predicted(evaluation, config))]


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    """Return each utterance with its errors, two other ways of scoring, and the error by region."""
    utterances = predicted(evaluation, config)
    rows = tuple(_row(*pair) for pair in zip(evaluation.videos, utterances, strict=True))
    labelled = [utterance for utterance in utterances if utterance.labelled]
    errors = regions([u.label[None] for u in labelled], [u.prediction[None] for u in labelled])
    return Details(len(labelled), rows, (_first_version(utterances), _each_frame(evaluation)), errors)


def _row(video: VideoPredictions, utterance: Utterance) -> UtteranceScores:
    own = label = None
    if utterance.labelled:
        label = _named(utterance.label)
        every = scores(_moments([utterance]))
        own = {metric: every[metric] for metric in _ONE_POINT}
    prediction = _named(utterance.prediction)
    return UtteranceScores(
        **counts(video), scores=own, label=label, prediction=prediction, sequences=utterance.sequences
    )


def _utterance(video: VideoPredictions, config: EvaluationConfig) -> Utterance:
    predictions = video.predictions.astype(np.float64)
    sequences = np.split(predictions, range(config.sequence, len(predictions), config.sequence))
    aggregate = AGGREGATIONS[config.aggregation]
    prediction = np.mean([aggregate(sequence, axis=0) for sequence in sequences], axis=0)
    return Utterance(video.video, video.subject, len(predictions), len(sequences), _label_of(video), prediction)


def _label_of(video: VideoPredictions) -> np.ndarray:
    labels = video.labels[video.labelled].astype(np.float64)
    if not len(labels):
        return np.full(len(DIMENSIONS), np.nan)
    for dimension, name in enumerate(DIMENSIONS):
        low, high = labels[:, dimension].min(), labels[:, dimension].max()
        if high - low > _TOLERANCE:
            raise UserError(
                f"The protocol utterances needs one {name} for all frames of an utterance. Received: from {low:g} to "
                f"{high:g} in {video.video}. Its corpus is labelled by frame; choose the protocol frames."
            )
    return labels.mean(axis=0)


def _sources(utterances: list[Utterance]) -> dict[str, list[int]]:
    """Return the indices of each source video's utterances, in the order of the numbers in their names."""
    found: dict[str, list[int]] = {}
    for place, utterance in enumerate(utterances):
        found.setdefault(utterance.source, []).append(place)
    return {
        source: sorted(places, key=lambda place: _in_order(utterances[place].video)) for source, places in found.items()
    }


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts utterance_2 before utterance_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _labelled_by_source(utterances: list[Utterance]) -> list[list[Utterance]]:
    groups = ([utterances[place] for place in places] for places in _sources(utterances).values())
    groups = ([utterance for utterance in group if utterance.labelled] for group in groups)
    return [group for group in groups if group]


def _moments(utterances: list[Utterance]) -> Moments:
    return Moments.from_arrays(*(np.array([getattr(u, what) for u in utterances]) for what in ("label", "prediction")))


def _first_version(utterances: list[Utterance]) -> OtherScores:
    """Return the mean of the source videos' own CCC over their utterances, the challenge's first way of scoring.

    A source video with one utterance is left out and counted: its CCC is 0, whatever is predicted.
    """
    groups = _labelled_by_source(utterances)
    own = [{"ccc": scores(_moments(group))["ccc"]} for group in groups if len(group) > 1]
    single = len(groups) - len(own)
    note = f"over {count(len(own), 'source video')}"
    note += f"; {single} with one utterance left out" if single else ""
    found = mean_of(own) if own else {"ccc": dict.fromkeys(WITH_MEAN)}
    undefined = reasons_for_none(found, "no source video has two utterances")
    return OtherScores("mean of the videos' own CCC", found, note, undefined)


def _each_frame(evaluation: Evaluation) -> OtherScores:
    total = Moments.empty()
    for video in evaluation.videos:
        total = total.merge(video.moments)
    note = f"over {count(evaluation.frames_scored, 'frame')}, each with the label of its utterance"
    return OtherScores("each frame, pooled", scores(total), note, total.undefined())


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(DIMENSIONS, values.tolist(), strict=True))
