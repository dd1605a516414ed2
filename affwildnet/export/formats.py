"""The formats by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from affwildnet.export import onnx_file, saved_model, tflite

# From inputs and states by name to predictions and new states by name; (1, T, ...) or (1, ...).
Step = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Format:
    """How a network is written and run in a format.

    Attributes:
      write: `write(model, folder, provenance, card)`.
      load: makes a `Step` from the folder.
      marker: the file by which an export of this format is known.
      step: the file that `load` runs, "" where it is the folder.
      one_frame: whether a step takes one frame and no more.
    """

    write: Callable[..., None]
    load: Callable[[Path], Step]
    marker: str
    step: str = ""
    one_frame: bool = False

    def size(self, folder: Path) -> int:
        """Return the bytes of what a program has to have to run the step form."""
        files = [folder / self.step] if self.step else folder.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())


def _tflite(weights: str) -> Format:
    return Format(partial(tflite.write, weights=weights), tflite.load, tflite.MARKER, tflite.STEP, one_frame=True)


FORMATS = {
    "saved_model": Format(saved_model.write, saved_model.load, saved_model.MARKER),
    "onnx": Format(onnx_file.write, onnx_file.load, onnx_file.MARKER, onnx_file.STEP),
    **{f"tflite_{weights}": _tflite(weights) for weights in tflite.WEIGHTS},
}
