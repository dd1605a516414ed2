"""The frozen part of a network computed once for each frame: from the cache where it is there, else now."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.data.corpus import Corpus
from affwildnet.data.feature_cache import OFF, FeatureCache
from affwildnet.data.pipeline import planned_batches
from affwildnet.data.windows import PADDED, training_segments
from affwildnet.experiments.config import TrainingConfig
from affwildnet.models.frozen_part import Divided, divide
from affwildnet.models.signature import FEATURES
from affwildnet.runs import checkpoints
from tfrecords_tools.errors import UserError

# What the windows of an epoch leave out is computed at its end, if it is at most this share of the frames.
SMALL_REST = 1 / 16
# Bytes of the disk that are left to a run's logs, pictures and reports.
LOGS = 50_000_000


class FrozenFeatures:
    """Replaces the frames of batches by the features that the trained part of a network reads.

    Every value is rounded to the cache's type, whether it was read or computed, so that it does not matter which.

    Attributes:
      network: the trained part; it shares the weights of the whole network.
      cache: of the split.
      fingerprint: of the frozen part.
    """

    def __init__(self, divided: Divided, fingerprint: str, cache: FeatureCache):
        self.network, self.fingerprint, self.cache = divided.rest, fingerprint, cache
        self._divided = divided
        self._kind = tf.as_dtype(cache.dtype)
        side = divided.frozen.inputs[0].shape[2]
        self._compute = tf.function(
            lambda frames: tf.cast(divided.features(frames), self._kind),
            input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8)],
            autograph=False,
        )
        self._black: np.ndarray | None = None

    @classmethod
    def of(
        cls, model: keras.Model, corpus: Corpus, folder: Path, config: TrainingConfig, writes: bool = True
    ) -> "FrozenFeatures | None":
        """Return the features of a network's frozen part; None where the cache is off, or nothing is frozen.

        Args:
          model: with layers that are not `trainable`.
          corpus: the split.
          folder: of the caches of this split.
          config: says whether, how exactly, and up to which size features are kept.
          writes: whether this is the process that writes into the folder; one that does not gets None where there are
            no features in it.
        """
        if config.cache == OFF or (divided := divide(model)) is None:
            return None
        fingerprint = divided.fingerprint()
        own = folder / f"{fingerprint[:20]}-{config.cache}"
        # The disk is not filled: what is computed again may not take the place of what would be lost.
        spare = LOGS + (config.keep_checkpoints + 1) * checkpoints.size_of(model)
        cache = FeatureCache(own, corpus, divided.width, config.cache, config.cache_gb, spare)
        if writes:
            cache.prepare()
        elif not cache.only_read():
            return None
        return cls(divided, fingerprint, cache)

    def is_still_of(self) -> bool:
        """Return whether the frozen part has the weights that it had; those of another checkpoint may be loaded."""
        return self._divided.fingerprint() == self.fingerprint

    def over(self, batches: tf.data.Dataset) -> Iterator[dict[str, tf.Tensor]]:
        """Yield the batches of a dataset with this cache, each with complete `frame_features` (B, T, W) float32.

        Raises:
          UserError: if a feature is too large for the cache's type.
        """
        return map(self.complete, batches)

    def complete(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return a batch with all features; those that had to be computed are kept. Raise as `over`."""
        features, there = batch[FEATURES], batch["cached"].numpy()
        real = batch["frame"].numpy() > 0
        missing = real & ~there
        if missing.all():
            frames = batch["frames"]
            values = self._computed(tf.reshape(frames, (-1, *frames.shape[2:])))
            self._keep(batch, missing, values)
            features = tf.reshape(values, features.shape)
        elif not there.all():
            values = features.numpy().copy()
            if not real.all():
                values[~real] = self._of_padding(batch["frames"].shape[2:])
            if missing.any():
                values[missing] = self._computed(tf.boolean_mask(batch["frames"], missing))
                self._keep(batch, missing, values[missing])
            features = tf.constant(values)
        return {**batch, FEATURES: tf.cast(features, tf.float32)}

    def fill(self, config: TrainingConfig, go_on: Callable[[], bool], most: float = SMALL_REST) -> int:
        """Compute what no window has asked for yet, if it is little; return how many frames that were.

        Args:
          config: how windows are cut: frames that none can hold are left out.
          go_on: called for each batch; False ends it early.
          most: the largest share of the frames of the cache that is little.
        """
        rows = np.array(list(self._unasked(config)), np.int64).reshape(-1, 3)
        number = int(rows[:, 2].sum())
        if not number or number > most * self.cache.frames:
            return 0
        empty = -len(rows) % config.batch_size
        plan = np.concatenate([rows, np.tile([*rows[0, :2], 0], (empty, 1))])
        for batch in planned_batches(self.cache.corpus, plan, config.window, config.batch_size, self.cache):
            if not go_on():
                break
            self.complete(batch)
        return number

    def _unasked(self, config: TrainingConfig) -> Iterator[tuple[int, int, int]]:
        """Yield VIDEO, FIRST, LENGTH of frames that are not computed and that a window can hold."""
        corpus = self.cache.corpus
        for video, first, length in training_segments(corpus, config).tolist():
            if not self.cache.has_place(video) or (length < config.window and config.window_rule != PADDED):
                continue
            begin = corpus.first_record[video] + first
            missing = np.concatenate([[False], ~self.cache.computed[begin : begin + length], [False]])
            for start, end in np.flatnonzero(np.diff(missing)).reshape(-1, 2).tolist():
                cuts = [*range(start, end, config.window), end]
                yield from ((video, first + low, high - low) for low, high in pairwise(cuts))

    def _computed(self, frames: tf.Tensor) -> np.ndarray:
        values = self._compute(frames).numpy()
        if not np.isfinite(values).all():
            raise UserError(
                f"`training.cache` must hold every output of the frozen layers. Received: {self._kind.name}, in which "
                "some are not finite. Choose --set training.cache=bfloat16 or float32, which hold larger numbers, in a "
                "new --workdir if this one has checkpoints. If that does not help, the weights are not finite."
            )
        return values

    def _of_padding(self, shape: tuple[int, ...]) -> np.ndarray:
        if self._black is None:
            self._black = self._computed(tf.zeros((1, *shape), tf.uint8))[0]
        return self._black

    def _keep(self, batch: dict[str, tf.Tensor], missing: np.ndarray, values: np.ndarray) -> None:
        ends = np.cumsum(missing.sum(axis=1))[:-1]
        rows = zip(batch["video"].numpy(), batch["first"].numpy(), missing, np.split(values, ends), strict=True)
        for video, first, own, of_window in rows:
            if own.any():
                self.cache.write(int(video), first + np.flatnonzero(own), of_window)
