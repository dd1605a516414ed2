"""tf.data from planned windows to batches: sample, read, decode, augment, batch, prefetch.

Windows are shuffled as rows of numbers, before anything is read, so that the shuffle is complete and a run resumes at
any step without reading what came before. Each window is then read from its byte offset, and windows are read and
decoded in parallel, in order.
"""

import numpy as np
import tensorflow as tf

from affwildnet.data import augmentation
from affwildnet.data.corpus import EXPRESSION, VALENCE_AROUSAL, Corpus
from affwildnet.data.windows import (
    FIRST,
    LENGTH,
    START,
    VALID,
    VIDEO,
    Position,
    balance_told,
    evaluation_plan,
    segments,
    sequence_plan,
    training_stream,
)
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema
from tfrecords_tools.records.reader import parse_at

# Longer windows are decoded in a loop: the graph would grow with them.
LONGEST_UNROLLED = 256
_FIELDS = schema.fields(expression=True)
_READ = ("frame", "timestamp", "face", "landmarks")
_LABEL = {VALENCE_AROUSAL: "label", EXPRESSION: "expression"}


def training_batches(
    corpus: Corpus, config: TrainingConfig, start: Position = START, share: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """Return the endless batches of a training run from `start` on, determined by `config.seed`.

    `share` (i, n) is what one of n workers reads: the i-th n-th of the rows of each batch, in their order.

    Each is a dict: `frames` (B, T, S, S, 3) uint8 RGB, `landmarks` (B, T, 68, 2) float32, `labels` (B, T, D) float32
    with 0 where missing, `mask` (B, T) float32, 1 where there is a label; `frame` (B, T) int64 frame numbers,
    `timestamp` (B, T) float32 seconds, `video` (B,) int64 indices in the corpus; `epoch` and `window` (B,) int64, which
    make up the position. Labels are valence and arousal (D = 2) or, where these are the corpus's target, expressions:
    1 for the frame's class and 0 for the others, in the order of `schema.EXPRESSIONS` (D = 7). Printed are how many
    videos are too short for a window, and with `config.balance` what it does to the quadrants' shares.

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
    if told := _too_short(corpus, config):
        print(told)
    next(training_stream(*stream))  # an empty plan must fail here, not inside tf.data

    def rows():
        for epoch, first, plan in training_stream(*stream):
            yield np.concatenate([np.full((len(plan), 1), epoch), first + np.arange(len(plan))[:, None], plan], axis=1)

    def load(row):
        example = _load_window(row[2:], *tables, config.window, corpus.manifest.image_size, corpus.target)
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
    """Return batches in which every record of the split stands once, or oftener with `config.overlap`.

    Keys as in `training_batches`. Tails are padded with zeros. `mask` is 1 where there is a label to score; `frame` is
    0 in the padding. Windows are in the order of `windows.evaluation_plan`; with `config.carry_state`, in that of
    `windows.sequence_plan`: a row goes on with that of the batch before where `video` is the same.

    Raises:
      UserError: if the batch size, window and overlap cannot be, or there is an overlap together with `carry_state`.
    """
    if config.carry_state and config.overlap:
        raise UserError(
            "`evaluation.overlap` must be 0 with `evaluation.carry_state`: a frame that is passed twice would change "
            f"the state twice. Received: overlap={config.overlap}. Choose one of the two."
        )

    @tf.function(input_signature=[tf.TensorSpec([4], tf.int64)])  # traced once for both of its uses
    def window(row):
        return _load_window(row, *tables, config.window, corpus.manifest.image_size, corpus.target)

    def load(row):
        return tf.cond(row[LENGTH] > 0, lambda: window(row), lambda: {**nothing, "video": row[VIDEO]})

    if config.carry_state:
        plan = sequence_plan(corpus, config.window, config.batch_size)
    else:
        plan = evaluation_plan(corpus, config.window, config.batch_size, config.overlap)
    tables = _tables(corpus)
    outputs = window.get_concrete_function().structured_outputs
    nothing = {name: tf.zeros(spec.shape, spec.dtype) for name, spec in outputs.items()}
    rows = tf.data.Dataset.from_tensor_slices(plan)
    return _batch(rows, load, config.batch_size)


def _too_short(corpus: Corpus, config: TrainingConfig) -> str:
    """Return a line on the videos of which nothing is trained on, "" where there are none."""
    if config.window_rule == "padded":
        return ""
    gap = np.iinfo(np.int64).max if config.window_rule == "first_to_last" else config.max_gap
    stretches = segments(corpus, gap)
    long_enough = len(set(stretches[stretches[:, LENGTH] >= config.window, VIDEO].tolist()))
    short = len(corpus.videos) - long_enough
    if not short:
        return ""
    return (
        f"{short:,} of {len(corpus.videos):,} videos have no {config.window} consecutive frames: nothing of them is "
        "trained on. `training.window_rule` padded, or a lower `training.window`, takes them in."
    )


def _batch(rows: tf.data.Dataset, load, batch_size: int) -> tf.data.Dataset:
    dataset = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _tables(corpus: Corpus) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.constant(corpus.files), tf.constant(corpus.first_record), tf.constant(corpus.record_offsets)


def _load_window(row, files, first_record, offsets, window: int, size: int, target: str) -> dict[str, tf.Tensor]:
    video, length = row[VIDEO], row[LENGTH]
    label = _LABEL[target]
    fields = {name: _FIELDS[name] for name in (*_READ, label)}
    parsed = parse_at(files[video], offsets[first_record[video] + row[FIRST]], length, fields)
    faces = _decode(parsed.pop("face"), window, size)
    # What counts has a label; a window that fills up a batch counts nowhere.
    counts = tf.range(length) < row[VALID]
    parsed["frame"] = tf.where(counts, parsed["frame"], 0)
    parsed["labels"], labelled = _labels(parsed.pop(label), target)
    parsed["mask"] = tf.cast(labelled & counts, tf.float32)
    example = {name: _pad(value, window) for name, value in parsed.items()}
    return {**example, "frames": faces, "video": video}


def _labels(stored: tf.Tensor, target: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (n, D) float32 labels, 0 where missing, and (n,) bool, whether there is one."""
    if target == EXPRESSION:
        return tf.one_hot(stored, len(schema.EXPRESSIONS)), stored >= 0  # of -1 all are 0
    labelled = tf.reduce_all(tf.math.is_finite(stored), axis=-1)
    return tf.where(labelled[:, None], stored, 0.0), labelled


def _decode(jpegs: tf.Tensor, window: int, size: int) -> tf.Tensor:
    """Return (window, size, size, 3) uint8: the faces, and zeros behind them."""

    def face(jpeg):
        return tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (size, size, 3))

    if window > LONGEST_UNROLLED:
        return _pad(tf.map_fn(face, jpegs, fn_output_signature=tf.uint8), window)
    # An operation a face, without a loop around them, decodes a sixth more of them in a second.
    with tf.init_scope():  # once, not for each window
        black = tf.io.encode_jpeg(tf.zeros((size, size, 3), tf.uint8))  # decodes to zeros, in a fraction of the time
    filled = tf.concat([jpegs, tf.repeat(black, window - tf.shape(jpegs)[0])], axis=0)
    return tf.stack([face(jpeg) for jpeg in tf.unstack(filled, num=window)])


def _pad(value: tf.Tensor, window: int) -> tf.Tensor:
    missing = [[0, window - tf.shape(value)[0]]] + [[0, 0]] * (value.shape.rank - 1)
    return tf.ensure_shape(tf.pad(value, missing), (window, *value.shape[1:]))
