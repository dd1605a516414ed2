"""Records as the thesis's own program wrote them."""

import numpy as np
import tensorflow as tf


def crop(number):
    """A crop of one brightness in all pixels but the first rows, whose red, green and blue differ."""
    pixels = np.full((96, 96, 3), number, np.float32)
    pixels[:8] = 250, 120, 10
    return pixels


def record(number, video="52-30-p1", pixels=None, valence=None, arousal=None, name=None, without=()):
    features = {
        "frameNo": tf.train.Feature(bytes_list=tf.train.BytesList(value=[(name or f"{video}/{number:05d}").encode()])),
        "frame": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[(crop(number) if pixels is None else pixels).tobytes()])
        ),
        "valence": tf.train.Feature(int64_list=tf.train.Int64List(value=[number if valence is None else valence])),
        "arousal": tf.train.Feature(int64_list=tf.train.Int64List(value=[-number if arousal is None else arousal])),
    }
    kept = {key: feature for key, feature in features.items() if key not in without}
    return tf.train.Example(features=tf.train.Features(feature=kept)).SerializeToString()


def write(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in records:
            writer.write(each)
