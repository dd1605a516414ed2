"""Augmentation of a training window: the same flip and colours in all its frames, noise on every landmark."""

import tensorflow as tf

from tfrecords_tools.records import schema


def augment(
    example: dict[str, tf.Tensor], state: tuple, flip: bool, colour_jitter: float, landmark_jitter: float = 0.0
) -> dict[str, tf.Tensor]:
    """Return a window with `frames` (T, S, S, 3) uint8 and `landmarks` (T, 68, 2) changed at random.

    All frames of a window are mirrored and coloured alike. The noise is drawn for each coordinate of each landmark of
    each frame.

    Args:
      example: the window; other keys are left as they are.
      state: integers (seed, epoch, window) that determine the draw.
      flip: mirror the window with probability one half.
      colour_jitter: largest relative change of brightness and of contrast; 0 is none.
      landmark_jitter: standard deviation of the normal noise, as a share of the crop's side; 0 is none.
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
    """Mirror frames left to right, and landmarks with them: x becomes 1 - x, and left points swap with right ones."""
    landmarks = tf.gather(example["landmarks"], schema.MIRRORED, axis=-2)
    return {
        **example,
        "frames": tf.reverse(example["frames"], axis=[-2]),
        "landmarks": tf.stack([1 - landmarks[..., 0], landmarks[..., 1]], axis=-1),
    }


def jitter(frames: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor) -> tf.Tensor:
    """Scale the pixels' distance from the mean of the whole window by `contrast`, then all by `brightness`; uint8."""
    pixels = tf.cast(frames, tf.float32)
    mean = tf.reduce_mean(pixels)
    pixels = ((pixels - mean) * contrast + mean) * brightness
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)
