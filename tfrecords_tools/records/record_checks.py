"""What must hold of the records of a video: each is read, and what is wrong is said of each.

`are_sound` answers for a whole file at once, several times as fast, and errs on one side only: where it is not
sure, `problems_of_records` says what there is to say. Both check the same: a rule that is added here is added twice.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfrecords_tools.files import regular
from tfrecords_tools.records import schema
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.reader import decode, decode_face, parse, serialised_at
from tfrecords_tools.records.writer import FRAMING_BYTES

LONGEST = 1e7  # seconds, a third of a year
REACH = 1e6  # pixels
LANDMARKS_REACH = 100.0  # sides of the crop
BEYOND = 1e-4  # by which a float32 mean may be beyond the range of labels
_AT_ONCE = 512  # records, some 3 MB
_START_OF_SCAN = 0xDA  # the second byte of a JPEG's marker


def problems_of_records(path: Path, entry: VideoEntry, packed: Manifest) -> Iterator[str]:
    """Yield what is wrong with the records of a file, one after the other, and then with all of them."""
    sizes, frames, labels, expressions, number = [], [], [], [], 0
    sound, before = True, -np.inf
    try:
        for number, data in enumerate(tf.data.TFRecordDataset(str(regular(path))).as_numpy_iterator(), start=1):
            sizes.append(len(data) + FRAMING_BYTES)
            record, problem = decode(data, packed.fields)
            if problem is None:
                problem = _problem(record, entry, packed)
                if problem is None and record["timestamp"] < before:
                    problem = f"the timestamp falls from {before:g} to {record['timestamp']:g} seconds"
                before = record["timestamp"]
                frames.append(int(record["frame"]))
                labels.append(record["label"])
                expressions.append(record.get("expression", -1))
            if problem is not None:
                sound = False
                yield f"record {number}: {problem}"
    except tf.errors.DataLossError:
        yield f"record {number + 1}: corrupt or cut off; nothing after it can be read"
    if number != entry.frames:
        yield f"{number} records, the manifest says {entry.frames}"
    elif not np.array_equal(sizes, entry.record_bytes):
        yield "the sizes of the records are not those of the manifest"
    elif not np.array_equal(frames, entry.frame_numbers):
        yield "the frame numbers are not those of the manifest"
    elif not np.array_equal(schema.is_labelled(np.array(labels)), entry.index["labelled"]):
        yield "the labelled frames are not those of the manifest"
    elif sound and packed.has_labels and not np.array_equal(labels, entry.index["label"], equal_nan=True):
        yield "the labels are not those of the index"
    elif sound and packed.has_labels and not np.array_equal(expressions, entry.index["expression"]):
        yield "the expressions are not those of the index"


def _problem(record: dict, entry: VideoEntry, packed: Manifest) -> str | None:
    face = decode_face(record)
    side = packed.image_size
    video, subject = (record[name].decode("utf-8", "replace") for name in ("video", "subject"))
    if video != entry.video:
        return f"belongs to the video {video}, the manifest says {entry.video}"
    if subject != entry.subject:
        return f"shows the subject {subject}, the manifest says {entry.subject}"
    if face is None or face.shape != (side, side, 3):
        return f"the face must be a JPEG of {side}x{side}, it is {'no image' if face is None else face.shape}"
    if not abs(record["timestamp"]) <= LONGEST:
        return f"the timestamp must be finite, in seconds, it is {record['timestamp']:g}"
    left, top, right, bottom = record["box"]
    if not (np.abs(record["box"]).max() <= REACH and left < right and top < bottom):
        return f"the box must be finite, and have left before right and top before bottom, it is {record['box']}"
    if not np.isfinite(record["landmarks"]).all():
        return "a landmark is not finite"
    if np.abs(record["landmarks"]).max() > LANDMARKS_REACH:
        return f"a landmark is more than {LANDMARKS_REACH:g} sides of the crop away"
    if not np.ptp(record["landmarks"], axis=0).max() > 0:
        return "all landmarks are in one place"
    ranges = np.array([packed.label_range[name] for name in schema.DIMENSIONS])
    for name in ("label", "annotators"):
        values = record.get(name, np.full(len(ranges), np.nan))
        if np.isinf(values).any():
            return "a label is infinite"
        if ((values < ranges[:, 0] - BEYOND) | (values > ranges[:, 1] + BEYOND)).any():
            limits = " and ".join(
                f"{dimension} {low:g} to {high:g}" for dimension, (low, high) in packed.label_range.items()
            )
            return f"a label is beyond its range, {limits}"
    if not -1 <= record.get("expression", -1) < len(schema.EXPRESSIONS):
        return f"the expression must be from -1 to {len(schema.EXPRESSIONS) - 1}, it is {record['expression']}"
    return None


def are_sound(path: Path, entry: VideoEntry, packed: Manifest) -> bool:
    """Return whether `problems_of_records` has nothing to say of a file; False may be wrong, True is not."""
    if path.stat().st_size != entry.file_bytes:
        return False
    file, offsets, parts = tf.constant(str(path)), entry.offsets, []
    try:
        for first in range(0, entry.frames, _AT_ONCE):
            serialised = serialised_at(file, tf.constant(offsets[first], tf.int64), min(_AT_ONCE, entry.frames - first))
            columns = {name: value.numpy() for name, value in parse(serialised, packed.fields).items()}
            if not are_faces(columns.pop("face"), packed.image_size):
                return False
            parts.append({**columns, "size": tf.strings.length(serialised).numpy() + FRAMING_BYTES})
    except tf.errors.OpError:
        return False
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _all_fields(columns, entry, packed) and _as_in_index(columns, entry, packed)


def are_faces(jpegs: Iterable[bytes], side: int) -> bool:
    """Return whether each decodes to an image of `side` x `side`; False may be wrong, True is not.

    More than half of decoding a JPEG is making its colours from what was read, which cannot fail but by a header that
    asks for what the decoder does not have. So once one was decoded in full, others with the same header are decoded in
    grey: all of their data is read as well, and each fails that fails in colour.
    """
    header = None
    for jpeg in jpegs:
        known = header is not None and jpeg.startswith(header)
        colours = cv2.IMREAD_GRAYSCALE if known else cv2.IMREAD_COLOR
        face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), colours) if jpeg else None
        if face is None or face.shape[:2] != (side, side):
            return False
        if not known:
            header = _header(jpeg)
    return True


def _header(jpeg: bytes) -> bytes | None:
    """Return all of a JPEG before the data of its first scan: tables, size, sampling; None if it has no such parts."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and len(jpeg) >= at + 4:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] == _START_OF_SCAN:
            return jpeg[:end]
        at = end
    return None


def _all_fields(columns: dict[str, np.ndarray], entry: VideoEntry, packed: Manifest) -> bool:
    """Return whether all records hold what `_problem` asks of each; a comparison with NaN is False."""
    box, landmarks, times = columns["box"], columns["landmarks"], columns["timestamp"]
    if not (columns["video"] == entry.video.encode()).all() or not (columns["subject"] == entry.subject.encode()).all():
        return False
    if not (np.abs(times) <= LONGEST).all() or (np.diff(times) < 0).any():
        return False
    if not ((np.abs(box) <= REACH).all() and (box[:, 0] < box[:, 2]).all() and (box[:, 1] < box[:, 3]).all()):
        return False
    if not (np.abs(landmarks) <= LANDMARKS_REACH).all() or not (np.ptp(landmarks, axis=1).max(axis=1) > 0).all():
        return False
    low, high = np.array([packed.label_range[name] for name in schema.DIMENSIONS]).T
    for values in (columns[name] for name in ("label", "annotators") if name in columns):
        if ((values < low - BEYOND) | (values > high + BEYOND)).any():
            return False
    classes = columns.get("expression", np.array(-1))
    return bool(((classes >= -1) & (classes < len(schema.EXPRESSIONS))).all())


def _as_in_index(columns: dict[str, np.ndarray], entry: VideoEntry, packed: Manifest) -> bool:
    """Return whether sizes, frame numbers and labels are those of the rows of the records."""
    rows, labels = entry.index, columns["label"]
    same = (
        np.array_equal(columns["size"], entry.record_bytes)
        and np.array_equal(columns["frame"], rows["frame"])
        and np.array_equal(schema.is_labelled(labels), rows["labelled"])
    )
    if not same or not packed.has_labels:
        return same
    return np.array_equal(labels, rows["label"], equal_nan=True) and bool(
        np.all(columns.get("expression", -1) == rows["expression"])
    )
