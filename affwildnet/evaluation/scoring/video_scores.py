"""What is reported of each video: its counts, its own scores, and what its protocol adds to them."""

from dataclasses import dataclass, field

from affwildnet.metrics import Reasons, Scores

# Why a video has no scores.
UNLABELLED = "no frame has a label"


@dataclass(frozen=True, kw_only=True)
class VideoScores:
    """A video's own scores.

    Attributes:
      video: its name.
      subject: who is seen.
      frames: number of frames with a face.
      frames_scored: how many of them have a label.
      scores: None where no frame has a label.
      undefined: why one of the scores is None.
    """

    video: str
    subject: str
    frames: int
    frames_scored: int
    scores: Scores | None = None
    undefined: Reasons = field(default_factory=dict)

    def to_json(self) -> dict:
        """Return a row of the report's `per_video`."""
        reasons = {str(key): reason for key, reason in self.undefined.items()}
        return {**vars(self), "undefined": {"scores": UNLABELLED} if self.scores is None else reasons}


@dataclass(frozen=True, kw_only=True)
class UtteranceScores(VideoScores):
    """The errors of one utterance, which is a packed video.

    Attributes:
      label: by dimension; None where no frame has a label.
      prediction: by dimension.
      sequences: how many sequences its frames were split into.
    """

    label: dict[str, float] | None
    prediction: dict[str, float]
    sequences: int


@dataclass(frozen=True, kw_only=True)
class ExpressionScores(VideoScores):
    """Whether the expression of one video was recognised.

    Attributes:
      label: the class, one of `schema.EXPRESSIONS`; None where no frame has a label.
      predicted: the predicted class.
    """

    label: str | None
    predicted: str
