"""One video of a dataset to one TFRecord file: faces, landmarks, labels."""

import dataclasses
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tfrecords_tools import annotations, manifest
from tfrecords_tools.alignment import Aligner
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces import FaceDetector, choose
from tfrecords_tools.landmarks import LandmarkPredictor
from tfrecords_tools.manifest import VideoEntry
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.source import VideoSource
from tfrecords_tools.video import frame_rate, read_frames


@dataclass(frozen=True)
class PackOptions:
    """How videos are packed.

    Attributes:
      landmark_model: path of the 68-point model, as `landmarks.find_model` returns it.
      aligner: how the face is cut out.
      upsample: times the image is doubled before detection; each finds faces half as large, at four times the cost.
      length_tolerance: by how many frames an annotation may be longer or shorter than its video.
    """

    landmark_model: Path
    aligner: Aligner
    upsample: int = 0
    length_tolerance: int = 1
    fps: float | None = None

    def deciding(self) -> dict:
        """What of them decides the records: all but where the landmark model lies."""
        described = dataclasses.asdict(self)
        del described["landmark_model"]
        return described


# Loading the 68-point model takes a second: once a process, not once a video.
_detector = cache(FaceDetector)
_predictor = cache(LandmarkPredictor)


def pack_video(source: VideoSource, options: PackOptions, path: Path) -> VideoEntry:
    """Packs one video to `path`; leaves nothing there on an error.

    Raises:
      UserError: if the video or its annotation cannot be used; the message names the file, and says why.
    """
    # TensorFlow takes seconds to import, and only the processes that write need it.
    import_tensorflow()
    from tfrecords_tools.writer import VideoRecords, encode_face

    labels = source.read_labels().values
    detector, predictor = _detector(options.upsample), _predictor(options.landmark_model)
    kept, labelled, previous, decoded = [], [], None, 0
    with VideoRecords(path) as records:
        for frame in read_frames(source.path):
            decoded = frame.number
            box = choose(detector.detect(frame.image), previous)
            if box is None:
                continue
            previous = box
            face, points = options.aligner(frame.image, box, predictor.predict(frame.image, box))
            label = labels[frame.number - 1] if frame.number <= len(labels) else np.full(2, np.nan, np.float32)
            records.write({
                "video": source.video,
                "subject": source.subject,
                "frame": frame.number,
                "timestamp": frame.timestamp,
                "face": encode_face(face),
                "box": (box.left, box.top, box.right, box.bottom),
                "landmarks": points,
                "label": label,
            })  # fmt: skip
            kept.append(frame.number)
            if not np.isnan(label).any():
                labelled.append(frame.number)
        annotations.check_length(len(labels), decoded, options.length_tolerance, source.path)
        if not kept:
            raise UserError(
                f"{source.path}: a face must be found in at least one frame. Received: none in {decoded} frames. "
                "Small faces are found with `--upsample=1`."
            )
    return VideoEntry(
        video=source.video,
        split=source.split,
        subject=source.subject,
        file=path.name,
        sha256=records.sha256,
        fps=frame_rate(source.path),
        frames_decoded=decoded,
        frames_without_face=decoded - len(kept),
        runs=manifest.to_runs(kept),
        labelled_runs=manifest.to_runs(labelled),
        record_bytes=tuple(records.record_bytes),
    )
