"""What TensorBoard shows of the checkpoints on the validation split: scores, faces, curves, and the run's fields."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet import losses
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
    """Writes the scores of checkpoints for TensorBoard, under the names that training gives the same values."""

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

    def add(self, line: dict, evaluation: Evaluation, scores: Scores, scored: Sequence[dict]) -> None:
        """Write what a checkpoint has scored.

        Args:
          line: of `metrics.jsonl`, with the checkpoint's step, loss and ranking.
          evaluation: its predictions.
          scores: its scores by the run's protocol.
          scored: the lines of all checkpoints scored by now.
        """
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.png"
        draw(shown, path)
        return tf.io.decode_png(path.read_bytes(), channels=3).numpy()
