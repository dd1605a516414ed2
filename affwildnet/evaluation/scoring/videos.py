"""The class of each video from the mean of its frames' probabilities (ijcv2019 section 5.2.1, table 12)."""

import numpy as np

from affwildnet.evaluation.scoring.confusion import Confusion
from affwildnet.evaluation.scoring.details import Details
from affwildnet.evaluation.scoring.predictions import UNLABELLED, Evaluation, VideoPredictions, counts
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import EXPRESSIONS

UNIT = "videos"
OVER = "videos"


def parts(evaluation: Evaluation, config: EvaluationConfig) -> list[Confusion]:
    """Return the counts of each video that has a label; one without is left out.

    Raises:
      UserError: if the frames of a video have different classes.
    """
    return [Confusion.of(label_of(video), predicted(video)) for video in evaluation.videos if video.labelled.any()]


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    rows = []
    confusion = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS)), int)
    for video in evaluation.videos:
        row = {**counts(video), "scores": None, "undefined": {"scores": UNLABELLED}, "label": None}
        row["predicted"] = EXPRESSIONS[predicted(video)]
        if video.labelled.any():
            label = label_of(video)
            confusion[label, predicted(video)] += 1
            row["label"] = EXPRESSIONS[label]
            row |= {"scores": {"accuracy": {"total": float(label == predicted(video))}}, "undefined": {}}
        rows.append(row)
    return Details(int(confusion.sum()), rows, confusion=confusion.tolist())


def label_of(video: VideoPredictions) -> int:
    """Return the index of the class that the labelled frames of a video have.

    Raises:
      UserError: if they have different ones.
    """
    classes = np.unique(video.labels[video.labelled].argmax(axis=1))
    if len(classes) > 1:
        names = " and ".join(EXPRESSIONS[index] for index in classes)
        raise UserError(
            f"The protocol videos wants one class for all frames of a video. Received: {names} in {video.video}. Its "
            "corpus is labelled by frame."
        )
    return int(classes[0])


def predicted(video: VideoPredictions) -> int:
    """Return the index of the class of the highest mean probability, over all frames; the first of equal ones."""
    return int(np.mean(video.predictions, axis=0, dtype=np.float64).argmax())
