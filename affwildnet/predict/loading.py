"""Loading a network to predict with, and what finds the faces and cuts out the crops for it."""

import os
from dataclasses import dataclass
from pathlib import Path

from affwildnet.devices import has_bfloat16
from affwildnet.models.folding import fold
from affwildnet.models.precision import PRECISIONS, with_precision
from affwildnet.predict.network_faces import aligner_for, described, finder_for
from affwildnet.predict.stateful_networks import KerasNetwork, SavedModelNetwork, StatefulNetwork
from affwildnet.runs import best, checkpoints
from affwildnet.runs import card as network_card
from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.face_finder import FaceFinder

_SAMPLE = "sample ("  # the corpus that `make demo` packs, by name and layout


@dataclass(frozen=True)
class LoadedNetwork:
    """A network that is ready to run.

    Attributes:
      network: the network.
      aligner: cuts out its crops.
      finder: finds faces and landmarks for it.
      description: two lines: which file it is, and how faces are found and cut out; and a note where there is one.
      path: the `.keras` file, or the folder of the SavedModel.
      card: of the file; None if it has none.
    """

    network: StatefulNetwork
    aligner: Aligner
    finder: FaceFinder
    description: str
    path: Path
    card: Card | None = None


def load_network(
    model: str | os.PathLike,
    alignment: str | None = None,
    margin: float | None = None,
    precision: str | None = None,
    finder: FaceFinder | None = None,
) -> LoadedNetwork:
    """Load a network.

    Args:
      model: a `.keras` file, the working directory of a run (its `best_mean` checkpoint, else its latest one), or the
        folder of a SavedModel.
      alignment: how crops are cut out, if the file does not say; see `Aligner`.
      margin: as `alignment`.
      precision: "float32" or "bfloat16"; None keeps that of the file.
      finder: finds faces and landmarks; what it was not asked for is as in the corpus of the network.

    Raises:
      UserError: if there is no usable network, if the arguments contradict the file, or if the detector of its corpus
        needs a model that is not given.
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
    finder, found_by = finder_for(card, finder)
    lines = [f"model: {path}" + (f", {precision}" if precision else ""), described([*crops, *found_by])]
    if card is not None and card.corpus.startswith(_SAMPLE):
        lines.append("note: it was trained on the sample corpus, and knows two drawn portraits only: no other face")
    return LoadedNetwork(network, aligner, finder, "\n".join(lines), path, card)
