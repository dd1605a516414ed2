"""What lies beside every exported network: what goes in, what comes out, and where it is from."""

import dataclasses
import json
from pathlib import Path

from affwildnet.export.forms import LABELS, Forms
from affwildnet.runs.card import MEMBER, Card
from tfrecords_tools.records import schema

FILE = MEMBER
_HOLDS = {
    "frames": "RGB face crops, pixel values 0 to 255",
    "landmarks": "68 iBUG points, x and y in the crop divided by its side",
}


def contents(forms: Forms, card: Card | None, provenance: dict | None, files: dict[str, str]) -> dict:
    """Return the description, as JSON can hold it; in a shape, None is a size that is free.

    Args:
      card: its fields are taken as they are; None where nobody knows how the faces were cut out.
      provenance: further fields.
      files: the files or signatures of the format, and what each is for.
    """
    frames = forms.inputs[0]
    labels = LABELS[forms.output]
    return {
        "use": files,
        "inputs": {
            spec.name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name, "holds": _HOLDS[spec.name]}
            for spec in forms.inputs
        },
        "states": {spec.name: spec.shape.as_list() for spec in forms.states},
        "states_before_the_first_frame": "zeros, float32",
        "output": {forms.output: list(labels), "shape": [None, None, len(labels)]},
        "image_size": frames.shape[2],
        "colour_order": schema.COLOUR_ORDER,
        **(dataclasses.asdict(card) if card else {}),
        **(provenance or {}),
    }


def write(folder: Path, described: dict) -> None:
    """Write the description into a folder."""
    (folder / FILE).write_text(json.dumps(described, indent=2) + "\n", "utf-8")
