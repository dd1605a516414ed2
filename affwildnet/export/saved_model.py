"""A trained network as a SavedModel that needs nothing of this package."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.export import description
from affwildnet.export.folders import replacing
from affwildnet.export.forms import forms
from affwildnet.runs.card import Card

MARKER = "saved_model.pb"
SEQUENCE, STEP = "serving_default", "step"
SIGNATURES = {
    SEQUENCE: "whole sequences: the states are zero before the first frame",
    STEP: "a piece of a sequence, one frame or more: takes the states before it and returns those after it",
}


def write(model: keras.Model, folder: Path, provenance: dict | None = None, card: Card | None = None) -> None:
    """Write a SavedModel; it appears whole, in place of an earlier export.

    Its signature `serving_default` takes `frames`, uint8 RGB faces [B, T, S, S, 3], and, where the network uses them,
    `landmarks`, float32 [B, T, 68, 2] in the crop divided by its side; it returns `valence_arousal`, float32 [B, T, 2],
    or `expression`, float32 [B, T, 7]. `step` takes the states of the recurrent layers besides, such as `gru1_state1`,
    float32 [B, 128], and returns them after the last frame under the same names; they are zero before the first frame
    of a video. B and T are free. `assets.extra/affwildnet.json` says the same, with the card and the provenance.

    Args:
      model: the network.
      folder: a new folder, or an earlier export.
      provenance: further fields of the description, such as the checkpoint's name.
      card: how faces were cut out for it; None where nobody knows.

    Raises:
      UserError: if `folder` holds something that is no export, or cannot be written; or as `forms`.
    """
    folder = Path(folder)
    with replacing(folder, MARKER) as partial:
        made = forms(model)
        write_functions(
            partial, {SEQUENCE: (made.sequence, made.inputs), STEP: (made.step, [*made.inputs, *made.states])}
        )
        extra = partial / "assets.extra"
        extra.mkdir()
        description.write(extra, description.contents(made, card, provenance, SIGNATURES))


def write_functions(folder: Path, signatures: dict[str, tuple[Callable, Sequence[tf.TensorSpec]]]) -> None:
    """Write functions that use the variables of a network as a SavedModel.

    Args:
      signatures: by name the function and what it takes.
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
