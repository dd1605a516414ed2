"""Choose segments to look at: those in which the predictions follow the labels best, at the median, and worst."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.metrics import Moments

LENGTH = 500


@dataclass(frozen=True)
class Segment:
    """A part of a video, and the CCC of one dimension in it.

    Attributes:
      video: the whole video.
      first: index of the segment's first record.
      end: index after its last record.
      ccc: of one dimension.
    """

    video: VideoPredictions
    first: int
    end: int
    ccc: float


def candidates(evaluation: Evaluation, column: int, length: int = LENGTH) -> list[Segment]:
    """Return the segments of all videos in which the labels of a dimension vary, the highest CCC first.

    A video of N records is cut into N // `length` segments of nearly equal length, `length` to 2 `length` - 1 records
    each; a shorter video is one segment. Where the labels are constant the CCC is 0 whatever the predictions are.

    Args:
      column: 0 valence, 1 arousal.
    """
    found = []
    for video in evaluation.videos:
        ends = np.linspace(0, len(video.frames), max(1, len(video.frames) // length) + 1).astype(int)
        for first, end in pairwise(ends):
            labelled = np.flatnonzero(video.labelled[first:end]) + first
            labels, predictions = (values[labelled, column, None] for values in (video.labels, video.predictions))
            if len(np.unique(labels)) > 1:
                ccc = float(Moments.from_arrays(labels, predictions).ccc()[0])
                found.append(Segment(video, int(first), int(end), ccc))
    return sorted(found, key=lambda segment: -segment.ccc)


def chosen(evaluation: Evaluation, column: int, length: int = LENGTH) -> dict[str, Segment]:
    """Return the candidates with the highest, the median (the better of two) and the lowest CCC, each at most once."""
    found = candidates(evaluation, column, length)
    places = {0: "highest", (len(found) - 1) // 2: "median", len(found) - 1: "lowest"}
    if len(found) < 3:
        places = dict(zip(range(len(found)), ("highest", "lowest"), strict=False))
    return {name: found[place] for place, name in places.items()}
