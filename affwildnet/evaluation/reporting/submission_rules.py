"""What predictions must be to be written in a format of `submissions`; known before they are computed."""

import re
from collections.abc import Iterable
from pathlib import Path

from affwildnet.data.corpus import Corpus
from tfrecords_tools.errors import UserError, check_choice

# The keys of `submissions.FORMATS`.
NAMES = ("frames", "aff_wild2", "image_location", "omg")
UTTERANCE = re.compile(r"(?P<video>.+)_(?P<utterance>utterance_\d+)")


def check(
    format: str, videos: Iterable[str], expressions: bool, corpus: Corpus | None = None, path: Path | None = None
) -> None:
    """Raise a `UserError` if predictions cannot be written in a format, which is known before they are computed.

    Args:
      format: one of `NAMES`.
      videos: names of the videos.
      expressions: whether the predictions are of expressions.
      corpus: what is evaluated.
      path: where they are to be written; None is not checked.
    """
    check_choice("predictions", format, NAMES)
    if format != "frames" and expressions:
        raise UserError(
            f"The format {format} is for valence and arousal. Received: probabilities of expressions. Choose frames."
        )
    if format == "aff_wild2" and corpus and corpus.manifest.fps:
        raise UserError(
            f"{corpus.folder}: the format aff_wild2 needs every frame of the source video. Received: a corpus that was "
            f"packed at {corpus.manifest.fps:g} frames per second. Pack it without --fps."
        )
    for video in videos:
        if format == "omg" and not UTTERANCE.fullmatch(video):
            raise UserError(
                "The format omg needs videos named <video>_utterance_<number>, as the layout omg names them. "
                f"Received: {video}. Choose another format."
            )
    if format == "aff_wild2":
        check_files(path, [f"{video}.txt" for video in videos])


def check_files(folder: Path | None, names: list[str]) -> None:
    """Raise a `UserError` if a name cannot be a file's, or the folder holds anything else."""
    for name in names:
        if Path(name).name != name:
            raise UserError(
                "The format aff_wild2 names files after their videos, so no name may contain a slash. Received: "
                f"{name}. Choose image_location."
            )
    others = sorted({path.name for path in folder.iterdir()} - set(names)) if folder and folder.is_dir() else []
    if others:
        raise UserError(
            f"{folder}: must hold only the files of this split. Received: {others[0]} (one of {len(others)} others). "
            "Name another folder."
        )
