"""The thesis's own TFRecords (section 5.1.1): one file a video, `[<split>/]<name>.tfrecords`, a record a frame.

    frameNo            bytes    `<video>/<frame>`, the frame's number from 1
    frame              bytes    raw float32, 96 x 96 x 3, RGB from 0 to 255: the face crop
    valence, arousal   int64    from -1000 to 1000

Splits are folders: `train`, `validation` or `validate`, `test`; what is in none of them is `train`. Values are divided
by 1000. The crops are taken whole, as face crops of the layout thesis are: 30 frames a second, frame k at (k - 1) / 30.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import Labels, NumberedLabels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.layouts.thesis import FPS, MOST_FRAMES, RANGE
from tfrecords_tools.layouts.video_notes import without_part
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.video.reading import Frame

SUFFIXES = (".tfrecord", ".tfrecords")
SIDE = 96
BYTES = SIDE * SIDE * 3 * 4
FOLDERS = {"train": "train", "validate": "validation", "validation": "validation", "test": "test"}


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos of all splits, sorted by name, and what is left out.

    Raises:
      UserError: if there is no such file.
    """
    files, twice = tree.by_name(tree.files(source, SUFFIXES))
    if not files and not twice:
        raise UserError(f"{source}: no records. The layout thesis_records needs [<split>/]<video>.tfrecords.")
    videos = [
        VideoSource(
            name,
            _split_of(path, source),
            without_part(name),
            path,
            partial(read_labels, path),
            cropped=True,
            fps=FPS,
            frames=partial(read_crops, path),
        )
        for name, path in sorted(files.items())
    ]
    return videos, [LeftOut(name, "train", reason) for name, reason in sorted(twice.items())]


def read_labels(path: Path) -> Labels:
    """Read the labels of one video.

    Raises:
      UserError: naming file and record.
    """
    numbers, values = [], []
    for place, number, features in _records(path):
        values.append([_value(place, features, name) for name in DIMENSIONS])
        numbers.append(number)
    labels = np.full((max(numbers), 2), np.nan, np.float32)
    labels[np.array(numbers) - 1] = np.array(values) / RANGE
    return NumberedLabels(labels)


def read_crops(path: Path) -> Iterator[Frame]:
    """Yield the crops of one video.

    Raises:
      UserError: naming file and record.
    """
    for place, number, features in _records(path):
        data = _one(place, features, "frame", "bytes_list")
        if len(data) != BYTES:
            raise UserError(
                f"{place}, `frame`: must be {SIDE}x{SIDE}x3 numbers of 4 bytes, {BYTES} bytes. Received: {len(data)}."
            )
        pixels = np.frombuffer(data, "<f4").reshape(SIDE, SIDE, 3)
        if not (pixels.min() >= 0 and pixels.max() <= 255):  # NaN is neither
            raise UserError(f"{place}, `frame`: must have pixels from 0 to 255. Received: others.")
        yield Frame(number, (number - 1) / FPS, np.rint(pixels).astype(np.uint8), number)


def _records(path: Path) -> Iterator[tuple[str, int, object]]:
    """Yield file and record for errors, the frame's number, and the features of each record."""
    import_tensorflow()
    import tensorflow as tf

    number, video, before = 0, "", 0
    try:
        for number, serialised in enumerate(tf.data.TFRecordDataset(str(regular(path))), start=1):
            place = f"{path}, record {number}"
            features = tf.train.Example.FromString(serialised.numpy()).features.feature
            text = _one(place, features, "frameNo", "bytes_list").decode("utf-8", "replace")
            named = re.fullmatch(r"(?:(.*)/)?([0-9]{1,9})(?:\.jpg)?", text, re.ASCII | re.DOTALL)
            if named is None or not 1 <= int(named[2]) <= MOST_FRAMES:
                raise UserError(f"{place}, `frameNo`: must be <video>/<number from 1>. Received: {text[:60]!r}")
            if number > 1 and named[1] != video:
                raise UserError(f"{place}: a file must hold one video, here {video}. Received: {named[1]}.")
            if int(named[2]) <= before:
                raise UserError(f"{place}: frame numbers must rise. Received: {int(named[2])} after {before}.")
            video, before = named[1], int(named[2])
            yield place, before, features
    except (tf.errors.OpError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}, record {number + 1}: cannot be read ({reason}). Copy the file again.") from None
    except Exception as error:
        # The decoder's own error, whose class differs between its implementations.
        if type(error).__name__ != "DecodeError":
            raise
        raise UserError(f"{path}, record {number}: must be a tf.train.Example. Received: other bytes.") from None
    if number == 0:
        raise UserError(f"{path}: must hold a record for each frame. Received: none.")


def _one(place: str, features, name: str, kind: str):
    values = getattr(features[name], kind).value if name in features else ()
    if len(values) != 1:
        raise UserError(f"{place}: must have one value in `{name}`. Received: {len(values)}.")
    return values[0]


def _value(place: str, features, name: str) -> int:
    value = _one(place, features, name, "int64_list")
    if not -RANGE <= value <= RANGE:
        raise UserError(f"{place}, `{name}`: must be from -{RANGE} to {RANGE}. Received: {value}.")
    return value


def _split_of(path: Path, source: Path) -> str:
    return next((FOLDERS[part] for part in path.relative_to(source).parts[:-1] if part in FOLDERS), "train")
