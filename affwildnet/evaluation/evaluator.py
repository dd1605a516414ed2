"""Predictions for every frame of a split, and their scores."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affwildnet.data import Corpus, evaluation_batches
from affwildnet.data.corpus import CorpusError
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.models.folding import fold, refold
from affwildnet.models.streaming import with_states
from tfrecords_tools.errors import UserError, message_of
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.records.reader import read_columns

# From so many batches of one shape on, compiling the network for that shape pays: it then runs a little faster.
WORTH_COMPILING = 50

# The parts of a batch that are kept beside its predictions.
_KEPT = ("video", "frame", "timestamp", "labels", "mask")


class Evaluator:
    """Scores networks of one structure on one split.

    Each window is a sequence of its own, and a frame that is in several windows gets the mean of its predictions; or,
    with `config.carry_state`, each video is one sequence, across gaps in its frames as well.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: EvaluationConfig,
        strategy: tf.distribute.Strategy | None = None,
        features: Callable[[keras.Model, Corpus], FrozenFeatures | None] | None = None,
    ):
        """Plan the windows.

        Args:
          corpus: the split.
          config: how it is cut into windows, and whether states are carried.
          strategy: its devices share each batch, whose size is rounded up to a multiple of their number. Build or load
            the network in its scope, or all devices read the weights of one. None is the current strategy.
          features: returns what the frozen part of a network computes, kept from one checkpoint to the next; on one
            device only.

        Raises:
          UserError: if no frame of the split has a label, or the fields of `config` do not fit together.
        """
        if corpus.frames_labelled == 0:
            raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label, so nothing is scored.")
        self._corpus = corpus
        self._carry_state = config.carry_state
        self._strategy = strategy or tf.distribute.get_strategy()
        devices = self._strategy.num_replicas_in_sync
        rounded = -(-config.batch_size // devices) * devices
        self._config = replace(config, batch_size=rounded)
        self._batches = evaluation_batches(corpus, self._config)
        self._begun: Iterator[dict[str, tf.Tensor]] | None = None
        self._features_of = features if devices == 1 else None
        self._features: FrozenFeatures | None = None
        self._model: keras.Model | None = None
        self._forward: _Forward | None = None

    def begin(self) -> None:
        """Begin to read what the next call scores first, a few batches, in threads of TensorFlow's.

        Starting takes as long as scoring dozens of frames: do it while there is nothing else to do.
        """
        if self._begun is None:
            self._begun = iter(self._batches)

    def __call__(self, model: keras.Model) -> Evaluation:
        """Return the evaluation of a network; a terminal shows the progress.

        Raises:
          UserError: if a record is corrupt, a prediction is not finite, a labelled frame was not scored, the number of
            outputs is not that of the labels, or the network has states that cannot be carried.
        """
        self._check_outputs(model)
        self._prepare(model)
        self.begin()
        begun, self._begun = self._begun, None
        windows: list[list[tuple[np.ndarray, ...]]] = [[] for _ in self._corpus.videos]
        frames = sum(entry.frames for entry in self._corpus.videos)
        try:
            with tqdm(total=frames, unit="frame", desc="scoring", unit_scale=True, leave=False, disable=None) as shown:
                for batch, predictions in self._forward.over(self._batches, begun, self._features):
                    rows = (batch[name] for name in _KEPT)
                    for video, *window in zip(*rows, predictions, strict=True):
                        windows[video].append(_real_frames(*window))
                    shown.update(np.count_nonzero(batch["frame"]))
        except tf.errors.DataLossError as error:
            raise CorpusError(
                f"{self._corpus.folder}: a record is corrupt or cut off ({message_of(error)}). "
                f"`python -m tfrecords_tools verify {self._corpus.folder}` names it; pack that corpus again."
            ) from None
        videos = [
            VideoPredictions(entry.video, entry.subject, *_joined(own))
            for entry, own in zip(self._corpus.videos, windows, strict=True)
        ]
        self._check(videos)
        return Evaluation.of(self._corpus.split, videos, self._corpus.frames_labelled)

    def _prepare(self, model: keras.Model) -> None:
        """Compile a network, once for all checkpoints of a run, which are loaded into it one after the other."""
        if self._model is model and (self._features is None or self._features.is_still_of()):
            return
        self._features = self._features_of(model, self._corpus) if self._features_of else None
        network, cache = model, None
        if self._features is not None:
            network, cache = self._features.network, self._features.cache
        if cache is not None:
            self._batches, self._begun = evaluation_batches(self._corpus, self._config, cache), None
        self._model, self._forward = model, _Forward(network, self._strategy, self._carry_state)

    def _check_outputs(self, model: keras.Model) -> None:
        wanted, outputs = self._batches.element_spec["labels"].shape[-1], model.outputs[0].shape[-1]
        if outputs != wanted:
            raise UserError(
                f"{self._corpus.folder}: the network must have {wanted} outputs a frame, as the labels there have "
                f"({self._corpus.target}). Received: {model.name}, which has {outputs}."
            )

    def _check(self, videos: list[VideoPredictions]) -> None:
        for video in videos:
            if not np.isfinite(video.predictions).all():
                raise UserError(
                    f"The network's predictions for the video {video.video} are not finite: training diverged."
                )
        scored = sum(int(video.labelled.sum()) for video in videos)
        if scored != self._corpus.frames_labelled:
            raise UserError(
                f"{self._corpus.folder}: every labelled frame must be scored once. Received: "
                f"{scored} scored of {self._corpus.frames_labelled} labelled. "
                f"`python -m tfrecords_tools verify {self._corpus.folder}` says why."
            )


class _Forward:
    """A network compiled for a strategy's devices, each of which computes every n-th row of a batch.

    A row keeps its device, and with it the states of its video, however many rows at the end of a batch are empty.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy, carry_state: bool):
        self.model = model
        with strategy.scope():
            self._folded = fold(model)
        self._strategy = strategy
        self._devices = strategy.num_replicas_in_sync
        self._stateful = with_states(self._folded) if carry_state else None
        inputs = {tensor.name: _any_length(tensor.shape[2:], tensor.dtype) for tensor in model.inputs}
        self._names = list(inputs)
        video = tf.TensorSpec([None], tf.int64)
        states = [tf.TensorSpec([None, *shape]) for shape in self._stateful.state_shapes] if self._stateful else []
        signature = ({**inputs, "video": video}, (video, states))

        def run(*batch):
            return strategy.run(self._on_a_device, args=batch)

        self._for_one_shape = tf.function(run, autograph=False)
        # The shares of several devices have no signature; TensorFlow generalises the shapes that it has seen.
        self._for_any_shape = tf.function(
            run,
            input_signature=signature if self._devices == 1 else None,
            reduce_retracing=self._devices > 1,
            autograph=False,
        )

    def over(
        self, batches: tf.data.Dataset, begun: Iterator[dict[str, tf.Tensor]], features: FrozenFeatures | None
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Yield the parts of each batch that `_KEPT` names, without padding, and the predictions (B, T, D).

        A device is waited for only when the next batch is on its way there.

        Args:
          begun: an iterator over `batches`.
          features: completes the batches; None leaves them as they are.
        """
        refold(self._folded, self.model)  # the weights may be those of another checkpoint by now
        padded, frames = batches.element_spec["frame"].shape
        many = batches.cardinality() >= WORTH_COMPILING
        carried, waiting = self._nothing_yet(padded // self._devices), None
        if not many and self._devices == 1:
            self._for_any_shape.get_concrete_function()  # traced while the first batch is read
        for batch in features.over(begun) if features else begun:
            batch = self._without_padding(batch)
            whole = many and batch["frame"].shape == (padded, frames)
            inputs = {name: batch[name] for name in (*self._names, "video")}
            forward = self._for_one_shape if whole else self._for_any_shape
            predictions, carried = forward(self._shares(inputs), carried)
            if waiting:
                yield _fetched(*waiting)
            parts = self._strategy.experimental_local_results(predictions)
            waiting = {name: batch[name] for name in _KEPT}, parts
        if waiting:
            yield _fetched(*waiting)

    def _on_a_device(self, inputs: dict[str, tf.Tensor], carried: tuple):
        """Return the predictions, and what the next batch needs: the video of each row and the states after it."""
        video, (video_before, states) = inputs["video"], carried
        if not self._stateful:
            return self._folded({name: inputs[name] for name in self._names}, training=False), (video, states)
        rows = tf.shape(video)[0]
        goes_on = video == video_before[:rows]
        # A choice, not a product: a state that is not finite must not reach the next video.
        states = [tf.where(_as_wide(goes_on, state), state[:rows], 0.0) for state in states]
        predictions, states = self._stateful([inputs[name] for name in self._names], states)
        return predictions, (video, states)

    def _without_padding(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        real = batch["frame"].numpy() > 0
        rows = -(-(1 + np.flatnonzero(real.any(axis=1))[-1]) // self._devices) * self._devices
        frames = 1 + np.flatnonzero(real.any(axis=0))[-1]
        if (rows, frames) == real.shape:
            return batch
        return {name: value[:rows, :frames] if value.ndim > 1 else value[:rows] for name, value in batch.items()}

    def _shares(self, values: dict[str, tf.Tensor]):
        return self._on_each(lambda device: {name: value[device :: self._devices] for name, value in values.items()})

    def _nothing_yet(self, rows: int):
        states = self._stateful.initial_states(rows) if self._stateful else []
        return self._on_each(lambda _: (tf.fill([rows], tf.constant(-1, tf.int64)), states))

    def _on_each(self, value_of: Callable):
        if self._devices == 1:
            return value_of(0)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: value_of(context.replica_id_in_sync_group)
        )


def _as_wide(rows: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    return tf.reshape(rows, [-1, *[1] * (state.shape.rank - 1)])


def _any_length(shape: tuple[int, ...], dtype: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, None, *shape], dtype)


def _fetched(batch: dict[str, tf.Tensor], parts: tuple[tf.Tensor, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rows = np.stack([part.numpy() for part in parts], axis=1)
    return {name: value.numpy() for name, value in batch.items()}, rows.reshape(-1, *rows.shape[2:])


def _real_frames(frames, timestamps, labels, mask, predictions) -> tuple[np.ndarray, ...]:
    real = frames > 0
    labels = np.where(mask[:, None] > 0, labels, np.nan)
    return frames[real], timestamps[real], labels[real], predictions[real]


def _joined(windows: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Return a video's frames, timestamps, labels and predictions in time order, each frame once."""
    frames, timestamps, labels, predictions = (np.concatenate(part) for part in zip(*windows, strict=True))
    frames, first, places = np.unique(frames, return_index=True, return_inverse=True)
    total = np.zeros((len(frames), predictions.shape[1]))
    np.add.at(total, places, predictions)
    mean = total / np.bincount(places)[:, None]
    return frames, timestamps[first], labels[first], mean.astype(np.float32)


def evaluate(corpus: Corpus, prediction: Callable[[VideoEntry], np.ndarray]) -> Evaluation:
    """Return the evaluation of predictions that come from elsewhere than a Keras network.

    Args:
      prediction: returns (N, 2) valence and arousal of a video's N records.

    Raises:
      UserError: if no frame of the split has a label, or a record is corrupt.
    """
    videos = []
    for entry in corpus.videos:
        own = read_columns(corpus.folder, entry, ["frame", "timestamp", "label"], corpus.manifest.fields)
        labels = np.where(np.isfinite(own["label"]).all(axis=1, keepdims=True), own["label"], np.float32(np.nan))
        values = np.asarray(prediction(entry), np.float64)
        videos.append(VideoPredictions(entry.video, entry.subject, own["frame"], own["timestamp"], labels, values))
    return Evaluation.of(corpus.split, videos, corpus.frames_labelled)
