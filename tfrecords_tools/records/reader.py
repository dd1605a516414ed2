"""Read a packed corpus: whole records by number, and single fields as arrays without decoding the faces."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema
from tfrecords_tools.records.manifest import Manifest, VideoEntry
from tfrecords_tools.records.writer import FRAMING_BYTES, HEADER_BYTES

_TYPES = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
_AT_ONCE = 4096


def feature(field: schema.Field) -> tf.io.FixedLenFeature:
    """Return how TensorFlow parses a field of a record."""
    return tf.io.FixedLenFeature(field.shape, _TYPES[field.dtype])


def read_columns(
    folder: Path, entry: VideoEntry, names: Sequence[str], fields: dict[str, schema.Field] = schema.FIELDS
) -> dict[str, np.ndarray]:
    """Return the fields `names` of all records of a video, each (entry.frames, *shape), in the records' order.

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
    """Return, for each of the videos `entries`, (n, 2) float64 valence and arousal, NaN in both where one is missing.

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


def read_records(
    folder: Path,
    entry: VideoEntry,
    indices: list[int] | None = None,
    fields: dict[str, schema.Field] = schema.FIELDS,
) -> list[dict]:
    """Return the records of a video (or those at `indices`), each a dict shaped as `fields` say.

    `Manifest.fields` are all that the corpus has; fields that are not asked for are not decoded.

    Raises:
      UserError: naming file and record, if one is corrupt.
    """
    # Read by offset: a sheet of 48 faces must not cost a pass over the corpus.
    wanted = range(entry.frames) if indices is None else indices
    offsets = entry.offsets
    records = []
    try:
        with (folder / entry.file).open("rb") as file:
            for index in wanted:
                file.seek(offsets[index] + HEADER_BYTES)
                record, problem = decode(file.read(entry.record_bytes[index] - FRAMING_BYTES), fields)
                if problem:
                    raise UserError(f"{folder / entry.file}, record {index + 1}: {problem}. Pack the corpus again.")
                records.append(record)
    except OSError as error:
        raise UserError(f"{folder / entry.file}: cannot be read ({error}). Pack the corpus again.") from None
    return records


def decode(data: bytes, fields: dict[str, schema.Field] = schema.FIELDS) -> tuple[dict, str | None]:
    """Return the fields of a serialised record, shaped as they say, and what is wrong with it, or None."""
    example = tf.train.Example()
    try:
        example.ParseFromString(data)
    except Exception:  # the decoder's own error classes differ between its implementations
        return {}, "not a tf.train.Example"
    record = {}
    for name, field in fields.items():
        kind = {"bytes": "bytes_list", "int64": "int64_list", "float32": "float_list"}[field.dtype]
        values = getattr(example.features.feature[name], kind).value
        if len(values) != int(np.prod(field.shape)):
            return (
                {},
                f"field {name} must have {int(np.prod(field.shape))} values of {field.dtype}, it has {len(values)}",
            )
        if field.dtype == "bytes":
            record[name] = values[0]
        else:
            record[name] = np.array(values, field.dtype).reshape(field.shape)
    return record, None


def decode_face(record: dict) -> np.ndarray | None:
    """Return the face of a record, (size, size, 3) uint8 RGB, or None if it is no image."""
    data = np.frombuffer(record["face"], np.uint8)
    face = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if face is None else cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
