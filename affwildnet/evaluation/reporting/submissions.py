"""Write predictions in the formats of benchmarks and challenges, or as one CSV with a row for each frame.

Numbers are written so that reading them back as float32 gives the same values.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import submission_rules
from affwildnet.evaluation.scoring import utterances
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.files import whole
from tfrecords_tools.files.spreadsheet_cells import quoted
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

# Aff-Wild2's mark for a frame without valence and arousal.
MISSING = "-5"


def write(
    evaluation: Evaluation,
    format: str,
    path: Path | str,
    corpus: Corpus | None = None,
    config: EvaluationConfig | None = None,
) -> list[str]:
    """Write the predictions of a split in one of `FORMATS`.

    ```python
    outcome = scored_run.once("runs/aff_wild2", Choices("test"))
    submissions.write(outcome.predicted.final, "aff_wild2", "submission", outcome.predicted.corpus)
    ```

    Args:
      path: of the file; for `aff_wild2` of the folder, which gets a file for each video.
      corpus: what was evaluated; `aff_wild2` needs it for the number of frames of the source videos.
      config: how frames make an utterance; `omg` needs it.

    Returns:
      Remarks on what was written, a line each; often none.

    Raises:
      UserError: if there is no such format, or the predictions do not fit it.
    """
    expressions = evaluation.videos[0].predictions.shape[1] != len(DIMENSIONS)
    submission_rules.check(format, [video.video for video in evaluation.videos], expressions, corpus)
    return FORMATS[format](evaluation, Path(path), corpus, config)


def _frames(evaluation: Evaluation, path: Path, *_) -> list[str]:
    """Write a row for each frame: video, frame, time [s], label (empty where there is none) and prediction.

    It is for people too: a video's name that a spreadsheet would compute begins with an apostrophe.
    """
    if evaluation.videos[0].predictions.shape[1] == len(DIMENSIONS):
        labels, predictions, label_of = [f"{name}_label" for name in DIMENSIONS], DIMENSIONS, _numbers
    else:
        labels, predictions, label_of = ["label"], EXPRESSIONS, lambda label: [EXPRESSIONS[label.argmax()]]
    nothing = [""] * len(labels)
    _table(
        path,
        ["video", "frame", "time", *labels, *predictions],
        (
            [
                quoted(video.video),
                frame,
                f"{time:.4f}",
                *(label_of(label) if labelled else nothing),
                *_numbers(prediction),
            ]
            for video in evaluation.videos
            for frame, time, label, prediction, labelled in zip(
                video.frames, video.timestamps, video.labels, video.predictions, video.labelled, strict=True
            )
        ),
    )
    return []


def _image_location(evaluation: Evaluation, path: Path, *_) -> list[str]:
    """Write a row for each frame with a face: `<video>/<5 digits>.jpg`, valence, arousal (Aff-Wild2's challenges)."""
    _table(
        path,
        ["image_location", *DIMENSIONS],
        (
            [f"{video.video}/{frame:05d}.jpg", *_numbers(prediction)]
            for video in evaluation.videos
            for frame, prediction in zip(video.frames, video.predictions, strict=True)
        ),
    )
    return ["frames without a face have no row", *_beyond(evaluation)]


def _aff_wild2(evaluation: Evaluation, path: Path, corpus: Corpus | None, _) -> list[str]:
    """Write `<video>.txt` for each video, with a row for each of its frames: valence, arousal, or -5 for both.

    Row i after the header is frame i; -5 stands for a frame without a prediction.
    """
    if corpus is None:
        raise UserError("The format aff_wild2 needs `corpus`, for the number of frames of the source videos.")
    entries = {(entry.video, entry.subject): entry for entry in (*corpus.manifest.videos, *corpus.videos)}
    rows = {f"{video.video}.txt": _every_frame(video, entries[video.key]) for video in evaluation.videos}
    submission_rules.check_files(path, list(rows))
    path.mkdir(parents=True, exist_ok=True)
    for name, values in rows.items():
        _table(path / name, DIMENSIONS, values)
    missing = sum(row[0] == MISSING for values in rows.values() for row in values)
    remarks = [f"{count(missing, 'frame')} without a prediction: {MISSING},{MISSING}"] if missing else []
    remarks += _beyond(evaluation)
    cut = sum(int(video.frames[-1]) > entries[video.key].frames_decoded for video in evaluation.videos)
    if cut:
        remarks.append(
            f"{count(cut, 'video')} not decoded to the end in packing (crops, or a part of a video): the file ends "
            "with the last frame that has a face"
        )
    return remarks


def _every_frame(video: VideoPredictions, entry: VideoEntry) -> list[list[str]]:
    """Return a row for each frame of the source video."""
    # Of a folder of crops, packing counted the files, whatever their numbers.
    rows = [[MISSING] * len(DIMENSIONS) for _ in range(max(entry.frames_decoded, int(video.frames[-1])))]
    for frame, prediction in zip(video.frames, video.predictions, strict=True):
        rows[frame - 1] = _numbers(prediction)
    return rows


def _beyond(evaluation: Evaluation) -> list[str]:
    beyond = sum(int((np.abs(video.predictions) > 1).any(axis=1).sum()) for video in evaluation.videos)
    remark = f"{count(beyond, 'prediction')} outside [-1, 1], the range of the labels, written as predicted"
    return [remark] if beyond else []


def _omg(evaluation: Evaluation, path: Path, _, config: EvaluationConfig | None) -> list[str]:
    """Write a row for each utterance: video, utterance, arousal, valence, in this order (OMG-Emotion's challenge)."""
    if config is None:
        raise UserError("The format omg needs `config`, for how frames make an utterance.")
    rows = []
    for utterance in utterances.predicted(evaluation, config):
        named = submission_rules.UTTERANCE.fullmatch(utterance.video)  # `submission_rules.check` has seen that all are
        valence, arousal = (repr(float(value)) for value in utterance.prediction)
        rows.append([named["video"], f"{named['utterance']}.mp4", arousal, valence])
    _table(path, ["video", "utterance", "arousal", "valence"], rows)
    return []


def _numbers(values: np.ndarray) -> list[str]:
    return [str(value) for value in values]


def _table(path: Path, head: Iterable[str], rows: Iterable[list]) -> None:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


FORMATS: dict[str, Callable[..., list[str]]] = {
    "frames": _frames,
    "aff_wild2": _aff_wild2,
    "image_location": _image_location,
    "omg": _omg,
}
