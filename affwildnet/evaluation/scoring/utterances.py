"""Each utterance one prediction and one label, pooled over utterances (omg2019 sections 5.1 and 7).

A packed video is an utterance, its subject the source video that it was cut from. Its records are split into sequences;
each sequence's prediction is the median (or mean) of its frames', the utterance's is the mean of its sequences'.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from affwildnet.evaluation.scoring.details import Details, mean_of
from affwildnet.evaluation.scoring.predictions import UNLABELLED, Evaluation, VideoPredictions, counts
from affwildnet.evaluation.scoring.regions import regions
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Moments, scores
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS

UNIT = "utterances"
# Utterances of one source video have a speaker, a scene and an annotators' context in common, so that they are no
# independent draws; source videos are.
OVER = "source videos"
AGGREGATIONS = {"median": np.median, "mean": np.mean}
# What labels of one utterance may differ by: float32 of the same decimal never does.
_TOLERANCE = 1e-6
_ONE_POINT = ("mse", "rmse", "sagr")


@dataclass(frozen=True, eq=False)
class Utterance:
    """What was predicted for one utterance.

    Attributes:
      video: name of the packed video.
      source: the video that the utterance is of.
      frames: how many were predicted.
      sequences: how many they were split into.
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
    """Return the utterances of an evaluation, in its order, smoothed where it says so.

    Raises:
      UserError: if the labels of one differ, or `evaluation.sequence` or `evaluation.aggregation` is no valid one.
    """
    check_choice("evaluation.aggregation", config.aggregation, AGGREGATIONS)
    if config.sequence < 1:
        raise UserError(f"`evaluation.sequence` must be at least 1 frame. Received: {config.sequence}")
    return smoothed([_utterance(video, config) for video in evaluation.videos], evaluation.smoothing)


def smoothed(utterances: list[Utterance], radii: tuple[int, ...]) -> list[Utterance]:
    """Return utterances whose predictions are means over their neighbours in the source video (omg2019 section 6.3).

    Each is replaced by the mean over itself and the `radius` utterances before and after it, weighted by their frames,
    so that one of few frames leans on its neighbours. At the ends of a source video there are fewer neighbours.
    Neighbours are those in the order of the numbers in the names; a label is not needed to be one.

    Args:
      radii: utterances on each side, of valence and of arousal; 0 leaves the predictions.
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
    """Return the moments of each source video, over those of its utterances that have a label; raise as above."""
    return [_moments(group) for group in _labelled_by_source(predicted(evaluation, config))]


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    utterances = predicted(evaluation, config)
    rows = []
    for video, utterance in zip(evaluation.videos, utterances, strict=True):
        row = {**counts(video), "scores": None, "undefined": {"scores": UNLABELLED}, "label": None}
        if utterance.labelled:
            own = scores(_moments([utterance]))
            row |= {"scores": {metric: own[metric] for metric in _ONE_POINT}, "undefined": {}}
            row["label"] = _named(utterance.label)
        rows.append({**row, "prediction": _named(utterance.prediction), "sequences": utterance.sequences})
    labelled = [utterance for utterance in utterances if utterance.labelled]
    found, undefined = regions([u.label[None] for u in labelled], [u.prediction[None] for u in labelled])
    first, first_lacks = _first_version(utterances)
    pooled, pooled_lacks = _each_frame(evaluation)
    undefined = {**undefined, **first_lacks, **pooled_lacks}
    return Details(len(labelled), rows, [first, pooled], regions=found, undefined=undefined)


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
                f"The protocol utterances wants one {name} for all frames of an utterance. Received: from {low:g} to "
                f"{high:g} in {video.video}. Its corpus is labelled by frame; choose the protocol frames."
            )
    return labels.mean(axis=0)


def _sources(utterances: list[Utterance]) -> dict[str, list[int]]:
    """Return the places of each source video's utterances, in the order of the numbers in their names."""
    found: dict[str, list[int]] = {}
    for place, utterance in enumerate(utterances):
        found.setdefault(utterance.source, []).append(place)
    return {
        source: sorted(places, key=lambda place: _in_order(utterances[place].video)) for source, places in found.items()
    }


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return what sorts utterance_2 before utterance_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _labelled_by_source(utterances: list[Utterance]) -> list[list[Utterance]]:
    groups = ([utterances[place] for place in places] for places in _sources(utterances).values())
    groups = ([utterance for utterance in group if utterance.labelled] for group in groups)
    return [group for group in groups if group]


def _moments(utterances: list[Utterance]) -> Moments:
    return Moments.from_arrays(*(np.array([getattr(u, what) for u in utterances]) for what in ("label", "prediction")))


def _first_version(utterances: list[Utterance]) -> tuple[dict, dict[str, str]]:
    """The challenge's first way: the CCC of each source video over its utterances, averaged.

    A source video of one utterance has no CCC worth the name (0, whatever is predicted): it is left out and counted.
    """
    name = "mean of the videos' own CCC"
    groups = _labelled_by_source(utterances)
    own = [{"ccc": scores(_moments(group))["ccc"]} for group in groups if len(group) > 1]
    single = len(groups) - len(own)
    note = f"over {len(own)} source videos" + (f"; {single} of one utterance are left out" if single else "")
    if own:
        return {"name": name, "scores": mean_of(own), "note": note}, {}
    lacking = dict.fromkeys((*DIMENSIONS, "mean"))
    reasons = {f"{name}: ccc.{key}": "no source video has two utterances" for key in lacking}
    return {"name": name, "scores": {"ccc": lacking}, "note": note}, reasons


def _each_frame(evaluation: Evaluation) -> tuple[dict, dict[str, str]]:
    name = "each frame, pooled"
    total = Moments.empty()
    for video in evaluation.videos:
        total = total.merge(video.moments)
    note = f"over {evaluation.frames_scored} frames, each with the label of its utterance"
    reasons = {f"{name}: {key}": reason for key, reason in total.undefined().items()}
    return {"name": name, "scores": scores(total), "note": note}, reasons


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(DIMENSIONS, values.tolist(), strict=True))
