"""Re-read every record of a packed corpus against its manifest, and name what is wrong."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfrecords_tools.files.exchange import interrupted, recover
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.manifest import Manifest, VideoEntry
from tfrecords_tools.records.reader import decode, decode_face
from tfrecords_tools.records.writer import FRAMING_BYTES

LONGEST = 1e7  # seconds, a third of a year
REACH = 1e6  # pixels
LANDMARKS_REACH = 100.0  # sides of the crop
BEYOND = 1e-4  # by which a float32 mean may be beyond the range of labels


def verify(folder: str | Path, progress: bool = False) -> list[str]:
    """Return a line for each thing that is wrong: none where every record is as the manifest says.

    Where packing was killed while it put its files in their places, that is completed first.

    Example:
        >>> verify("data/sample_packed")
        []

    Args:
      folder: of the packed corpus.
      progress: whether to show a progress bar.

    Raises:
      UserError: if there is no readable manifest.
    """
    folder = Path(folder)
    if interrupted(folder):
        recover(folder)
    packed = manifest.load(folder)
    problems = []
    for entry in tqdm(packed.videos, unit="video", desc="verifying", file=sys.stderr, disable=not progress):
        problems += [
            f"{entry.file} ({entry.split}, {entry.video}): {problem}" for problem in _file(folder, entry, packed)
        ]
    listed = {entry.file for entry in packed.videos}
    for path in sorted(folder.glob("*.tfrecord-*")):
        if path.name not in listed:
            problems.append(f"{path.name}: not in {manifest.FILE_NAME}")
    subjects: dict[str, set[str]] = {}
    for entry in packed.videos:
        subjects.setdefault(entry.subject, set()).add(entry.split)
    for subject, splits in subjects.items():
        if len(splits) > 1:
            problems.append(f"subject {subject}: is in more than one split: {', '.join(sorted(splits))}")
    return problems


def _file(folder: Path, entry: VideoEntry, packed: Manifest) -> Iterator[str]:
    path = folder / entry.file
    if not path.is_file():
        yield "the file is missing"
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
            yield "its sha256 is not the one in the manifest"
    sizes, frames, labels, expressions, number = [], [], [], [], 0
    sound, before = True, -np.inf
    try:
        for number, data in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), start=1):
            sizes.append(len(data) + FRAMING_BYTES)
            record, problem = decode(data, packed.fields)
            if problem is None:
                problem = _record(record, entry, packed)
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


def _record(record: dict, entry: VideoEntry, packed: Manifest) -> str | None:
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
