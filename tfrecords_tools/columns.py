"""Single fields of a packed corpus as arrays, without decoding the faces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrecords_tools import schema
from tfrecords_tools.errors import UserError
from tfrecords_tools.manifest import Manifest, VideoEntry

_TYPES = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
_AT_ONCE = 4096


def feature(field: schema.Field) -> tf.io.FixedLenFeature:
    """Returns how TensorFlow parses a field of a record."""
    return tf.io.FixedLenFeature(field.shape, _TYPES[field.dtype])


def read_columns(
    folder: Path, entry: VideoEntry, names: Sequence[str], fields: dict[str, schema.Field] = schema.FIELDS
) -> dict[str, np.ndarray]:
    """Returns the fields `names` of all records of a video, each (entry.frames, *shape), in the records' order.

    Args:
      folder: of the packed corpus.
      entry: of the video.
      names: of `fields`.
      fields: those of the corpus's records, `Manifest.fields`.

    Raises:
      UserError: naming the file, if it is missing, corrupt, without one of the fields, or of another length than the
        manifest says.
    """
    path = folder / entry.file
    spec = {name: feature(fields[name]) for name in names}
    records = tf.data.TFRecordDataset(str(path), buffer_size=1 << 22).batch(_AT_ONCE)
    try:
        parts = [tf.io.parse_example(serialised, spec) for serialised in records]
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        reason = str(error).splitlines()[0].split("}} ")[-1]
        raise UserError(f"{path}: cannot be read ({reason}). Pack the corpus again, or copy it whole.") from None
    columns = {name: np.concatenate([part[name].numpy() for part in parts] or [_empty(spec[name])]) for name in names}
    for name, values in columns.items():
        if len(values) != entry.frames:
            raise UserError(
                f"{path}: must hold {entry.frames} records, as the manifest says. Received: {len(values)} of {name}. "
                "Pack the corpus again."
            )
    return columns


def read_labels(folder: Path, packed: Manifest, entries: Sequence[VideoEntry]) -> list[np.ndarray]:
    """Returns, for each of the videos `entries`, (n, 2) float64 valence and arousal, NaN in both where one is missing.

    Raises:
      UserError: as `read_columns`, or if a label is infinite.
    """
    found = []
    for entry in entries:
        labels = read_columns(folder, entry, ["label"], packed.fields)["label"].astype(np.float64)
        if np.isinf(labels).any():
            raise UserError(f"{folder / entry.file}: a label is infinite. Pack the corpus again.")
        labels[np.isnan(labels).any(axis=1)] = np.nan
        found.append(labels)
    return found


def _empty(feature: tf.io.FixedLenFeature) -> np.ndarray:
    return np.empty((0, *feature.shape), feature.dtype.as_numpy_dtype)
