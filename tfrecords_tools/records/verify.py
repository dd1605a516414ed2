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
    sound = True
    try:
        for number, data in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), start=1):
            sizes.append(len(data) + FRAMING_BYTES)
            record, problem = decode(data, packed.fields)
            if problem is None:
                problem = _record(record, entry, packed)
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
    if record["video"].decode("utf-8", "replace") != entry.video:
        return f"belongs to the video {record['video']!r}"
    if record["subject"].decode("utf-8", "replace") != entry.subject:
        return f"shows the subject {record['subject']!r}, the manifest says {entry.subject}"
    if face is None or face.shape != (side, side, 3):
        return f"the face must be a JPEG of {side}x{side}, it is {'no image' if face is None else face.shape}"
    if not np.isfinite(record["landmarks"]).all():
        return "a landmark is not finite"
    if np.isinf(record["label"]).any() or np.isinf(record.get("annotators", 0.0)).any():
        return "a label is infinite"
    if not -1 <= record.get("expression", -1) < len(schema.EXPRESSIONS):
        return f"the expression must be from -1 to {len(schema.EXPRESSIONS) - 1}, it is {record['expression']}"
    return None
