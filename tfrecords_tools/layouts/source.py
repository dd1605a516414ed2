"""What every reader of a dataset yields."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class VideoSource:
    """A video of a dataset, not yet opened.

    Attributes:
      video: its name, unique in its split.
      split: one of `schema.SPLITS`.
      subject: who is seen; the video's name where the dataset does not tell.
      path: the video file.
      read_labels: returns (n, 2) float32 valence and arousal, row i for frame i + 1, NaN where missing; raises
        `UserError`. It is called in another process: a function of a module, or a `functools.partial` of one.
    """

    video: str
    split: str
    subject: str
    path: Path
    read_labels: Callable[[], np.ndarray]


@dataclass(frozen=True)
class LeftOut:
    """A video (or an annotation) that is not in the packed corpus, and why."""

    video: str
    split: str
    reason: str
