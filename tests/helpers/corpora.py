"""Tiny packed corpora without face detection: every face, landmark and label is that of one frame of one video."""

import json

import cv2
import numpy as np

from tfrecords_tools.records import index, manifest, schema
from tfrecords_tools.records.face_encoding import encode_face
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.writer import VideoRecords

FPS = 30.0
BITS = 16  # of an identity: 4 for the video, 12 for the frame
ON, OFF = (235, 130, 40), (50, 60, 70)  # RGB; red and blue differ, so that swapped channels are seen


def make_corpus(folder, videos, image_size=32, name="tiny", layout="aff_wild"):
    """Write a packed corpus to `folder` and return its manifest.

    Args:
      folder: a new folder, or an empty one.
      videos: dicts with the keys
        frames: how many there are, or the frame numbers (rising, gaps allowed) that have a record;
        video: its name, by default "v0", "v1", ...;
        split: by default "train";
        subject: by default the video's name;
        unlabelled: frame numbers without a label;
        labels: (number of records, 2), NaN where missing; by default `label_of` each frame;
        classes: (number of records,), -1 where missing; if any video has them, all need them;
        landmarks: (number of records, 68, 2); by default `landmarks_of` each frame.
      image_size: side of the faces, a multiple of 4; with a multiple of 32 the faces survive JPEG best.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described = [_described(index, video) for index, video in enumerate(videos)]
    described.sort(key=lambda video: (schema.SPLITS.index(video["split"]), video["video"]))
    totals = {split: sum(video["split"] == split for video in described) for split in schema.SPLITS}
    numbers = dict.fromkeys(schema.SPLITS, 0)
    entries = []
    for video in described:
        split = video["split"]
        file = f"{name}-{split}.tfrecord-{numbers[split]:05d}-of-{totals[split]:05d}"
        numbers[split] += 1
        entries.append(_write(video, folder / file, image_size))
    expression = any("classes" in video for video in videos)
    packed = Manifest(name, layout, image_size, "crop", 0.1, tuple(entries), expression=expression)
    manifest.save(packed, folder)
    return packed


def _described(index, video):
    frames = video["frames"]
    frames = list(range(1, frames + 1)) if isinstance(frames, int) else [int(frame) for frame in frames]
    name = video.get("video", f"v{index}")
    labels = np.array(video.get("labels", [label_of(index, frame) for frame in frames]), np.float32)
    labels[np.isin(frames, list(video.get("unlabelled", ())))] = np.nan
    return {
        "index": index,
        "video": name,
        "split": video.get("split", "train"),
        "subject": video.get("subject", name),
        "frames": frames,
        "labels": labels,
        "classes": video.get("classes"),
        "landmarks": video.get("landmarks", [landmarks_of(index, frame) for frame in frames]),
    }


def _write(video, path, size):
    classes = video["classes"]
    with VideoRecords(path, schema.fields(expression=classes is not None)) as records:
        for row, (frame, label) in enumerate(zip(video["frames"], video["labels"], strict=True)):
            records.write({
                "video": video["video"],
                "subject": video["subject"],
                "frame": frame,
                "timestamp": (frame - 1) / FPS,
                "face": encode_face(face_of(video["index"], frame, size)),
                "box": (10, 20, 10 + size, 20 + size),
                "landmarks": video["landmarks"][row],
                "label": label,
                **({"expression": classes[row]} if classes is not None else {}),
            })  # fmt: skip
    frames = video["frames"]
    return VideoEntry(
        video=video["video"],
        split=video["split"],
        subject=video["subject"],
        file=path.name,
        sha256=records.sha256,
        fps=FPS,
        frames_decoded=max(frames),
        frames_without_face=max(frames) - len(frames),
        file_bytes=sum(records.record_bytes),
        index=index.rows(frames, records.record_bytes, video["labels"], classes),
    )


def face_of(video, frame, size=32):
    """(size, size, 3) uint8 RGB: a 4x4 board that spells `video` (index in the call, below 16) and `frame` in bits."""
    number = (video << 12) | frame
    assert video < 16
    assert frame < 4096
    board = np.array([number >> bit & 1 for bit in range(BITS)]).reshape(4, 4, 1)
    return np.where(np.kron(board, np.ones((size // 4, size // 4, 1), int)), ON, OFF).astype(np.uint8)


def identity_of(face):
    """(video, frame) of a face that `face_of` made, after JPEG."""
    block = face.shape[0] // 4
    red = face[..., 0].reshape(4, block, 4, block).mean((1, 3)).ravel()
    number = sum(1 << bit for bit, value in enumerate(red) if value > (ON[0] + OFF[0]) / 2)
    return number >> 12, number & 4095


def landmarks_of(video, frame):
    """(68, 2) float32 in [0, 1], different for each frame."""
    steps = np.arange(schema.LANDMARKS)
    return np.stack([0.1 + 0.8 * steps / 68, (0.37 * steps + 0.011 * frame + 0.2 * video) % 1], 1).astype(np.float32)


def label_of(video, frame):
    """(valence, arousal) in [-0.8, 0.8], smooth in time and different for each frame of a short video."""
    return 0.8 * np.sin(0.05 * frame + video), 0.8 * np.cos(0.031 * frame - video)


def decode(jpeg):
    """(size, size, 3) uint8 RGB of a record's face, by OpenCV."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def write_version_1(folder, packed):
    """Rewrite the manifest of a corpus as version 1 had it: sizes and frames of the records in it, no index."""
    fields = json.loads((folder / manifest.FILE_NAME).read_text())
    for video, entry in zip(fields["videos"], packed.videos, strict=True):
        for name in ("file_bytes", "frames", "frames_labelled"):
            del video[name]
        video["segments"], video["labelled_segments"] = entry.segments, entry.labelled_segments
        video["record_bytes"] = entry.record_bytes.tolist()
    del fields["index_sha256"]
    (folder / manifest.FILE_NAME).write_text(json.dumps({**fields, "schema_version": 1}))


def replace_in_records(path, old, new):
    """Replace bytes in the records of a file by as many others, with checksums that fit."""
    import tensorflow as tf

    assert len(old) == len(new)
    records = [data.replace(old, new) for data in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for data in records:
            writer.write(data)
