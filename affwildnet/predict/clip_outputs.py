"""Predicting from clips: a table, a picture and, if wanted, a video with the predictions for each."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from affwildnet.predict import prediction_table
from affwildnet.predict.clips import Clip, until
from affwildnet.predict.curve_plot import plot
from affwildnet.predict.face_rows import FACES, rows
from affwildnet.predict.overlay import Overlay
from affwildnet.predict.predictor import Predictor
from affwildnet.predict.sequences import CHUNK, predicted
from affwildnet.predict.timing import Stages
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.tracking import EVERY
from tfrecords_tools.records.schema import LANDMARKS


@dataclass(frozen=True)
class Options:
    """How clips are predicted.

    Attributes:
      output: folder of the files.
      faces: "one" face at a time, or "all".
      every: frames from one image that is searched whole to the next, see `tracking.follow_faces`.
      overlay: whether a video is drawn.
      overwrite: whether files of an earlier prediction are replaced.
      seconds: only so many of the beginning; None is all.
      progress: whether a line of progress is shown.
    """

    output: Path
    faces: str = "one"
    every: int = EVERY
    overlay: bool = False
    overwrite: bool = False
    seconds: float | None = None
    progress: bool = True

    def __post_init__(self):
        check_choice("--faces", self.faces, FACES)
        if self.every < 1:
            raise UserError(f"`--every` must be at least 1. Received: {self.every}")
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"`--seconds` must be above 0. Received: {self.seconds:g}")

    def paths(self, clip: Clip) -> dict[str, Path]:
        """Return the files that are written for a clip, by what they hold."""
        found = {"table": self.output / f"{clip.name}.csv", "curves": self.output / f"{clip.name}.png"}
        return {**found, **({"overlay": self.output / f"{clip.name}-overlay.mp4"} if self.overlay else {})}


@dataclass(frozen=True)
class Predicted:
    """What came of one clip.

    Attributes:
      frames, frames_with_face: how many there were.
      tracks: how many faces were predicted from.
      removed: false detections that were taken out.
      expected: frames that the container tells of, None where it tells nothing.
      seconds: how long it took.
      shares: of the time, by stage.
      paths: the files, by what they hold.
    """

    frames: int
    frames_with_face: int
    tracks: int
    removed: int
    expected: int | None
    seconds: float
    shares: dict[str, float]
    paths: dict[str, Path]


def predict_all(clips: list[Clip], predictor: Predictor, options: Options) -> int:
    """Predict from each clip and tell what came of it; return the exit status: 1 if one of several failed.

    Raises:
      UserError: if files would be written over, or the only clip cannot be predicted from.
    """
    _make_output(clips, options)
    warm_up(predictor)
    failed = 0
    for clip in clips:
        try:
            print(told(clip, predict(clip, predictor, options)), flush=True)
        except (UserError, OSError, cv2.error) as error:
            if len(clips) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr, flush=True)
    if len(clips) > 1:
        print(f"{len(clips) - failed} of {len(clips)} videos predicted" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def _make_output(clips: list[Clip], options: Options) -> None:
    there = [path for clip in clips for path in options.paths(clip).values() if path.exists()]
    if there and not options.overwrite:
        raise UserError(f"{there[0]}: is there already. Replace it with `--overwrite`, or name another `--output`.")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{options.output}: cannot be made ({error.strerror}). Name another `--output`.") from None


def warm_up(predictor: Predictor) -> None:
    """Load what finds faces and compiles the network, so that neither is counted as a clip's time."""
    network, _, _ = predictor.network, predictor.finder.detector, predictor.finder.predictor
    for count in (1, CHUNK):
        faces = np.zeros((count, network.image_size, network.image_size, 3), np.uint8)
        points = np.zeros((count, LANDMARKS, 2), np.float32)
        network.run(faces, points, network.initial_states())


def predict(clip: Clip, predictor: Predictor, options: Options) -> Predicted:
    """Predict from one clip, in one pass and in memory that does not grow with its length.

    Raises:
      UserError: if the clip cannot be read, or a file cannot be written.
    """
    stages, paths = Stages(), options.paths(clip)
    expected = clip.count() if options.seconds is None else None
    frames = tqdm(
        until(clip.frames(), options.seconds),
        total=expected,
        unit="frame",
        desc=clip.name,
        file=sys.stderr,
        leave=False,
        disable=not options.progress,
    )
    seen = rows(
        frames,
        predictor.finder.detector,
        predictor.finder.predictor,
        predictor.aligner,
        which=options.faces,
        every=options.every,
        keep_images=options.overlay,
        stages=stages,
    )
    count, with_face, removed, tracks = 0, 0, 0, set()
    with ExitStack() as stack:
        written = stack.enter_context(prediction_table.writing(paths["table"], options.faces == "all"))
        overlay = stack.enter_context(Overlay(paths["overlay"], clip.fps())) if options.overlay else None
        for row in predicted(seen, predictor.network, stages):
            count += 1
            with_face += bool(row.faces)
            removed += row.removed
            tracks.update(face.track for face in row.faces)
            with stages.of("writing"):
                written.write(row)
                if overlay is not None:
                    overlay.write(row)
        if not count:
            raise UserError(f"{clip.where}: must hold at least one frame. Received: none.")
    with stages.of("writing"):
        plot(paths["table"], clip.name, paths["curves"])
    return Predicted(count, with_face, len(tracks), removed, expected, stages.total, stages.shares(), paths)


def told(clip: Clip, predicted: Predicted) -> str:
    """Return what came of a clip, in lines."""
    parts = [f"{predicted.frames:,} frames, {predicted.frames_with_face:,} with a face"]
    if predicted.tracks > 1:
        parts.append(f"{predicted.tracks} faces")
    if predicted.removed:
        parts.append(f"{predicted.removed} false detections removed")
    lines = [f"{clip.where}: {', '.join(parts)}"]
    if not predicted.frames_with_face:
        lines.append("  no face was found: the table has empty values. Small faces are found with `--upsample=1`.")
    if predicted.expected and predicted.frames < 0.9 * predicted.expected:
        lines.append(f"  the file tells of {predicted.expected:,} frames: the others do not decode")
    lines += [f"  {name:<9}{path}" for name, path in predicted.paths.items()]
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in predicted.shares.items())
    lines.append(f"  {predicted.frames / predicted.seconds:.1f} frames/s: {shares}")
    return "\n".join(lines)
