"""Where the predictions are farthest from the labels: the worst videos, and the faces at their worst moments."""

from dataclasses import dataclass

import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.manifest import VideoEntry
from tfrecords_tools.records.reader import decode_face, read_records

VIDEOS = 4
MOMENTS = 5
# Neighbouring moments of a video are at least this share of it apart: else all of them would be one.
APART = 0.1


@dataclass(frozen=True)
class Moment:
    """A frame of a video.

    Attributes:
      frame: its number.
      time: in seconds.
      label, prediction: (D,).
      face: JPEG of the face as the network sees it; None where the corpus does not hold the video.
    """

    frame: int
    time: float
    label: np.ndarray
    prediction: np.ndarray
    face: bytes | None


@dataclass(frozen=True)
class WorstVideo:
    """A video, the mean over its labelled frames of the squared error, summed over the outputs, and its moments."""

    video: str
    error: float
    moments: tuple[Moment, ...]


def worst(evaluation: Evaluation, corpus: Corpus, videos: int = VIDEOS, moments: int = MOMENTS) -> list[WorstVideo]:
    """Return the videos of the largest mean squared error, the worst first, with their worst moments in time order.

    Raises:
      UserError: if a record is corrupt, or its face is no image.
    """
    entries = {(entry.video, entry.subject): entry for entry in (*corpus.manifest.videos, *corpus.videos)}
    scored = [(_errors(video), video) for video in evaluation.videos if video.labelled.any()]
    scored.sort(key=lambda pair: -np.nanmean(pair[0]))
    found = []
    for errors, video in scored[:videos]:
        indices = worst_moments(errors, moments)
        faces = _faces(corpus, entries.get(video.key), video.frames[indices])
        found.append(
            WorstVideo(
                video.video,
                float(np.nanmean(errors)),
                tuple(
                    Moment(
                        int(video.frames[index]),
                        float(video.timestamps[index]),
                        video.labels[index],
                        video.predictions[index],
                        face,
                    )
                    for index, face in zip(indices, faces, strict=True)
                ),
            )
        )
    return found


def worst_moments(errors: np.ndarray, most: int) -> list[int]:
    """Return at most `most` indices of the largest errors, rising, no two of them nearer than a tenth of the video.

    Args:
      errors: (N,), NaN where there is none.
    """
    left = np.where(np.isfinite(errors), errors, -np.inf)
    apart = max(1, int(len(errors) * APART))
    found = []
    while len(found) < most and left.max() > -np.inf:
        index = int(left.argmax())
        found.append(index)
        left[max(0, index - apart + 1) : index + apart] = -np.inf
    return sorted(found)


def _errors(video: VideoPredictions) -> np.ndarray:
    """(N,) float64 squared error, summed over the outputs; NaN without a label."""
    return np.sum((video.predictions.astype(np.float64) - video.labels) ** 2, axis=1)


def _faces(corpus: Corpus, entry: VideoEntry | None, frames: np.ndarray) -> list[bytes | None]:
    if entry is None:
        return [None] * len(frames)
    numbers = entry.frame_numbers
    indices = np.searchsorted(numbers, frames)
    faces = []
    for index, record in zip(indices, read_records(corpus.folder, entry, indices.tolist()), strict=True):
        if decode_face(record) is None:
            raise UserError(
                f"{corpus.folder / entry.file}, record {index + 1}: the face is no image. Pack the corpus again."
            )
        faces.append(record["face"])
    return faces
