"""Each frame, pooled over the split (ijcv2019 section 4.1), and each video's own scores."""

from collections.abc import Sequence

from affwildnet.evaluation.scoring.details import Details, OtherScores, mean_of
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.scoring.regions import regions
from affwildnet.evaluation.scoring.video_scores import VideoScores
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.metrics import Moments
from tfrecords_tools.errors import count

UNIT = "frames"
OVER = "videos"


def parts(evaluation: Evaluation, config: EvaluationConfig | None = None) -> list[Moments]:
    """Return the moments of each video that has a label."""
    return [video.moments for video in evaluation.videos if video.labelled.any()]


def details(evaluation: Evaluation, config: EvaluationConfig) -> Details:
    """Return each video's scores, their mean, and the error by region."""
    rows = evaluation.per_video()
    labels, predictions = (
        [getattr(video, what)[video.labelled] for video in evaluation.videos] for what in ("labels", "predictions")
    )
    return Details(evaluation.frames_scored, rows, (mean_of_videos(rows),), regions(labels, predictions))


def mean_of_videos(rows: Sequence[VideoScores]) -> OtherScores:
    """Return the mean of the videos' own CCC, each with the same weight; 0 for one whose values are constant."""
    own = [{"ccc": row.scores["ccc"]} for row in rows if row.scores]
    left_out = len(rows) - len(own)
    note = f"over {count(len(own), 'video')}"
    note += f"; {left_out} without a label left out" if left_out else ""
    return OtherScores("mean of the videos' own CCC", mean_of(own), note, {})
