"""The description beside every exported network: its inputs and outputs, and where it is from."""

import dataclasses
import json
from pathlib import Path

from affwildnet.export.exported_functions import ExportedFunctions
from affwildnet.models.signature import FRAMES, LANDMARKS
from affwildnet.runs.card import MEMBER, Card
from tfrecords_tools.records import schema

FILE = MEMBER
_HOLDS = {
    FRAMES: "RGB face crops, pixel values 0 to 255",
    LANDMARKS: "68 iBUG points, x and y in the crop divided by its side",
}


def identity(digest: str, card: Card | None) -> dict:
    """Return the fields by which an export is one of the same network: its digest, and how crops are cut out for it."""
    fields = dataclasses.asdict(card) if card else {}
    return {
        "network": digest,
        **{name: fields[name] for name in ("image_size", "alignment", "margin") if name in fields},
    }


def describe(
    functions: ExportedFunctions, digest: str, card: Card | None, provenance: dict | None, files: dict[str, str]
) -> dict:
    """Return the description as JSON can hold it; None in a shape is a free size.

    Args:
      functions: the exported network.
      digest: distinguishes it from others, see `network_digest.digest`.
      card: its fields become fields of the description; None if it is not known how crops were cut out.
      provenance: further fields.
      files: the files or signatures of the format, and what each is for.
    """
    signature = functions.signature
    return {
        "use": files,
        "inputs": {
            spec.name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name, "holds": _HOLDS[spec.name]}
            for spec in functions.inputs
        },
        "states": {name: list(shape) for name, shape in signature.states.items()},
        "states_before_the_first_frame": "zeros, float32",
        "output": {signature.output: list(signature.labels), "shape": [None, None, len(signature.labels)]},
        "colour_order": schema.COLOUR_ORDER,
        **(dataclasses.asdict(card) if card else {}),
        "image_size": signature.image_size,  # what the network takes, whatever its card says
        **(provenance or {}),
        "network": digest,
    }


def write(path: Path, description: dict) -> None:
    """Write a description as a JSON file."""
    path.write_text(json.dumps(description, indent=2) + "\n", "utf-8")
