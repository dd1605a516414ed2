"""The record: names, types, shapes and units of what one frame of a packed corpus holds, and the schema's version.

A packed corpus has one TFRecord file per video; each record is a `tf.train.Example` of one kept frame, in time order.
Writer, reader, verification and the description for TensorFlow Datasets derive from `FIELDS`. Imports nothing heavy.
"""

from dataclasses import dataclass

import numpy as np

# Of the manifest and its index. Version 1 had no index: it is read, and `verify --upgrade` makes one of today's of it.
SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
# Of the records: raise it whenever they change.
RECORD_VERSION = 1

# The order of the two numbers of every label and prediction, everywhere.
DIMENSIONS = ("valence", "arousal")
# Lowest and highest label of each dimension, unless the dataset's own range is another.
LABEL_RANGE = {"valence": (-1.0, 1.0), "arousal": (-1.0, 1.0)}
LANDMARKS = 68
SPLITS = ("train", "validation", "test")
COLOUR_ORDER = "RGB"
JPEG_QUALITY = 95

# Classes of the optional field `expression`: the seven of EmotiW and OMG-Emotion.
EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

# Index of each landmark's mirror image in the 68-point iBUG scheme: landmark i of a mirrored face is MIRRORED[i] of
# the original.
MIRRORED = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46),  # eyes, from the outer corner over the upper lid
    *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1),  # outer lip, upper
    *range(59, 54, -1),  # outer lip, lower
    *range(64, 59, -1),  # inner lip, upper
    *range(67, 64, -1),  # inner lip, lower
)


@dataclass(frozen=True)
class Field:
    """One value of a record: `dtype` is "bytes", "int64" or "float32"."""

    dtype: str
    shape: tuple[int, ...]
    doc: str


FIELDS = {
    "video": Field("bytes", (), "Name of the video, unique in its split, UTF-8."),
    "subject": Field("bytes", (), "Who is seen, UTF-8; the same name in no two splits."),
    "frame": Field("int64", (), "Frame number in the source video, 1-based."),
    "timestamp": Field("float32", (), "Presentation time in seconds."),
    "face": Field("bytes", (), "JPEG of the face crop, RGB, square, side as in the manifest."),
    "box": Field("float32", (4,), "Detected face in source pixels: left, top, right, bottom."),
    "landmarks": Field(
        "float32", (LANDMARKS, 2), "x, y in crop coordinates divided by the crop's side; 0 is its edge."
    ),
    "label": Field("float32", (2,), "Valence, arousal in the corpus's own range; NaN where missing."),
}


def fields(annotators: int = 0, expression: bool = False) -> dict[str, Field]:
    """Return the fields of a corpus's records: `FIELDS`, and the optional ones that its dataset has.

    Args:
      annotators: number of single annotators whose labels the records hold.
      expression: whether the records hold an expression class.
    """
    optional = {}
    if annotators:
        text = "Single annotators' valence, arousal, in the order of the manifest; NaN where missing."
        optional["annotators"] = Field("float32", (annotators, 2), text)
    if expression:
        optional["expression"] = Field("int64", (), "Index into EXPRESSIONS, -1 where missing.")
    return {**FIELDS, **optional}


def is_labelled(labels: np.ndarray) -> np.ndarray:
    """Return (n,) bool, whether each of (n, 2) labels is one: where a dimension is NaN, there is no label."""
    return ~np.isnan(labels).any(axis=-1)


def tfds_features(size: int, fields: dict[str, Field] = FIELDS):
    """Return the records' description as a `tfds.features.FeaturesDict`; `size` is the crop's side in pixels."""
    import tensorflow_datasets as tfds

    features = {"face": tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg")}
    for name, field in fields.items():
        if name not in features:
            text = field.dtype == "bytes"
            features[name] = (
                tfds.features.Text()
                if text
                else tfds.features.Tensor(shape=field.shape, dtype=np.dtype(field.dtype).type)
            )
    return tfds.features.FeaturesDict(features)
