"""A trained network as a SavedModel that needs nothing of this package."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.export import description
from affwildnet.export.export_folders import replacing
from affwildnet.export.exported_functions import functions_of
from affwildnet.models.network_digest import digest
from affwildnet.models.signature import SEQUENCE, STEP
from affwildnet.runs.card import ASSET, SAVED_MODEL, Card

MARKER = SAVED_MODEL
SIGNATURES = {
    SEQUENCE: "whole sequences: the states are zero before the first frame",
    STEP: "the next frames of a sequence, one or more: takes the states before them and returns those after them",
}


def write(
    model: keras.Model,
    folder: str | os.PathLike,
    provenance: dict | None = None,
    card: Card | None = None,
    overwrite: bool = False,
) -> None:
    """Write a SavedModel; it appears whole, in place of an earlier export.

    Its signature `serving_default` takes `frames`, uint8 RGB crops [B, T, S, S, 3], and, where the network uses them,
    `landmarks`, float32 [B, T, 68, 2] in the crop divided by its side. It returns `valence_arousal`, float32 [B, T, 2],
    or `expression`, float32 [B, T, 7]. `step` also takes the states of the recurrent layers, such as `gru1_state1`,
    float32 [B, 128], and returns them after the last frame under the same names; before the first frame of a video they
    are zero. B and T are free. `assets.extra/affwildnet.json` says the same, with the card and the provenance.

    Args:
      model: the network.
      folder: a new folder, or an earlier export of the same network.
      provenance: further fields of the description, such as the checkpoint's name.
      card: how crops were cut out for it; None if that is not known.
      overwrite: whether an export of another network may be replaced.

    Raises:
      UserError: if `folder` holds something other than an export, or cannot be written; or as `functions_of`.
    """
    with replacing(Path(folder), MARKER, model, card, overwrite) as partial:
        made = functions_of(model)
        write_functions(
            partial, {SEQUENCE: (made.sequence, made.inputs), STEP: (made.step, [*made.inputs, *made.states])}
        )
        (partial / ASSET).parent.mkdir()
        description.write(partial / ASSET, description.describe(made, digest(model), card, provenance, SIGNATURES))


def write_functions(folder: Path, signatures: dict[str, tuple[Callable, Sequence[tf.TensorSpec]]]) -> None:
    """Write functions that use the variables of a network as a SavedModel.

    Args:
      folder: where to write it.
      signatures: by name, a function and the specs of what it takes.
    """
    archive = keras.export.ExportArchive()  # tracks the variables that the functions use
    for name, (function, specs) in signatures.items():
        archive.add_endpoint(name, function, input_signature=list(specs))
    archive.write_out(folder, verbose=False)


def load(folder: Path) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return the signature `step` of an export as a function of arrays by name."""
    step = tf.saved_model.load(str(folder)).signatures[STEP]

    def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = step(**{name: tf.constant(array) for name, array in arrays.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return run
