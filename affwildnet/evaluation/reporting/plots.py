"""Draw the report's plots, as PNG files."""

from pathlib import Path

from affwildnet.evaluation.reporting.curves import curves, probabilities, segment_curves, split_curves
from affwildnet.evaluation.reporting.distributions import histograms, residuals
from affwildnet.evaluation.reporting.learning_curves import Progress, training_curves
from affwildnet.evaluation.scoring.predictions import Evaluation
from tfrecords_tools.records.schema import DIMENSIONS

# What the plots show, by name, in the order of the page.
CAPTIONS = {
    "split": "The whole split: labels and predictions, one video after the other (as thesis figures 6.3 and 6.6)",
    "segments": "Segments in which the predictions follow the labels best, at the median, and worst (as thesis figures "
    "6.4, 6.5, 6.7 and 6.8)",
    "curves": "Labels and predictions over time, by video (as ijcv2019 figure 10)",
    "histograms": "Labels and predictions in the valence-arousal plane (as ijcv2019 figure 11)",
    "residuals": "Residuals: the prediction minus the label",
    "probabilities": "Predicted probabilities of the expressions over time, by video",
    "training": "Loss, CCC and MSE while it was trained: of the training batches, and of the validation split at each "
    "scored checkpoint",
}


def draw(
    evaluation: Evaluation, progress: Progress, paths: dict[str, Path], other: Progress | None = None
) -> dict[str, Path]:
    """Draw the plots of an evaluation and of its run; return the paths of those that were written.

    Args:
      paths: where each plot goes, by a key of `CAPTIONS`.
      other: the course of another run's training, to draw beside this one's.
    """
    if is_expressions(evaluation):
        drawings = {"probabilities": probabilities}
    else:
        drawings = {
            "split": split_curves,
            "segments": segment_curves,
            "curves": curves,
            "histograms": histograms,
            "residuals": residuals,
        }
    drawn = {key: paths[key] for key, draw_one in drawings.items() if draw_one(evaluation, paths[key])}
    if training_curves(progress, paths["training"], other):
        drawn["training"] = paths["training"]
    return drawn


def is_expressions(evaluation: Evaluation) -> bool:
    """Return whether the predictions are probabilities of expressions."""
    return evaluation.videos[0].predictions.shape[1] != len(DIMENSIONS)
