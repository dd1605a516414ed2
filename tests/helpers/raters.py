"""Packed corpora with single annotators' labels, whose agreement is known."""

from dataclasses import replace

import numpy as np

from tests.helpers.corpora import FPS, face_of, landmarks_of, make_corpus
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.face_encoding import encode_face
from tfrecords_tools.records.index import rows
from tfrecords_tools.records.writer import VideoRecords


def make_rated_corpus(folder, ratings, names, landmarks=None, selected=None):
    """Write a packed corpus whose records hold single annotators' labels; return its manifest.

    Args:
      folder: a new folder.
      ratings: for each video, (n, A, 2), NaN where missing.
      names: of the A annotators.
      landmarks: for each video, (n, 68, 2); by default `corpora.landmarks_of` each frame.
      selected: indices of the annotators whose mean is the label; by default all.
    """
    labels = [np.mean(video if selected is None else video[:, selected], axis=1) for video in ratings]
    packed = make_corpus(
        folder, [{"frames": len(video), "labels": own} for video, own in zip(ratings, labels, strict=True)]
    )
    fields, entries = schema.fields(annotators=len(names)), []
    for index, (entry, video) in enumerate(zip(packed.videos, ratings, strict=True)):
        with VideoRecords(folder / entry.file, fields) as records:
            for row, rated in enumerate(video):
                records.write({
                    "video": entry.video,
                    "subject": entry.subject,
                    "frame": row + 1,
                    "timestamp": row / FPS,
                    "face": encode_face(face_of(index, row + 1)),
                    "box": (10, 20, 42, 52),
                    "landmarks": landmarks_of(index, row + 1) if landmarks is None else landmarks[index][row],
                    "label": labels[index][row],
                    "annotators": rated,
                })  # fmt: skip
        entries.append(replace(
            entry, sha256=records.sha256, file_bytes=sum(records.record_bytes),
            index=rows(entry.frame_numbers, records.record_bytes, labels[index]),
        ))  # fmt: skip
    packed = replace(packed, videos=tuple(entries), annotators=tuple(names))
    manifest.save(packed, folder)
    return packed
