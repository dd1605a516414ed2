"""Where the predictions are farthest from the labels: the worst videos, and the crops at their worst moments."""

from dataclasses import dataclass

import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.records.reader import decode_face, read_records

VIDEOS = 4
MOMENTS = 5
# Moments of a video are at least this share of it apart; otherwise all would be neighbours of the worst one.
APART = 0.1


@dataclass(frozen=True)
class Moment:
    """A frame of a video.

    Attributes:
      frame: its number.
      time: in seconds.
      label, prediction: (D,).
      crop: JPEG of the face as the network sees it; None where the corpus does not hold the video.
    """

    frame: int
    time: float
    label: np.ndarray
    prediction: np.ndarray
    crop: bytes | None


@dataclass(frozen=True)
class WorstVideo:
    """One of the videos with the largest errors.

    Attributes:
      video: its name.
      error: squared error, summed over the outputs, averaged over the labelled frames.
      moments: its worst frames, in time order.
    """

    video: str
    error: float
    moments: tuple[Moment, ...]


def worst(evaluation: Evaluation, corpus: Corpus, videos: int = VIDEOS, moments: int = MOMENTS) -> list[WorstVideo]:
    """Return the videos with the largest mean squared error, the worst first.

    Raises:
      UserError: if a record is corrupt, or its crop is no image.
    """
    entries = {(entry.video, entry.subject): entry for entry in (*corpus.manifest.videos, *corpus.videos)}
    scored = [(_errors(video), video) for video in evaluation.videos if video.labelled.any()]
    scored.sort(key=lambda pair: -np.nanmean(pair[0]))
    found = []
    for errors, video in scored[:videos]:
        indices = worst_moments(errors, moments)
        crops = _crops(corpus, entries.get(video.key), video.frames[indices])
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
                        crop,
                    )
                    for index, crop in zip(indices, crops, strict=True)
                ),
            )
        )
    return found


def worst_moments(errors: np.ndarray, most: int) -> list[int]:
    """Return at most `most` indices of the largest errors, in time order, a tenth of the video or more apart.

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
    """Return the squared error of each frame, summed over the outputs: (N,) float64, NaN without a label."""
    return np.sum((video.predictions.astype(np.float64) - video.labels) ** 2, axis=1)


def _crops(corpus: Corpus, entry: VideoEntry | None, frames: np.ndarray) -> list[bytes | None]:
    if entry is None:
        return [None] * len(frames)
    numbers = entry.frame_numbers
    indices = np.searchsorted(numbers, frames)
    crops = []
    for index, record in zip(indices, read_records(corpus.folder, entry, indices.tolist()), strict=True):
        if decode_face(record) is None:
            raise UserError(
                f"{corpus.folder / entry.file}, record {index + 1}: the face is no image. Pack the corpus again."
            )
        crops.append(record["face"])
    return crops
