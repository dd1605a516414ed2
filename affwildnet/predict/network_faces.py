"""How faces are found for a network: as in the corpus that it was trained on, unless something else is asked for."""

from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError
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
