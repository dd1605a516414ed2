"""Loading a network to predict with, and the aligner that cuts out its crops."""

import os
from dataclasses import dataclass
from pathlib import Path

from affwildnet.devices import has_bfloat16
from affwildnet.models.folding import fold
from affwildnet.models.precision import PRECISIONS, with_precision
from affwildnet.predict.network_faces import aligner_for
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
    aligner, crops = aligner_for(path, network.image_size, card, alignment, margin)
    if card is not None and card.corpus.startswith(_SAMPLE):
        crops += "\nnote: it was trained on the sample corpus, and knows two drawn portraits only: no other face"
    in_precision = f", {precision}" if precision else ""
    return LoadedNetwork(network, aligner, f"model: {path}{in_precision}\n{crops}", path, card)
