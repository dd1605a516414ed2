"""A trained network for other programs: as a SavedModel, for ONNX Runtime, for TFLite: `python -m affwildnet.export`.

A new format is one file and one line in `FORMATS` of `formats.py`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.runs.card import Card

if TYPE_CHECKING:
    import keras


def export(model: "keras.Model", folder: Path, provenance: dict | None = None, card: Card | None = None) -> None:
    """Write a network as a SavedModel, see `affwildnet.export.saved_model.write`, which this calls."""
    from affwildnet.export.saved_model import write  # brings in TensorFlow, which the command line does not wait for

    write(model, folder, provenance, card)
