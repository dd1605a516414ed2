"""The class of each video from the mean of its frames' probabilities (ijcv2019 section 5.2.1, table 12)."""

import numpy as np

from affwildnet.evaluation.scoring.confusion import Confusion
from affwildnet.evaluation.scoring.details import Details
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions, counts
from affwildnet.evaluation.scoring.video_scores import ExpressionScores
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import EXPRESSIONS

UNIT = "videos"
OVER = "videos"


def parts(evaluation: Evaluation, config: EvaluationConfig) -> list[Confusion]:
    """Return the counts of each video that has a label.

    Raises:
      UserError: if the frames of a video have different classes.
    """
    return [Confusion.of(label_of(video), predicted(video)) for video in evaluation.videos if video.labelled.any()]


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    """Return the class of each video, and the videos counted by label and prediction."""
    rows = []
    confusion = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS)), int)
    for video in evaluation.videos:
        label, scores, guess = None, None, predicted(video)
        if video.labelled.any():
            index = label_of(video)
            confusion[index, guess] += 1
            label, scores = EXPRESSIONS[index], {"accuracy": {"total": float(index == guess)}}
        rows.append(ExpressionScores(**counts(video), scores=scores, label=label, predicted=EXPRESSIONS[guess]))
    return Details(int(confusion.sum()), tuple(rows), confusion=tuple(map(tuple, confusion.tolist())))


def label_of(video: VideoPredictions) -> int:
    """Return the index of the class of a video's labelled frames.

    Raises:
      UserError: if they have different classes.
    """
    classes = np.unique(video.labels[video.labelled].argmax(axis=1))
    if len(classes) > 1:
        names = " and ".join(EXPRESSIONS[index] for index in classes)
        raise UserError(
            f"The protocol videos needs one class for all frames of a video. Received: {names} in {video.video}. Its "
            "corpus is labelled by frame."
        )
    return int(classes[0])


def predicted(video: VideoPredictions) -> int:
    """Return the index of the class with the highest mean probability over all frames; of equal ones the first."""
    return int(np.mean(video.predictions, axis=0, dtype=np.float64).argmax())
