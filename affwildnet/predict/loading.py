"""Loading a network to predict with, and the aligner that cuts out its crops."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from affwildnet.devices import has_bfloat16
from affwildnet.models.folding import fold
from affwildnet.models.precision import PRECISIONS, with_precision
from affwildnet.predict.stateful_networks import KerasNetwork, SavedModelNetwork, StatefulNetwork
from affwildnet.runs import best, checkpoints
from affwildnet.runs import card as network_card
from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.alignment import Aligner

_SAMPLE = "sample ("  # the corpus that `make demo` packs, by name and layout


@dataclass(frozen=True)
class LoadedNetwork:
    """A network that is ready to run.

    Attributes:
      network: the network.
      aligner: cuts out its crops.
      description: two lines: which file it is, and where the aligner comes from.
      path: the `.keras` file, or the folder of the SavedModel.
      card: of the file; None if it has none.
    """

    network: StatefulNetwork
    aligner: Aligner
    description: str
    path: Path
    card: Card | None = None


def load_network(
    model: str | os.PathLike,
    alignment: str | None = None,
    margin: float | None = None,
    precision: str | None = None,
) -> LoadedNetwork:
    """Load a network.

    Args:
      model: a `.keras` file, the working directory of a run (its `best_mean` checkpoint, else its latest one), or the
        folder of a SavedModel.
      alignment: how crops are cut out, if the file does not say; see `Aligner`.
      margin: as `alignment`.
      precision: "float32" or "bfloat16"; None keeps that of the file.

    Raises:
      UserError: if there is no usable network, or if the arguments contradict the file.
    """
    model = Path(model)
    if precision is not None:
        check_choice("precision", precision, PRECISIONS)
    if network_card.is_saved_model(model):
        if precision is not None:
            raise UserError(f"{model}: the precision of a SavedModel is fixed. `precision` needs a .keras file.")
        network, path = SavedModelNetwork(model), model
    else:
        path = best.model_file(model)
        keras_model = checkpoints.load(path)
        if precision is not None:
            keras_model = with_precision(keras_model, precision, has_bfloat16())
        network = KerasNetwork(fold(keras_model))
    card = network_card.read(path)
    aligner, crops = _aligner(path, network.image_size, card, alignment, margin)
    if card is not None and card.corpus.startswith(_SAMPLE):
        crops += "\nnote: it was trained on the sample corpus, and knows two drawn portraits only: no other face"
    in_precision = f", {precision}" if precision else ""
    return LoadedNetwork(network, aligner, f"model: {path}{in_precision}\n{crops}", path, card)


def _aligner(
    path: Path, size: int, card: Card | None, alignment: str | None, margin: float | None
) -> tuple[Aligner, str]:
    """Return the aligner, and a line on where it comes from."""
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
