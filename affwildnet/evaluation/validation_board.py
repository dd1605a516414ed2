"""What TensorBoard shows of the checkpoints on the validation split: scores, faces, curves, and the run's fields."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from affwildnet import losses, plotting
from affwildnet.data import Corpus
from affwildnet.evaluation.face_grid import FaceGrid
from affwildnet.evaluation.reporting import curves
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import to_json
from affwildnet.metrics import Scores
from affwildnet.runs import best, rehearsals

VIDEOS = 2  # whose curves are drawn: the longest
# Parts of an experiment whose fields are listed under HPARAMS; names and published rows are none.
PARTS = ("model", "training", "evaluation")


class ValidationBoard:
    """Writes the scores of checkpoints for TensorBoard, under the names that training gives the same values.

    What a checkpoint adds is drawn and written by a thread of its own, while the next checkpoint is scored. Use it as a
    context manager: leaving it waits for what has been added.
    """

    def __init__(self, folder: str, experiment: Experiment, corpus: Corpus, run: str):
        """Note the experiment's fields, for TensorBoard's HPARAMS.

        Args:
          folder: where the event files go.
          experiment: that of the run.
          corpus: the validation split, for the faces.
          run: the name of the run among those that TensorBoard compares.
        """
        self._writer = tf.summary.create_file_writer(folder)
        self._faces = FaceGrid(corpus)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="board")
        self._added: Future[None] | None = None
        self._write_fields(experiment, run)

    def _write_fields(self, experiment: Experiment, run: str) -> None:
        from tensorboard.plugins.hparams import api  # takes a second

        kind = ", ".join(rehearsals.of_experiment(experiment)) or "no"
        values = {"experiment": experiment.name, "rehearsal": kind, **fields(experiment)}
        metrics = [api.Metric(f"best/{name}", display_name=f"best {name}") for name in best.MEASURES]
        with self._writer.as_default(step=0):
            api.hparams_config(hparams=[api.HParam(name) for name in values], metrics=metrics)
            api.hparams(values, trial_id=run)
        self._writer.flush()

    def __enter__(self) -> "ValidationBoard":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        """Wait for what was added; raise what went wrong with it, unless the block has raised already."""
        self._thread.shutdown()
        if kind is None:
            self._wait()

    def _wait(self) -> None:
        added, self._added = self._added, None
        if added is not None:
            added.result()

    def add(self, line: dict, evaluation: Evaluation, scores: Scores, scored: Sequence[dict]) -> None:
        """Write what a checkpoint has scored, beside the caller.

        Args:
          line: of `metrics.jsonl`, with the checkpoint's step, loss and ranking.
          evaluation: its predictions.
          scores: its scores by the run's protocol.
          scored: the lines of all checkpoints scored by now.

        Raises:
          Exception: what went wrong with the checkpoint that was added before.
        """
        self._wait()
        self._added = self._thread.submit(self._write, line, evaluation, scores, scored)

    def _write(self, line: dict, evaluation: Evaluation, scores: Scores, scored: Sequence[dict]) -> None:
        rankings = [best.ranking(each) for each in scored]
        with self._writer.as_default(line["step"]):
            tf.summary.scalar("loss", line["loss"])
            for metric, values in scores.items():
                for name, value in values.items():
                    if value is not None:
                        tf.summary.scalar(f"{metric}/{name}", value)
            for name in best.MEASURES:
                if reached := [ranking[name] for ranking in rankings if name in ranking]:
                    tf.summary.scalar(f"best/{name}", max(reached))
            tf.summary.image("faces", self._faces.drawn(evaluation)[None])
            tf.summary.image("curves", _curves(evaluation)[None])
        self._writer.flush()


def fields(experiment: Experiment) -> dict[str, bool | int | float | str]:
    """Return an experiment's fields by their names for `--set`, as values that TensorBoard takes."""
    parts = to_json(experiment)
    return {f"{part}.{name}": _plain(value) for part in PARTS for name, value in parts[part].items()}


def loss_of(evaluation: Evaluation, name: str) -> float:
    """Return the loss of that name over all labelled frames of a split at once."""
    labels, predictions = (
        np.concatenate([getattr(video, part)[video.labelled] for video in evaluation.videos])
        for part in ("labels", "predictions")
    )
    return float(keras.ops.convert_to_numpy(losses.get(name)(labels[None], predictions[None])))


def _plain(value) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _curves(evaluation: Evaluation) -> np.ndarray:
    """Return (height, width, 3) uint8, labels and predictions over time of the longest videos."""
    longest = sorted(evaluation.videos, key=lambda video: -len(video.frames))[:VIDEOS]
    shown = Evaluation(evaluation.split, tuple(longest), evaluation.frames_labelled, evaluation.scores)
    draw = curves.probabilities if longest[0].predictions.shape[1] > 2 else curves.curves
    return plotting.pixels(draw(shown))
