"""Predicting from a video, images or a camera: a table, a plot and, if wanted, a video with the predictions."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from affwildnet.predict import prediction_provenance, prediction_table
from affwildnet.predict.curve_plot import plot_curves
from affwildnet.predict.face_stream import face_stream
from affwildnet.predict.frame_faces import FrameFaces
from affwildnet.predict.frame_sources import FrameSource, until
from affwildnet.predict.overlay import Overlay
from affwildnet.predict.predict_options import PredictOptions, outstanding
from affwildnet.predict.predictor import Predictor
from affwildnet.predict.source_progress import SourceProgress
from affwildnet.predict.timing import PhaseTimes
from affwildnet.predict.track_states import CHUNK, with_predictions
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.errors.failures import is_full_disk
from tfrecords_tools.errors.room import needing
from tfrecords_tools.records.schema import LANDMARKS
from tfrecords_tools.video.images import IMAGE_FPS

_PLOT = 100_000  # bytes, about, of a plot of any length


@dataclass(frozen=True)
class SourceResult:
    """What a prediction found in one source.

    Attributes:
      frames: number of frames.
      frames_with_face: number of frames with at least one face.
      tracks: number of faces that were predicted from.
      removed: number of false detections that were removed.
      lost: number of frames that the video has, or counts, and that do not decode.
      seconds: time that the prediction took.
      shares: each phase's share of that time.
      paths: the files, by what they hold.
      remarks: what a person should know of the files, in lines.
      overlay_error: what the overlay could not be written for; the other files are there.
    """

    frames: int
    frames_with_face: int
    tracks: int
    removed: int
    lost: int
    seconds: float
    shares: dict[str, float]
    paths: dict[str, Path]
    remarks: tuple[str, ...] = ()
    overlay_error: Exception | None = None

    def summary(self, where: str) -> str:
        """Return lines of text on the result for the source `where`."""
        parts = [f"{count(self.frames, 'frame')}, {self.frames_with_face} with a face"]
        if self.tracks > 1:
            parts.append(f"{self.tracks} faces")
        if self.removed:
            parts.append(f"{count(self.removed, 'false detection')} removed")
        lines = [f"{where}: {', '.join(parts)}"]
        if not self.frames_with_face:
            lines.append("  no face was found: the table has empty values. `upsample=1` finds smaller faces.")
        if self.lost:
            lines.append(f"  {count(self.lost, 'frame')} cannot be decoded: left out, the others keep their numbers")
        lines += [f"  {name:<9}{path}" for name, path in self.paths.items()]
        lines += [f"  {remark}" for remark in self.remarks]
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.shares.items())
        lines.append(f"  {self.frames / self.seconds:.1f} frames/s: {shares}")
        return "\n".join(lines)


@dataclass(frozen=True)
class DoneAlready:
    """A source that was predicted before, by the same network with the same options.

    Attributes:
      paths: its files, by what they hold.
    """

    paths: dict[str, Path]

    def summary(self, where: str) -> str:
        """Return lines of text on the files of the source `where`."""
        return "\n".join([f"{where}: predicted already", *(f"  {name:<9}{path}" for name, path in self.paths.items())])


def predict_all(
    sources: Sequence[FrameSource],
    predictor: Predictor,
    options: PredictOptions,
    progress: SourceProgress | None = None,
) -> Iterator[tuple[FrameSource, SourceResult | DoneAlready | Exception]]:
    """Yield each source that was not predicted yet with its result, or with the error that it could not be read for.

    A source that was predicted before is not predicted again. Nothing is read if a file of something else would be
    replaced: of another video of that name, another network or other options. An error of the only source is raised
    instead; so is a full disk.

    Args:
      progress: of these sources; None where none was begun.

    Raises:
      UserError: if files would be replaced, the output folder cannot be created, or the only source not be read.
    """
    _create_output(options)
    found = outstanding(sources, options, predictor.path, predictor.settings())
    todo = {source for source, is_outstanding in zip(sources, found, strict=True) if is_outstanding}
    if todo:
        warm_up(predictor)
    progress = progress or SourceProgress(sources, options.output)
    for source in progress.waiting():
        if source not in todo:
            yield source, DoneAlready(options.paths(source))
            continue
        try:
            outcome = predict_source(source, predictor, options)
        except Exception as error:  # whatever is wrong with one video, the others are predicted
            if len(sources) == 1 or is_full_disk(error) or isinstance(error, BrokenPipeError):
                raise
            outcome = error
        yield source, outcome


def _create_output(options: PredictOptions) -> None:
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{options.output}: cannot be created ({error.strerror}). Choose another `output`.") from None


def warm_up(predictor: Predictor) -> None:
    """Load what finds faces and compile the network, so that no source's time includes it."""
    network, _, _ = predictor.network, predictor.finder.detector, predictor.finder.predictor
    for length in (1, CHUNK):
        crops = np.zeros((length, network.image_size, network.image_size, 3), np.uint8)
        network.run(crops, np.zeros((length, LANDMARKS, 2), np.float32), network.initial_states())


def predict_source(source: FrameSource, predictor: Predictor, options: PredictOptions) -> SourceResult:
    """Predict from one source in one pass, in memory that does not grow with its length.

    Raises:
      UserError: if the source cannot be read, or a file cannot be written.
    """
    times, paths = PhaseTimes(), options.paths(source)
    expected = source.count() if options.seconds is None else None
    read = source.frames()
    frames = tqdm(
        until(read, options.seconds),
        total=expected,
        unit="frame",
        desc=source.name,
        file=sys.stderr,
        leave=False,
        disable=not options.progress,
    )
    stream = face_stream(
        frames,
        predictor.finder.detector,
        predictor.finder.predictor,
        predictor.aligner,
        which=options.faces,
        every=options.every,
        look_ahead=options.look_ahead,
        keep_images=options.overlay,
        times=times,
        recogniser=predictor.finder.recogniser,
    )

    def note(table: Path) -> None:
        of, path = options.provenance(source, predictor.path, predictor.settings()), options.provenance_path(source)
        if path.exists() and prediction_provenance.difference(path, of, paths["table"]) is not None:
            options.overlay_path(source).unlink(missing_ok=True)  # of what the table was of until now
        prediction_provenance.write(path, of, table)

    number, with_face, removed, tracks = 0, 0, 0, set()
    shown = expected if options.seconds is None else round(options.seconds * (source.fps() or IMAGE_FPS))
    room = _Room(paths, shown)
    overlay = None
    if options.overlay:
        sound = source.path if source.path is not None and source.path.is_file() else None
        overlay = _FailingAlone(Overlay(paths["overlay"], source.fps(), sound), room)
    with ExitStack() as stack:
        stack.enter_context(frames)  # its bar ends with an error too, which the next source's would be shown beside
        stack.enter_context(needing(room.needed))
        if overlay is not None:
            stack.enter_context(overlay)  # gets its name after the table, which stands whatever becomes of it
        table = stack.enter_context(prediction_table.writing(paths["table"], options.faces == "all", note))
        for frame in with_predictions(stream, predictor.network, times):
            number += 1
            with_face += bool(frame.faces)
            removed += frame.removed
            tracks.update(face.track for face in frame.faces)
            with times.of("writing"):
                table.write(frame)
                if overlay is not None:
                    overlay.write(frame)
                room.measure(number)
        if not number:
            raise UserError(f"{source.where}: must hold at least one frame. Received: none.")
    with times.of("writing"), needing(_PLOT):
        plot_curves(paths["table"], source.name, paths["curves"])
    remarks, error = ([], None) if overlay is None else (overlay.remarks, overlay.error)
    if error is not None:
        del paths["overlay"]
    lost = getattr(read, "lost", 0)  # a camera loses none
    return SourceResult(
        number, with_face, len(tracks), removed, lost, times.total, times.shares(), paths, tuple(remarks), error
    )


class _Room:
    """About how much room the files of a source need, by what its first frames took."""

    def __init__(self, paths: Mapping[str, Path], frames: int | None):
        self._partial = [path.with_name(f".partial-{path.name}") for path in paths.values()]
        self._frames, self._seen, self._written = frames, 0, 0

    def measure(self, frames: int) -> None:
        """Note how large the files are after so many frames."""
        self._seen, self._written = frames, sum(path.stat().st_size for path in self._partial if path.exists())

    def needed(self) -> int | None:
        """Return the bytes of the whole files; None where that is not known."""
        if not (self._frames and self._seen):
            return None
        return round(self._written / self._seen * max(self._frames, self._seen)) + _PLOT


class _FailingAlone:
    """An overlay whose errors end it alone: they are kept, and nothing is left of its file.

    Attributes:
      error: what it could not be written for, None where it could.
    """

    def __init__(self, overlay: Overlay, room: _Room):
        self._overlay, self._room, self.error = overlay, room, None

    @property
    def remarks(self) -> list[str]:
        return [f"overlay: {remark}" for remark in self._overlay.remarks]

    def write(self, frame: FrameFaces) -> None:
        if self.error is None:
            try:
                with needing(self._room.needed):
                    self._overlay.write(frame)
            except Exception as error:
                self.error = error
                self._end(error)

    def __enter__(self) -> "_FailingAlone":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        if self.error is None:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        try:
            with needing(self._room.needed):
                self._overlay.__exit__(None if error is None else type(error), error, None)
        except Exception as at_the_end:
            self.error = self.error or at_the_end
