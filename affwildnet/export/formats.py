"""The formats that a network can be exported in, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from affwildnet.export import onnx_file, saved_model, tflite

# Takes inputs and states by name, returns predictions and new states by name; arrays are (1, T, ...) or (1, ...).
Step = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Format:
    """How to write and run a network in a format.

    Attributes:
      write: `write(model, folder, provenance, card, overwrite)`.
      load: returns a `Step` that runs what is in the folder.
      marker: the file that every export of this format has.
      step: the file that `load` runs, "" if it is the whole folder.
      one_frame: whether a step takes only one frame at a time.
    """

    write: Callable[..., None]
    load: Callable[[Path], Step]
    marker: str
    step: str = ""
    one_frame: bool = False

    def size(self, folder: Path) -> int:
        """Return the bytes that a program needs to run the network step by step."""
        files = [folder / self.step] if self.step else folder.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())


def _tflite(weights: str) -> Format:
    return Format(partial(tflite.write, weights=weights), tflite.load, tflite.MARKER, tflite.STEP, one_frame=True)


FORMATS = {
    "saved_model": Format(saved_model.write, saved_model.load, saved_model.MARKER),
    "onnx": Format(onnx_file.write, onnx_file.load, onnx_file.MARKER, onnx_file.STEP),
    **{f"tflite_{weights}": _tflite(weights) for weights in tflite.WEIGHTS},
}
