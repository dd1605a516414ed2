"""A dataset of text files that are packed without decoding or detecting anything, for tests of packing itself."""

import os
import signal
import time
from functools import partial

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.layouts import Layout
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.records.index import rows
from tfrecords_tools.records.packed_corpus import VideoEntry

OPTIONS = PackOptions(landmark_model=None, aligner=Aligner(32))
FRAMES = 3


def labels_in(path):
    return Labels(np.loadtxt(path, dtype=np.float32, ndmin=2))


def find_videos(source):
    """Every `<name>.video` of a folder, its labels in `<name>.txt`."""
    videos = [
        VideoSource(path.stem, "train", path.stem, path, partial(labels_in, path.with_suffix(".txt")))
        for path in sorted(source.glob("*.video"))
    ]
    return videos, []


def write_records(source, options, path, *_):
    """Replace `pack_video`: no detection, `FRAMES` records, and no file on an error."""
    content = source.path.read_text()
    if content == "wait":  # says who packs it, and waits for a file `go`
        source.path.with_suffix(".pid").write_text(str(os.getpid()))
        while not source.path.with_name("go").exists():
            time.sleep(0.05)
    if content == "bad":
        raise UserError(f"{source.path}: bad")
    if content == "kill":
        raise KeyboardInterrupt
    if content == "crash":  # as a library that reads where it must not
        with source.path.with_suffix(".crashes").open("a") as met:
            met.write("met ")
        signal.raise_signal(signal.SIGSEGV)
    # These bring in TensorFlow.
    from tests.helpers.corpora import face_of, landmarks_of
    from tfrecords_tools.records.face_encoding import encode_face
    from tfrecords_tools.records.writer import VideoRecords

    labels = source.read_labels().values
    with VideoRecords(path) as records:
        for frame in range(1, FRAMES + 1):
            records.write({
                "video": source.video, "subject": source.subject, "frame": frame, "timestamp": frame / 30,
                "face": encode_face(face_of(1, frame)), "box": (0, 0, 32, 32), "landmarks": landmarks_of(1, frame),
                "label": labels[frame - 1],
            })  # fmt: skip
    return VideoEntry(
        source.video, source.split, source.subject, path.name, records.sha256, 30.0, FRAMES, 0,
        sum(records.record_bytes), rows(range(1, FRAMES + 1), records.record_bytes, labels),
    )  # fmt: skip


LAYOUT = Layout("tiny", find_videos)


def write_source(folder, names="abcd", label=0.25):
    """Write videos of these names with one label."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.video").write_text(f"video {name}")
        np.savetxt(folder / f"{name}.txt", np.full((FRAMES, 2), label))
    return folder
