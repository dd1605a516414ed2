"""How faces are found and cut out for a network: as in its corpus, unless something else is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.face_settings import DETECTORS, GIVEN, LANDMARKS, FaceSettings

# What earlier versions found faces with, whose cards do not say it.
FORMER = "dlib"
_AS_TRAINED = "as in the corpus that it was trained on"
_ASSUMED = "assumed, since the file does not say it"


class Part(NamedTuple):
    """A part of how faces are found and cut out, such as "detector blaze", and where it comes from."""

    what: str
    where: str


def described(parts: Sequence[Part]) -> str:
    """Return parts as one line; those after each other that come from one place name it once."""
    groups = [(where, [part.what for part in own]) for where, own in groupby(parts, lambda part: part.where)]
    return "faces: " + "; ".join(f"{', '.join(whats)}, {where}" for where, whats in groups)


def finder_for(card: Card | None, asked: FaceFinder | None = None) -> tuple[FaceFinder, list[Part]]:
    """Return what finds faces and landmarks for a network, and where they come from.

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
    return finder, [
        Part(f"{what} {name}", where if name == own else f"as asked for ({own}: {where})")
        for what, name, own, where in (
            ("detector", finder.detector_name, detector, where_boxes),
            ("landmarks", finder.landmarks_name, landmarks, where_points),
        )
    ]


def _own(card: Card | None, field: str, known: tuple[str, ...], default: str) -> tuple[str, str]:
    """Return what a card says, or what stands for it, and where that comes from."""
    said = getattr(card, field, "")
    if said in known:
        return said, _AS_TRAINED
    if said == GIVEN:
        return default, "in place of those that came with its corpus"
    if card is not None:
        return FORMER, "as in earlier versions, since the card does not say"
    return default, _ASSUMED


def aligner_for(
    path: Path, size: int, card: Card | None, alignment: str | None, margin: float | None
) -> tuple[Aligner, list[Part]]:
    """Return what cuts out crops for a network, and where its settings come from.

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
        return aligner, [
            Part(what, "as given" if name in given else _ASSUMED) for name, what in _named(aligner).items()
        ]
    for name, value in given.items():
        own = getattr(card, name)
        if value != own:
            raise UserError(
                f"`{name}` must be {own}, as in the corpus that {path} was trained on. Received: {value}. Leave it out."
            )
    aligner = replace(card.aligner, size=size)
    return aligner, [Part(what, _AS_TRAINED) for what in _named(aligner).values()]


def _named(aligner: Aligner) -> dict[str, str]:
    """Return the settings that count in a few words each, by their names."""
    found = {"alignment": f"{aligner.size}x{aligner.size}, {aligner.alignment}"}
    return found | ({"margin": f"margin {aligner.margin:g}"} if aligner.alignment == "crop" else {})


def settings(aligner: Aligner, finder: FaceFinder, precision: str | None) -> dict[str, Any]:
    """Return what predictions depend on besides the network's weights and the video, as JSON can hold it."""
    return {"precision": precision, **vars(aligner), **finder.settings()}
