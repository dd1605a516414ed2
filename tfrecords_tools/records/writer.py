"""Write the records of one video to one TFRecord file."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import sha256_of
from tfrecords_tools.records import schema

# A TFRecord file frames each record: before it its length (8 bytes) and that length's checksum (4), after it its
# checksum (4).
HEADER_BYTES = 12
FRAMING_BYTES = HEADER_BYTES + 4


def encode(record: dict, fields: dict[str, schema.Field] = schema.FIELDS) -> bytes:
    """Return the serialised `tf.train.Example` of a record with exactly these fields, see `schema.fields`."""
    if record.keys() != fields.keys():
        raise ValueError(f"A record must have the fields {list(fields)}. Received: {list(record)}")
    return tf.train.Example(
        features=tf.train.Features(feature={name: _feature(name, fields[name], record[name]) for name in fields})
    ).SerializeToString(deterministic=True)


def _feature(name: str, field: schema.Field, value) -> tf.train.Feature:
    if field.dtype == "bytes":
        data = value.encode() if isinstance(value, str) else value
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    numbers = np.asarray(value, field.dtype)
    if numbers.shape != field.shape:
        raise ValueError(f"Field {name} must have shape {field.shape}. Received: {numbers.shape}")
    if field.dtype == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=numbers.ravel()))
    return tf.train.Feature(float_list=tf.train.FloatList(value=numbers.ravel().tolist()))


class VideoRecords:
    """The TFRecord file of one video, in time order. A context manager: on an error within, no file is left.

    Attributes:
      record_bytes: size of each record written so far, framing included.
      sha256: of the file, once it is closed.
    """

    def __init__(self, path: Path, fields: dict[str, schema.Field] = schema.FIELDS):
        self._path = path
        self._fields = fields
        self._partial = path.with_name(f".partial-{path.name}")
        self.record_bytes: list[int] = []
        self.sha256 = ""

    def __enter__(self) -> "VideoRecords":
        self._writer = tf.io.TFRecordWriter(str(self._partial))
        return self

    def write(self, record: dict) -> None:
        """Append a record."""
        data = encode(record, self._fields)
        self._writer.write(data)
        self.record_bytes.append(len(data) + FRAMING_BYTES)

    def __exit__(self, error_type, error, traceback) -> None:
        self._writer.close()
        if error_type is not None:
            self._partial.unlink(missing_ok=True)
            return
        size = self._partial.stat().st_size
        if size != sum(self.record_bytes):
            self._partial.unlink()
            raise UserError(f"{self._path}: {size} of {sum(self.record_bytes)} bytes were written. Is the disk full?")
        self.sha256 = sha256_of(self._partial)
        os.replace(self._partial, self._path)
