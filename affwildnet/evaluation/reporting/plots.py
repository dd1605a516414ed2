"""The report's plots, as PNG files in memory: drawn by a thread of their own while something else is done."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from matplotlib.figure import Figure

from affwildnet.evaluation.reporting.curves import curves, probabilities, segment_curves, split_curves
from affwildnet.evaluation.reporting.distributions import histograms, residuals
from affwildnet.evaluation.reporting.learning_curves import Progress, training_curves
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.plotting import png
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


class Plots:
    """The plots of an evaluation and of its run, which begin to be drawn when this is made.

    Nothing is written: whoever ends early leaves no file.

    Example:

    ```python
    with Plots(evaluation, Progress.of(workdir)) as plots:
        ...  # what does not need them
        drawn = plots.drawn()
    ```
    """

    def __init__(self, evaluation: Evaluation, progress: Progress, other: Progress | None = None):
        """Begin.

        Args:
          progress: of the run's training.
          other: the course of another run's training, to draw beside this one's.
        """
        # One thread: Python draws one figure at a time in any case.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plots")
        self._pending: dict[str, Future[bytes | None]] = {
            name: self._thread.submit(_drawn, draw) for name, draw in _drawings(evaluation, progress, other).items()
        }

    def __enter__(self) -> "Plots":
        return self

    def __exit__(self, *_) -> None:
        """Let the plot that is being drawn be finished, and draw no other: it takes less than a second."""
        self._thread.shutdown(cancel_futures=True)

    def drawn(self) -> dict[str, bytes]:
        """Wait for the plots; return their PNG files by a key of `CAPTIONS`, but those with nothing to draw.

        Raises:
          Exception: the first that a drawing has raised.
        """
        files = {name: pending.result() for name, pending in self._pending.items()}
        return {name: file for name, file in files.items() if file is not None}


def is_expressions(evaluation: Evaluation) -> bool:
    """Return whether the predictions are probabilities of expressions."""
    return evaluation.videos[0].predictions.shape[1] != len(DIMENSIONS)


def _drawings(
    evaluation: Evaluation, progress: Progress, other: Progress | None
) -> dict[str, Callable[[], Figure | None]]:
    """Return what draws each plot, the longest first."""
    if is_expressions(evaluation):
        draw = {"probabilities": probabilities}
    else:
        draw = {
            "curves": curves,
            "split": split_curves,
            "segments": segment_curves,
            "histograms": histograms,
            "residuals": residuals,
        }
    found = {name: partial(draw_one, evaluation) for name, draw_one in draw.items()}
    return {**found, "training": partial(training_curves, progress, other)}


def _drawn(draw: Callable[[], Figure | None]) -> bytes | None:
    figure = draw()
    return None if figure is None else png(figure)
