"""tf.data from planned windows to batches: sample, read, decode, augment, batch, prefetch.

Windows are shuffled as rows of numbers, before anything is read, so that the shuffle is complete and a run resumes at
any step without reading what came before. Each window is then read from its byte offset, and windows are read and
decoded in parallel, in order.
"""

import numpy as np
import tensorflow as tf

from affwildnet.data import augmentation
from affwildnet.data.corpus import Corpus
from affwildnet.data.windows import (
    FIRST,
    LENGTH,
    START,
    VALID,
    VIDEO,
    Position,
    balance_told,
    evaluation_plan,
    training_stream,
)
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from tfrecords_tools import schema
from tfrecords_tools.errors import UserError

# Longer windows are decoded in a loop: the graph would grow with them.
LONGEST_UNROLLED = 256
_TYPES = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
_READ = ("frame", "timestamp", "face", "landmarks", "label")
_SPEC = {name: tf.io.FixedLenFeature(schema.FIELDS[name].shape, _TYPES[schema.FIELDS[name].dtype]) for name in _READ}


def training_batches(
    corpus: Corpus, config: TrainingConfig, start: Position = START, share: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """Returns the endless batches of a training run from `start` on, determined by `config.seed`.

    `share` (i, n) is what one of n workers reads: the i-th n-th of the rows of each batch, in their order.

    Each is a dict: `frames` (B, T, S, S, 3) uint8 RGB, `landmarks` (B, T, 68, 2) float32, `labels` (B, T, 2) float32
    with 0 where missing, `mask` (B, T) float32, 1 where there is a label; `frame` (B, T) int64 frame numbers,
    `timestamp` (B, T) float32 seconds, `video` (B,) int64 indices in the corpus; `epoch` and `window` (B,) int64, which
    make up the position. With `config.balance`, what it does to the quadrants' shares is printed.

    Raises:
      UserError: if the split holds no window of `config.window` frames, or cannot be balanced so, or a batch cannot be
        shared by n.
    """
    worker, workers = share
    if config.batch_size % workers:
        raise UserError(
            f"`training.batch_size` must be a multiple of the number of workers, {workers}. "
            f"Received: {config.batch_size}"
        )
    own = config.batch_size // workers
    stream = (corpus, config.window, config.seed, start, config.max_gap, config.window_rule, config.balance)
    if config.balance:
        print(balance_told(corpus, config.window, config.seed, config.max_gap, config.window_rule, config.balance))
    next(training_stream(*stream))  # an empty plan must fail here, not inside tf.data

    def rows():
        for epoch, first, plan in training_stream(*stream):
            yield np.concatenate([np.full((len(plan), 1), epoch), first + np.arange(len(plan))[:, None], plan], axis=1)

    def load(row):
        example = _load_window(row[2:], *tables, config.window, corpus.manifest.image_size)
        example = augmentation.augment(
            example, (config.seed, row[0], row[1]), config.flip, config.colour_jitter, config.landmark_jitter
        )
        return {**example, "epoch": row[0], "window": row[1]}

    tables = _tables(corpus)
    dataset = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec([None, 6], tf.int64)).unbatch()
    if workers > 1:
        batches = dataset.batch(config.batch_size, drop_remainder=True)
        dataset = batches.map(lambda rows: rows[worker * own : (worker + 1) * own]).unbatch()
    return _batch(dataset, load, own)


def evaluation_batches(corpus: Corpus, config: EvaluationConfig) -> tf.data.Dataset:
    """Returns batches in which every record of the split stands exactly once, in order; keys as in `training_batches`.

    Tails are padded with zeros. `mask` is 1 where there is a label to score; `frame` is 0 in the padding.
    """

    def load(row):
        return _load_window(row, *tables, config.window, corpus.manifest.image_size)

    tables = _tables(corpus)
    plan = evaluation_plan(corpus, config.window, config.batch_size)
    return _batch(tf.data.Dataset.from_tensor_slices(plan), load, config.batch_size)


def _batch(rows: tf.data.Dataset, load, batch_size: int) -> tf.data.Dataset:
    dataset = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _tables(corpus: Corpus) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.constant(corpus.files), tf.constant(corpus.first_record), tf.constant(corpus.record_offsets)


def _load_window(row, files, first_record, offsets, window: int, size: int) -> dict[str, tf.Tensor]:
    video, length = row[VIDEO], row[LENGTH]
    serialised = _read_records(files[video], offsets[first_record[video] + row[FIRST]], length)
    parsed = tf.io.parse_example(serialised, _SPEC)
    faces = _decode(parsed.pop("face"), window, size)
    # What counts has a label; a window that fills up a batch counts nowhere.
    counts = tf.range(length) < row[VALID]
    parsed["frame"] = tf.where(counts, parsed["frame"], 0)
    labels = parsed.pop("label")
    labelled = tf.reduce_all(tf.math.is_finite(labels), axis=-1)
    parsed["mask"] = tf.cast(labelled & counts, tf.float32)
    parsed["labels"] = tf.where(labelled[:, None], labels, 0.0)
    example = {name: _pad(value, window) for name, value in parsed.items()}
    return {**example, "frames": faces, "video": video}


def _read_records(file: tf.Tensor, offset: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    # tf.data.TFRecordDataset does not hand through the offset at which its kernel can start.
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=file[None], compression_type="", buffer_size=1 << 19, byte_offsets=offset[None]
    )
    dataset = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string))
    return dataset.batch(number).take(1).get_single_element()


def _decode(jpegs: tf.Tensor, window: int, size: int) -> tf.Tensor:
    """Returns (window, size, size, 3) uint8: the faces, and zeros behind them."""

    def face(jpeg):
        return tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (size, size, 3))

    if window > LONGEST_UNROLLED:
        return _pad(tf.map_fn(face, jpegs, fn_output_signature=tf.uint8), window)
    # An operation a face, without a loop around them, decodes a sixth more of them in a second.
    number = tf.shape(jpegs)[0]
    filled = tf.concat([jpegs, tf.repeat(jpegs[-1:], window - number)], axis=0)
    faces = tf.stack([face(jpeg) for jpeg in tf.unstack(filled, num=window)])
    return tf.cond(
        number == window,
        lambda: faces,
        lambda: faces * tf.cast(tf.range(window) < number, tf.uint8)[:, None, None, None],
    )


def _pad(value: tf.Tensor, window: int) -> tf.Tensor:
    missing = [[0, window - tf.shape(value)[0]]] + [[0, 0]] * (value.shape.rank - 1)
    return tf.ensure_shape(tf.pad(value, missing), (window, *value.shape[1:]))
