"""Augmentation of a training window: one random state for all its frames and landmarks."""

import tensorflow as tf

from tfrecords_tools.records import schema


def augment(
    example: dict[str, tf.Tensor], state: tuple, flip: bool, colour_jitter: float, landmark_jitter: float = 0.0
) -> dict[str, tf.Tensor]:
    """Return a window with `frames` (T, S, S, 3) uint8 and `landmarks` (T, 68, 2) changed alike in every frame.

    Args:
      state: integers (seed, epoch, window) that determine the draw.
      flip: mirror it with probability one half.
      colour_jitter: largest relative change of brightness and of contrast; 0 is none.
      landmark_jitter: deviation of the normal noise on each landmark of each frame, as a share of the crop's side.
    """
    if not (flip or colour_jitter or landmark_jitter):
        return example
    seed, epoch, window = (tf.cast(part, tf.int64) for part in state)
    state = tf.stack([seed * 1_000_003 + epoch, window])
    draws = tf.random.stateless_uniform([3], seed=state)
    if flip:
        example = tf.cond(draws[0] < 0.5, lambda: mirror(example), lambda: example)
    if colour_jitter:
        brightness, contrast = tf.unstack(1 + colour_jitter * (2 * draws[1:] - 1))
        example = {**example, "frames": jitter(example["frames"], brightness, contrast)}
    if landmark_jitter:
        landmarks = example["landmarks"]
        noise = tf.random.stateless_normal(tf.shape(landmarks), seed=state, stddev=landmark_jitter)
        example = {**example, "landmarks": landmarks + noise}
    return example


def mirror(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Mirror faces left to right, and landmarks with them: x becomes 1 - x, and left points change with right ones."""
    landmarks = tf.gather(example["landmarks"], schema.MIRRORED, axis=-2)
    return {
        **example,
        "frames": tf.reverse(example["frames"], axis=[-2]),
        "landmarks": tf.stack([1 - landmarks[..., 0], landmarks[..., 1]], axis=-1),
    }


def jitter(frames: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor) -> tf.Tensor:
    """Scale the pixels' distance from the window's mean by `contrast`, and all by `brightness`; uint8 to uint8."""
    pixels = tf.cast(frames, tf.float32)
    mean = tf.reduce_mean(pixels)
    pixels = ((pixels - mean) * contrast + mean) * brightness
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)
