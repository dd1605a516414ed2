"""The network that `--model` names, and how its faces are cut out."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

from affwildnet.devices import has_bfloat16
from affwildnet.models.precision import PRECISIONS, with_precision
from affwildnet.predict.runners import KerasNetwork, Network, SavedNetwork
from affwildnet.runs import best, checkpoints
from affwildnet.runs import card as model_card
from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.alignment import Aligner

DESCRIPTION = Path("assets.extra") / model_card.MEMBER


@dataclass(frozen=True)
class Loaded:
    """A network that is ready to run.

    Attributes:
      network: what runs.
      aligner: cuts out its faces.
      told: lines that say which file it is and where the aligner comes from.
    """

    network: Network
    aligner: Aligner
    told: tuple[str, ...]


def load(
    model: Path, alignment: str | None = None, margin: float | None = None, precision: str | None = None
) -> Loaded:
    """Load a network.

    Args:
      model: a `.keras` file, a working directory of train.py (its `best_mean` checkpoint, else its latest one), or the
        folder of a SavedModel.
      alignment, margin: how faces are cut out, where the file does not say it itself; see `Aligner`.
      precision: "float32" or "bfloat16"; None is what the file says.

    Raises:
      UserError: if there is no usable network, or if the arguments contradict what the file says.
    """
    if precision is not None:
        check_choice("--precision", precision, PRECISIONS)
    if (model / "saved_model.pb").is_file():
        if precision is not None:
            raise UserError(f"{model}: a SavedModel has its precision for good. `--precision` needs a .keras file.")
        network, card, path = SavedNetwork(model), _described(model), model
    else:
        path = best.model_file(model)
        keras_model = checkpoints.load(path)
        if precision is not None:
            keras_model = with_precision(keras_model, precision, has_bfloat16())
        network = KerasNetwork(keras_model)
        card = model_card.read(path)
    aligner, cut = _aligner(path, network.image_size, card, alignment, margin)
    in_precision = f", {precision}" if precision else ""
    return Loaded(network, aligner, (f"model: {path}{in_precision}", cut))


def _described(folder: Path) -> Card | None:
    """The card of a SavedModel, which lies among its description's fields."""
    try:
        described = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = described.get("card", described)
    if "image_size" not in found or "alignment" not in found:
        return None
    return model_card.from_json(json.dumps({"ranges": {}} | {
        field.name: found[field.name] for field in fields(Card) if field.name in found
    }))  # fmt: skip


def _aligner(
    path: Path, size: int, card: Card | None, alignment: str | None, margin: float | None
) -> tuple[Aligner, str]:
    given = {name: value for name, value in (("alignment", alignment), ("margin", margin)) if value is not None}
    if card is None:
        aligner = replace(Aligner(size), **given)
        assumed = [f"{name} {value}" for name, value in vars(aligner).items() if name not in (*given, "size")]
        if assumed:
            return aligner, f"faces: {path.name} does not say how they were cut out; assumed: {', '.join(assumed)}"
        return aligner, f"faces: {_named(aligner)}, as asked"
    for name, value in given.items():
        own = getattr(card, name)
        if value != own:
            raise UserError(
                f"`--{name}` must be {own}, as in the corpus that {path} was trained on. Received: {value}. "
                "Leave it out."
            )
    aligner = replace(card.aligner, size=size)
    return aligner, f"faces: {_named(aligner)}, as in the corpus that it was trained on"


def _named(aligner: Aligner) -> str:
    margin = f", margin {aligner.margin:g}" if aligner.alignment == "crop" else ""
    return f"{aligner.size}x{aligner.size}, {aligner.alignment}{margin}"
