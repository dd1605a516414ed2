"""From planned windows to batches with tf.data: sample, read, decode, augment, batch, prefetch.

Windows are shuffled as rows of numbers before anything is read: the shuffle is complete, and a run resumes at any step
without reading what came before. Each window is then read from its byte offset. Windows are read and decoded in
parallel, and stay in order.
"""

import logging
from itertools import chain
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from affwildnet.data import augmentation
from affwildnet.data.corpus import Corpus
from affwildnet.data.feature_cache import FeatureCache
from affwildnet.data.windows import (
    FIRST,
    LENGTH,
    START,
    VIDEO,
    Position,
    balance_summary,
    evaluation_plan,
    sequence_plan,
    short_videos_summary,
    training_stream,
)
from affwildnet.experiments import window_rules
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from affwildnet.experiments.heads import EXPRESSION, VALENCE_AROUSAL
from affwildnet.models.signature import FEATURES
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema
from tfrecords_tools.records.reader import parse_at

_log = logging.getLogger(__name__)
# Longer windows are decoded in a loop: the graph would grow with them.
LONGEST_UNROLLED = 256
# So are those of plans with fewer frames: making the graph takes longer than it saves.
WORTH_UNROLLING = 30_000
_FIELDS = schema.fields(expression=True)
_READ = ("frame", "timestamp", "face", "landmarks")
_LABEL = {VALENCE_AROUSAL: "label", EXPRESSION: "expression"}


class Share(NamedTuple):
    """What one of several workers reads: the `worker`-th of `workers` equal slices of each batch, counted from 0."""

    worker: int
    workers: int


WHOLE = Share(0, 1)


def training_batches(
    corpus: Corpus,
    config: TrainingConfig,
    start: Position = START,
    share: Share = WHOLE,
    cache: FeatureCache | None = None,
) -> tf.data.Dataset:
    """Return the endless batches of a run from `start` on, determined by `config.seed`.

    Each batch is a dict:

    - `frames`: (B, T, S, S, 3) uint8 RGB;
    - `landmarks`: (B, T, 68, 2) float32, in the crop divided by its side;
    - `labels`: (B, T, D) float32, 0 where missing: valence and arousal (D = 2) or, where these are the corpus's target,
      expressions (D = 7), 1 for the frame's class and 0 for the others, in the order of `schema.EXPRESSIONS`;
    - `mask`: (B, T) float32, 1 where there is a label;
    - `frame`: (B, T) int64 frame numbers, and `timestamp`: (B, T) float32 seconds;
    - `video`: (B,) int64 indices in the corpus;
    - `epoch` and `window`: (B,) int64, which make up the position;
    - with a cache, what `_features` adds.

    Logged are how many videos are too short for a window, and how `config.balance` changes the quadrants' shares.

    Args:
      corpus: the training split.
      config: batch size, windows, balance and augmentation.
      start: the first window to read.
      share: the rows of each batch that this worker reads, in their order: the workers' rows one after the other are
        the batch of a single worker.
      cache: features of the frames.

    Raises:
      UserError: if the split holds no window of `config.window` frames, if `config.balance` cannot be met, or if the
        workers cannot share a batch equally.

    Example:
      >>> corpus = Corpus.open(Path("data/sample_packed"), "train")
      >>> batch = next(iter(training_batches(corpus, TrainingConfig(batch_size=2, window=80))))
      >>> batch["frames"].shape
      TensorShape([2, 80, 96, 96, 3])
    """
    worker, workers = share
    if config.batch_size % workers:
        raise UserError(
            f"`training.batch_size` must be a multiple of the number of workers, {workers}. "
            f"Received: {config.batch_size}"
        )
    own = config.batch_size // workers
    if config.balance:
        _log.info(balance_summary(corpus, config))
    if summary := short_videos_summary(corpus, config):
        _log.info(summary)
    begun = next(training_stream(corpus, config, start))  # an empty plan must fail here, not inside tf.data

    def rows():
        for epoch, first, plan in chain([begun], training_stream(corpus, config, Position(start.epoch + 1, 0))):
            yield np.concatenate([np.full((len(plan), 1), epoch), first + np.arange(len(plan))[:, None], plan], axis=1)

    def load(row):
        example = _load_window(row[2:], corpus, tables, config.window, cache)
        example = augmentation.augment(
            example, (config.seed, row[0], row[1]), config.flip, config.colour_jitter, config.landmark_jitter
        )
        return {**example, "epoch": row[0], "window": row[1]}

    tables = _tables(corpus)
    dataset = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec([None, 5], tf.int64)).unbatch()
    if workers > 1:
        batches = dataset.batch(config.batch_size, drop_remainder=True)
        dataset = batches.map(lambda rows: rows[worker * own : (worker + 1) * own]).unbatch()
    return _batch(dataset, load, own)


def evaluation_batches(corpus: Corpus, config: EvaluationConfig, cache: FeatureCache | None = None) -> tf.data.Dataset:
    """Return batches in which every record of the split stands once, or more often with `config.overlap`.

    Keys are as in `training_batches`. The ends of short windows are padded with zeros: there `frame` and `mask` are 0.
    Windows are in the order of `windows.evaluation_plan` or, with `config.carry_state`, of `windows.sequence_plan`: a
    row continues the same row of the batch before where `video` is the same.

    Raises:
      UserError: if batch size, window and overlap are not valid, or if there is an overlap together with `carry_state`.
    """
    window_rules.check(config)
    plan = (sequence_plan if config.carry_state else evaluation_plan)(corpus, config)
    return planned_batches(corpus, plan, config.window, config.batch_size, cache)


def planned_batches(
    corpus: Corpus, plan: np.ndarray, window: int, batch_size: int, cache: FeatureCache | None = None
) -> tf.data.Dataset:
    """Return the batches of a plan, (n, 3) as in `windows`, n a multiple of `batch_size`; keys as in training.

    An iterator begins to read when it is made, in threads of its own.
    """

    # Traced once for both of its uses.
    @tf.function(input_signature=[tf.TensorSpec([3], tf.int64)], autograph=False)
    def read(row):
        return _load_window(row, corpus, tables, window, cache, unrolled=plan[:, LENGTH].sum() >= WORTH_UNROLLING)

    def load(row):
        return tf.cond(row[LENGTH] > 0, lambda: read(row), lambda: {**nothing, "video": row[VIDEO]})

    tables = _tables(corpus)
    outputs = read.get_concrete_function().structured_outputs
    nothing = {name: tf.zeros(spec.shape, spec.dtype) for name, spec in outputs.items()}
    options = tf.data.Options()
    options.experimental_warm_start = True
    # As many windows at once as there are cores. What would tune that sleeps for up to a second when a short plan ends.
    options.autotune.enabled = False
    return _batch(tf.data.Dataset.from_tensor_slices(plan), load, batch_size).with_options(options)


def _batch(rows: tf.data.Dataset, load, batch_size: int) -> tf.data.Dataset:
    load = tf.autograph.experimental.do_not_convert(load)  # which takes longer than all else here, for nothing
    dataset = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _tables(corpus: Corpus) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.constant(corpus.files), tf.constant(corpus.first_record), tf.constant(corpus.record_offsets)


def _load_window(
    row, corpus: Corpus, tables: tuple[tf.Tensor, ...], window: int, cache: FeatureCache | None, unrolled: bool = True
) -> dict[str, tf.Tensor]:
    files, first_record, offsets = tables
    video, length, size = row[VIDEO], row[LENGTH], corpus.manifest.image_size
    label = _LABEL[corpus.target]

    def read(*names):
        return parse_at(
            files[video],
            offsets[first_record[video] + row[FIRST]],
            length,
            {name: _FIELDS[name] for name in names},
        )

    def faces():
        return _decode(read("face")["face"], window, size, unrolled)

    more = {}
    if cache is None:
        parsed = read(*_READ, label)
        frames = _decode(parsed.pop("face"), window, size, unrolled)
    else:
        parsed = read(*(name for name in _READ if name != "face"), label)
        more = _features(row, window, cache)
        all_there = tf.reduce_all(more["cached"][:length])
        frames = tf.cond(all_there, lambda: tf.zeros((window, size, size, 3), tf.uint8), faces)
    parsed["labels"], labelled = _labels(parsed.pop(label), corpus.target)
    parsed["mask"] = tf.cast(labelled, tf.float32)
    example = {name: _pad(value, window) for name, value in parsed.items()}
    return {**example, **more, "frames": frames, "video": video}


def _features(row, window: int, cache: FeatureCache) -> dict[str, tf.Tensor]:
    """Return what a window with a cache has besides.

    - `frame_features`: (T, W) of the cache's type, 0 where there are none;
    - `cached`: (T,) bool, where there are. Where all are, `frames` are not decoded but zeros;
    - `first`: () int64, the window's first record in its video.
    """
    kind = tf.as_dtype(cache.dtype)
    features, cached = tf.numpy_function(
        lambda *row: cache.read(*row, window), [row[VIDEO], row[FIRST], row[LENGTH]], (kind, tf.bool)
    )
    return {
        FEATURES: tf.ensure_shape(features, (window, cache.width)),
        "cached": tf.ensure_shape(cached, (window,)),
        "first": row[FIRST],
    }


def _labels(stored: tf.Tensor, target: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (n, D) float32 labels, 0 where missing, and (n,) bool, whether there is one."""
    if target == EXPRESSION:
        return tf.one_hot(stored, len(schema.EXPRESSIONS)), stored >= 0  # of -1 all are 0
    labelled = tf.reduce_all(tf.math.is_finite(stored), axis=-1)
    return tf.where(labelled[:, None], stored, 0.0), labelled


def _decode(jpegs: tf.Tensor, window: int, size: int, unrolled: bool) -> tf.Tensor:
    """Return (window, size, size, 3) uint8: the crops, and zeros after them."""

    def crop(jpeg):
        return tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (size, size, 3))

    if window > LONGEST_UNROLLED or not unrolled:
        return _pad(tf.map_fn(crop, jpegs, fn_output_signature=tf.uint8), window)
    # One operation for each crop, without a loop, decodes a sixth more of them per second.
    with tf.init_scope():  # once, not for each window
        black = tf.io.encode_jpeg(tf.zeros((size, size, 3), tf.uint8))  # decodes to zeros, in a fraction of the time
    filled = tf.concat([jpegs, tf.repeat(black, window - tf.shape(jpegs)[0])], axis=0)
    return tf.stack([crop(jpeg) for jpeg in tf.unstack(filled, num=window)])


def _pad(value: tf.Tensor, window: int) -> tf.Tensor:
    missing = [[0, window - tf.shape(value)[0]]] + [[0, 0]] * (value.shape.rank - 1)
    return tf.ensure_shape(tf.pad(value, missing), (window, *value.shape[1:]))
