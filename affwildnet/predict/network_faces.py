"""How faces are found and cut out for a network: as in its corpus, unless something else is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.face_settings import DETECTORS, GIVEN, LANDMARKS, FaceSettings

# What earlier versions found faces with, whose cards do not say it.
FORMER = "dlib"


def finder_for(card: Card | None, asked: FaceFinder | None = None) -> tuple[FaceFinder, str]:
    """Return what finds faces and landmarks for a network, and a line on where it comes from.

    Args:
      card: of the network; None without one.
      asked: finds faces with what it was asked for, and leaves the rest to the card.

    Raises:
      UserError: if the card's detector needs a model that is not given.
    """
    asked = FaceFinder() if asked is None else asked
    detector, where_boxes = _own(card, "detector", DETECTORS, FaceSettings.detector)
    landmarks, where_points = _own(card, "landmarks", LANDMARKS, FORMER)
    if asked.asked_detector is None and detector == "yunet" and asked.yunet_model is None:
        raise UserError(
            "The faces of the network's corpus were found by yunet, which needs its model. Give an ONNX file of YuNet "
            "as `yunet_model`, or take another `detector`."
        )
    finder = asked.instead_of_default(detector, landmarks)
    parts = [
        f"{what} {name}, {where if name == own else f'as asked for ({own}: {where})'}"
        for what, name, own, where in (
            ("detector", finder.detector_name, detector, where_boxes),
            ("landmarks", finder.landmarks_name, landmarks, where_points),
        )
    ]
    return finder, "; ".join(parts)


def _own(card: Card | None, field: str, known: tuple[str, ...], default: str) -> tuple[str, str]:
    """Return what a card says, or what stands for it, and where that comes from."""
    said = getattr(card, field, "")
    if said in known:
        return said, "as in the corpus that it was trained on"
    if said == GIVEN:
        return default, "in place of those that came with its corpus"
    if card is not None:
        return FORMER, "as in earlier versions, since the card does not say"
    return default, "assumed"


def aligner_for(
    path: Path, size: int, card: Card | None, alignment: str | None, margin: float | None
) -> tuple[Aligner, str]:
    """Return what cuts out crops for a network, and a line on where it comes from.

    Args:
      path: of the network, for messages.
      size: side of its crops in pixels.
      card: of the network; None without one.
      alignment, margin: what was asked for; None leaves it to the card.

    Raises:
      UserError: if what was asked for is not what the card says.
    """
    given = {name: value for name, value in (("alignment", alignment), ("margin", margin)) if value is not None}
    if card is None:
        aligner = replace(Aligner(size), **given)
        assumed = [f"{name} {value}" for name, value in vars(aligner).items() if name not in (*given, "size")]
        if assumed:
            return aligner, f"faces: {path.name} does not say how they were cut out; assumed: {', '.join(assumed)}"
        return aligner, f"faces: {_named(aligner)}, as given"
    for name, value in given.items():
        own = getattr(card, name)
        if value != own:
            raise UserError(
                f"`{name}` must be {own}, as in the corpus that {path} was trained on. Received: {value}. Leave it out."
            )
    aligner = replace(card.aligner, size=size)
    return aligner, f"faces: {_named(aligner)}, as in the corpus that it was trained on"


def _named(aligner: Aligner) -> str:
    margin = f", margin {aligner.margin:g}" if aligner.alignment == "crop" else ""
    return f"{aligner.size}x{aligner.size}, {aligner.alignment}{margin}"


def settings(aligner: Aligner, finder: FaceFinder, precision: str | None) -> dict[str, Any]:
    """Return what predictions depend on besides the network's weights and the video, as JSON can hold it."""
    return {"precision": precision, **vars(aligner), **finder.settings()}
