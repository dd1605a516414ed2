"""Read a packed corpus: whole records by number, single fields as arrays, and windows as tensors of a `tf.data` graph.

Nothing else parses a record. `open_corpus` is the way in for a notebook; the functions below it are what it stands on.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io.tf_record import tf_record_random_reader

from tfrecords_tools.errors import UserError, check_choice, message_of
from tfrecords_tools.files import folder_at, statuses
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry

_TYPES = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
_LISTS = {"bytes": "bytes_list", "int64": "int64_list", "float32": "float_list"}
_RECORDS_AT_ONCE = 4096


@dataclass(frozen=True)
class PackedCorpus:
    """A packed corpus, opened by `open_corpus`.

    Attributes:
      folder: of the corpus.
      manifest: what it holds.
    """

    folder: Path
    manifest: Manifest

    def videos(self, split: str | None = None) -> list[VideoEntry]:
        """Return the videos of a split, or of all splits, sorted by split and name.

        Raises:
          UserError: if the split holds no video.
        """
        if split is None:
            return list(self.manifest.videos)
        check_choice("split", split, schema.SPLITS)
        return self.manifest.split(split)

    def records(self, video: VideoEntry, indices: Sequence[int] | None = None) -> Iterator[dict]:
        """Yield the records of a video, or those at `indices` (from 0), one at a time.

        Each is a dict with the fields of `schema.FIELDS` and the optional ones of this corpus: `face` is a
        (size, size, 3) uint8 RGB array, `video` and `subject` are strings, all others are NumPy arrays.

        Raises:
          UserError: naming file and record, if one is corrupt.
        """
        for index in range(video.frames) if indices is None else indices:
            (record,) = read_records(self.folder, video, [index], self.manifest.fields)
            face = decode_face(record)
            if face is None:
                raise UserError(
                    f"{self.folder / video.file}, record {index + 1}: the face is no image. Pack the corpus again."
                )
            yield {**record, "video": video.video, "subject": video.subject, "face": face}

    def columns(self, video: VideoEntry, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the fields `names` of all records of a video, see `read_columns`."""
        return read_columns(self.folder, video, names, self.manifest.fields)


def open_corpus(folder: str | Path) -> PackedCorpus:
    """Open a packed corpus.

    Example:
        >>> corpus = open_corpus("data/sample_packed")
        >>> for video in corpus.videos("train"):
        ...     for record in corpus.records(video):
        ...         record["face"].shape, record["label"]  # (96, 96, 3), (valence, arousal)

    Raises:
      UserError: if there is no packed corpus in the folder.
    """
    folder = folder_at(folder)
    return PackedCorpus(folder, manifest.load(folder))


def read_records(
    folder: str | Path,
    entry: VideoEntry,
    indices: Sequence[int] | None = None,
    fields: dict[str, schema.Field] = schema.FIELDS,
) -> list[dict]:
    """Return the records of a video, or those at `indices` (from 0), each a dict shaped as `fields` say.

    Only the fields that are asked for are decoded; `Manifest.fields` has all of a corpus.

    Raises:
      UserError: naming file and record, if one is corrupt.
    """
    # Read by offset: a contact sheet of 48 faces must not cost a pass over the corpus.
    indices = range(entry.frames) if indices is None else indices
    path, offsets = folder_at(folder) / entry.file, [*entry.offsets.tolist(), entry.file_bytes]
    check_size(path, entry)
    records, index = [], 0
    try:
        reader = tf_record_random_reader(str(path))  # compares the checksums of length and data
        for index in indices:
            data, end = reader.read(offsets[index])
            if end != offsets[index + 1]:
                raise UserError(f"{path}, record {index + 1}: not as long as the manifest says. Pack the corpus again.")
            record, problem = decode(data, fields)
            if problem:
                raise UserError(f"{path}, record {index + 1}: {problem}. Pack the corpus again.")
            records.append(record)
    except (tf.errors.OpError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}, record {index + 1}: cannot be read ({reason}). Pack the corpus again, or copy it whole."
        ) from None
    return records


def check_size(path: Path, entry: VideoEntry) -> None:
    """Raise a `UserError` unless a video's file is there and as large as the sum of its records."""
    check_sizes(path.parent, [entry])


def check_sizes(folder: Path, entries: Sequence[VideoEntry]) -> None:
    """Raise a `UserError` unless the files of videos are there and as large as the sums of their records."""
    paths = [folder / entry.file for entry in entries]
    for path, entry, status in zip(paths, entries, statuses(paths), strict=True):
        if isinstance(status, OSError):
            raise UserError(f"{path}: cannot be read ({status.strerror}). Pack the corpus again, or copy it whole.")
        if status.st_size != entry.file_bytes:
            raise UserError(
                f"{path}: must have {entry.file_bytes} bytes, as the manifest says. Received: {status.st_size}. "
                "Pack the corpus again, or copy it whole."
            )


def read_columns(
    folder: str | Path, entry: VideoEntry, names: Sequence[str], fields: dict[str, schema.Field] = schema.FIELDS
) -> dict[str, np.ndarray]:
    """Return the fields `names` of all records of a video, each (entry.frames, *shape), in the records' order.

    Args:
      folder: of the packed corpus.
      entry: of the video.
      names: keys of `fields`.
      fields: those of the corpus's records, `Manifest.fields`.

    Raises:
      UserError: naming the file, if it is missing, corrupt, without one of the fields, or of another length than the
        manifest says.
    """
    path = folder_at(folder) / entry.file
    check_size(path, entry)
    fields = {name: fields[name] for name in names}
    file, number = tf.constant(str(path)), tf.constant(_RECORDS_AT_ONCE, tf.int64)
    try:
        parts = [parse_at(file, offset, number, fields) for offset in tf.constant(entry.offsets)[::_RECORDS_AT_ONCE]]
    except tf.errors.OpError as error:
        raise UserError(
            f"{path}: cannot be read ({message_of(error)}). Pack the corpus again, or copy it whole."
        ) from None
    columns = {
        name: np.concatenate([part[name].numpy() for part in parts] or [_empty(field)])
        for name, field in fields.items()
    }
    for name, values in columns.items():
        if len(values) != entry.frames:
            raise UserError(
                f"{path}: must hold {entry.frames} records, as the manifest says. Received: {len(values)} of {name}. "
                "Pack the corpus again."
            )
    return columns


def _empty(field: schema.Field) -> np.ndarray:
    return np.empty((0, *field.shape), _TYPES[field.dtype].as_numpy_dtype)


def read_labels(folder: str | Path, packed: Manifest, entries: Sequence[VideoEntry]) -> list[np.ndarray]:
    """Return, for each of the videos `entries`, (n, 2) float64 valence and arousal, NaN in both where one is missing.

    They stand in the index; of a corpus of an earlier version, all records are read.

    Raises:
      UserError: as `read_columns`, or if a label is infinite.
    """
    folder, found = folder_at(folder), []
    if packed.has_labels:
        check_sizes(folder, entries)
    for entry in entries:
        if packed.has_labels:
            labels = entry.index["label"].astype(np.float64)
        else:
            labels = read_columns(folder, entry, ["label"], packed.fields)["label"].astype(np.float64)
        if np.isinf(labels).any():
            raise UserError(f"{folder / entry.file}: a label is infinite. Pack the corpus again.")
        labels[~schema.is_labelled(labels)] = np.nan
        found.append(labels)
    return found


def parse(serialised: tf.Tensor, fields: dict[str, schema.Field]) -> dict[str, tf.Tensor]:
    """Return fields of (n,) serialised records as tensors, each (n, *shape); `face` stays a JPEG."""
    spec = {name: tf.io.FixedLenFeature(field.shape, _TYPES[field.dtype]) for name, field in fields.items()}
    return tf.io.parse_example(serialised, spec)


def parse_at(
    file: tf.Tensor, offset: tf.Tensor, number: tf.Tensor, fields: dict[str, schema.Field]
) -> dict[str, tf.Tensor]:
    """Return fields of consecutive records of one file, as `parse` does; the arguments are those of `serialised_at`."""
    return parse(serialised_at(file, offset, number), fields)


def serialised_at(file: tf.Tensor, offset: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Return consecutive records of one file, (n,) strings, n being smaller than `number` where the file ends before.

    It is one operation, in a `tf.data` graph or outside of one. Iterating over a dataset outside would start threads
    for each file, and wait for them for up to a tenth of a second where the cores are busy.

    Args:
      file: () string, path of the file.
      offset: () int64, byte at which the first of the records starts, of `VideoEntry.offsets`.
      number: () int64, of records.
    """
    # tf.data.TFRecordDataset does not hand through the offset at which its kernel can start.
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=file[None], compression_type="", buffer_size=1 << 19, byte_offsets=offset[None]
    )
    dataset = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string))
    return dataset.batch(number).take(1).get_single_element()


def decode(data: bytes, fields: dict[str, schema.Field] = schema.FIELDS) -> tuple[dict, str | None]:
    """Return the fields of one serialised record, shaped as they say, and what is wrong with it, or None."""
    example = tf.train.Example()
    try:
        example.ParseFromString(data)
    except Exception:  # the decoder's own error classes differ between its implementations
        return {}, "not a tf.train.Example"
    record = {}
    for name, field in fields.items():
        values = getattr(example.features.feature[name], _LISTS[field.dtype]).value
        size = math.prod(field.shape)
        if len(values) != size:
            return {}, f"field {name} must have {size} values of {field.dtype}, it has {len(values)}"
        record[name] = values[0] if field.dtype == "bytes" else np.array(values, field.dtype).reshape(field.shape)
    return record, None


def decode_face(record: dict) -> np.ndarray | None:
    """Return the face of a record, (size, size, 3) uint8 RGB, or None if it is no image."""
    data = np.frombuffer(record["face"], np.uint8)
    face = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if face is None else cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
