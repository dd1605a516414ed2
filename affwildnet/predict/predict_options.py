"""How to predict from sources, which files that writes, and which of them are there already. Needs no TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affwildnet.predict import prediction_provenance
from affwildnet.predict.face_stream import FACES
from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.prediction_provenance import Provenance
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.tracking import EVERY


@dataclass(frozen=True)
class PredictOptions:
    """How to predict from a source, and what to write.

    Attributes:
      output: folder of the files.
      faces: "one" face at a time, or "all".
      every: every how many frames the whole frame is searched for faces.
      look_ahead: whether faces are followed as in packing, which looks ahead, instead of frame by frame.
      overlay: whether to write a video with the predictions drawn into it.
      overwrite: whether to replace files that are of something else; those of the same prediction stay.
      seconds: predict only the first so many seconds; None is all.
      progress: whether to show a progress bar.
    """

    output: Path
    faces: str = "one"
    every: int = EVERY
    look_ahead: bool = False
    overlay: bool = False
    overwrite: bool = False
    seconds: float | None = None
    progress: bool = True

    def __post_init__(self):
        check_choice("faces", self.faces, FACES)
        if self.every < 1:
            raise UserError(f"`every` must be at least 1. Received: {self.every}")
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"`seconds` must be above 0. Received: {self.seconds:g}")

    def paths(self, source: FrameSource) -> dict[str, Path]:
        """Return the files that are written for a source, by what they hold."""
        found = {"table": self.output / f"{source.name}.csv", "curves": self.output / f"{source.name}.png"}
        return {**found, **({"overlay": self.overlay_path(source)} if self.overlay else {})}

    def overlay_path(self, source: FrameSource) -> Path:
        """Return the video with the predictions of a source, whether or not it is asked for."""
        return self.output / f"{source.name}-overlay.mp4"

    def provenance_path(self, source: FrameSource) -> Path:
        """Return the file that says what the files of a source are of."""
        return self.output / f"{source.name}.json"

    def provenance(self, source: FrameSource, network: Path | None, settings: Mapping[str, Any]) -> Provenance:
        """Return what the files of a source are of: the same for the same video, network and options.

        Args:
          network: its file or folder; None for one in memory.
          settings: how faces are found and cut out, see `network_faces.settings`.
        """
        options = {"faces": self.faces, "every": self.every, "look_ahead": self.look_ahead, "seconds": self.seconds}
        if source.path is not None and source.path.is_dir():
            options["image_fps"] = source.fps()
        return prediction_provenance.provenance(source.path, network, settings, options, source.where)


def outstanding(
    sources: Sequence[FrameSource], options: PredictOptions, network: Path | None, settings: Mapping[str, Any]
) -> list[bool]:
    """Return for each source whether it is still to be predicted.

    Args:
      network, settings: see `PredictOptions.provenance`.

    Raises:
      UserError: if two sources have one name, or a file of something else would be replaced.
    """
    names: dict[str, FrameSource] = {}
    read = {source.path.resolve() for source in sources if source.path is not None}
    todo = []
    for source in sources:
        if names.setdefault(source.name, source) is not source:
            raise UserError(
                f"{source.where}: its files would have the names of those of {names[source.name].where}. Predict them "
                "into different folders."
            )
        wanted, of = list(options.paths(source).values()), options.provenance_path(source)
        existing = [path for path in (*wanted, of) if path.exists()]
        what = None
        if lost := next((path for path in existing if path.resolve() in read), None):
            raise UserError(f"{lost}: is predicted from, and would be replaced. Choose another `output`.")
        if existing:
            what = prediction_provenance.difference(of, options.provenance(source, network, settings), wanted[0])
            if what is not None and not options.overwrite:
                raise UserError(
                    f"{existing[0]}: exists already, {what}. Replace it with `overwrite`, or choose another `output`."
                )
        todo.append(what is not None or not all(path.exists() for path in wanted))
    return todo
