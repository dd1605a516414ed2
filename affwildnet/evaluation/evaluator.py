"""Estimates for every frame of a split, each exactly once, and their scores."""

import keras
import numpy as np
import tensorflow as tf

from affwildnet.data import Corpus, evaluation_batches
from affwildnet.evaluation.estimates import Evaluation, VideoEstimates
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Moments, scores
from tfrecords_tools.errors import UserError


class Evaluator:
    """Scores networks of one structure on one split."""

    def __init__(self, corpus: Corpus, config: EvaluationConfig):
        """Raises a `UserError` if no frame of the split has a label."""
        if corpus.frames_labelled == 0:
            raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label, so nothing is scored.")
        self._corpus = corpus
        self._batches = evaluation_batches(corpus, config)
        self._model: keras.Model | None = None

    def __call__(self, model: keras.Model) -> Evaluation:
        """Runs the network over the split.

        Raises:
          UserError: if a record is corrupt, an estimate is not finite, or not every labelled frame was scored.
        """
        if model is not self._model:  # compiled once for all the checkpoints of a training
            self._model = model
            self._infer = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
        names = [tensor.name for tensor in model.inputs]
        gathered: list[list[tuple[np.ndarray, ...]]] = [[] for _ in self._corpus.videos]
        try:
            for batch in self._batches:
                estimates = self._infer({name: batch[name] for name in names}).numpy()
                rows = (batch[name].numpy() for name in ("video", "frame", "timestamp", "labels", "mask"))
                for index, *window in zip(*rows, estimates, strict=True):
                    gathered[index].append(_real_frames(*window))
        except tf.errors.DataLossError as error:
            raise UserError(
                f"{self._corpus.folder}: a record is corrupt or cut off ({error.message.splitlines()[0]}). "
                f"`python -m tfrecords_tools verify {self._corpus.folder}` names it; pack that corpus again."
            ) from None
        videos = tuple(
            VideoEstimates(entry.video, entry.subject, *(np.concatenate(part) for part in zip(*windows, strict=True)))
            for entry, windows in zip(self._corpus.videos, gathered, strict=True)
        )
        return self._scored(videos)

    def _scored(self, videos: tuple[VideoEstimates, ...]) -> Evaluation:
        for video in videos:
            if not np.isfinite(video.estimates).all():
                raise UserError(
                    f"The network's estimates for the video {video.video} are not finite: training diverged."
                )
        pooled = Moments.empty()
        for video in videos:
            pooled = pooled.merge(video.moments)
        evaluation = Evaluation(self._corpus.split, videos, self._corpus.frames_labelled, scores(pooled))
        if evaluation.frames_scored != evaluation.frames_labelled:
            raise UserError(
                f"{self._corpus.folder}: every labelled frame must be scored once. Received: "
                f"{evaluation.frames_scored} scored of {evaluation.frames_labelled} labelled. "
                f"`python -m tfrecords_tools verify {self._corpus.folder}` tells why."
            )
        return evaluation


def _real_frames(frames, timestamps, labels, mask, estimates) -> tuple[np.ndarray, ...]:
    real = frames > 0
    labels = np.where(mask[:, None] > 0, labels, np.nan)
    return frames[real], timestamps[real], labels[real], estimates[real]
