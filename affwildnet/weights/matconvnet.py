"""Networks that MatConvNet saved in MATLAB files."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.weights import isolated
from affwildnet.weights.weight_file import Damaged, WeightFile, check_file
from affwildnet.weights.weight_source import Colours
from tfrecords_tools.errors import UserError

WHAT = "a network of MatConvNet in a .mat file of version 5 to 7.2"
# A file whose mean pixel (0 to 255) differs from the published one by more than this is another network's.
MEAN_TOLERANCE = 1.0


@dataclass(frozen=True)
class MatLayer:
    """A layer of the file: its name, its kind ("conv", "bnorm", "relu" ...), and its number of weights."""

    name: str
    kind: str
    weights: int

    def weight(self, number: int) -> str:
        """Return the name in `WeightFile` of one of its weights, counted from 1 as in MATLAB."""
        return f"{self.name}.weights{{{number}}}"


@dataclass(frozen=True)
class MatNetwork:
    """A network: its layers in order, its weights, and the mean R, G and B of its training images or None."""

    layers: list[MatLayer]
    file: WeightFile
    mean: Colours | None

    def checked_mean(self, published: Colours) -> tuple[Colours, str]:
        """Return the mean to subtract, and a remark on its origin: the file, or the publication.

        Raises:
          UserError: if the mean in the file is not that of the published network.
        """
        if self.mean is None:
            return published, "the file holds no mean image; the published one is used"
        if not np.allclose(self.mean, published, atol=MEAN_TOLERANCE, rtol=0):
            raise UserError(
                f"{self.file.path}: its averageImage must be that of the network that `source` names, "
                f"{published}. Received: {self.mean}. Check that it is the file of that network."
            )
        return self.mean, "the mean is that of the file's averageImage"


def read(path: Path) -> MatNetwork:
    """Read a network whose file holds `layers` and `meta`, or `net.layers` and `net.normalization`.

    Weights are named `conv1_1.weights{1}`. Kernels are (height, width, in, out) as in Keras, vectors (C,), the moments
    of a batch normalisation (C, 2).

    Raises:
      UserError: if it is no such file, is one of MATLAB 7.3, or is truncated.
    """
    check_file(path, WHAT)
    with path.open("rb") as file:
        if b"MATLAB 7.3" in file.read(128):
            raise UserError(
                f"{path}: must be {WHAT}. Received: one of version 7.3. Save it in MATLAB with save(..., '-v7')."
            )
    arrays, more = isolated.read(path, WHAT, f"{__name__}:content")
    mean = None if more["mean"] is None else tuple(more["mean"])
    return MatNetwork([MatLayer(*layer) for layer in more["layers"]], WeightFile.of_arrays(path, arrays), mean)


def content(path: Path) -> isolated.Content:
    """Return the weights of a file by their names, its layers and its mean. Call it in a process of its own.

    Raises:
      UserError: if the file lacks what MatConvNet writes.
    """
    from scipy.io import loadmat

    held = loadmat(path, struct_as_record=False)
    root = _one(held["net"]) if "net" in held else None
    cells = held.get("layers") if root is None else getattr(root, "layers", None)
    if not isinstance(cells, np.ndarray):
        names = ", ".join(name for name in held if not name.startswith("__"))
        raise UserError(
            f"{path}: must hold `layers` or `net.layers`. Received: a file that holds {names or 'nothing'}."
        )
    layers, arrays = [], {}
    for index, cell in enumerate(cells.ravel(), start=1):
        entry = _one(cell)
        weights = getattr(entry, "weights", None)
        values = list(weights.ravel()) if isinstance(weights, np.ndarray) and weights.dtype == object else []
        layer = MatLayer(_text(entry, "name") or f"layers{{{index}}}", _text(entry, "type"), len(values))
        layers.append(layer)
        for number, value in enumerate(values, start=1):
            array = np.asarray(value)
            if array.dtype.kind not in "fiu":
                raise Damaged(f"{layer.weight(number)} is no array of numbers")
            arrays[layer.weight(number)] = _shaped(array, layer.kind, number)
    return arrays, {"layers": [dataclasses.astuple(layer) for layer in layers], "mean": _mean(held, root)}


def _shaped(value: np.ndarray, kind: str, number: int) -> np.ndarray:
    """Return an array in its true shape: MATLAB has no vectors, and drops last axes of length 1."""
    if kind == "conv" and number == 1:
        return value.reshape(value.shape + (1,) * (4 - value.ndim))
    return value if number > 2 else value.ravel()


def _one(value: Any) -> Any:
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.item()
    return value


def _text(entry: Any, field: str) -> str:
    value = getattr(entry, field, "")
    return str(value.item()) if isinstance(value, np.ndarray) and value.size == 1 else ""


def _mean(held: dict, root: Any) -> Colours | None:
    """Return the mean of `averageImage`, which is a pixel or a whole image, from where either kind of file keeps it."""
    for holder in (root, _one(held.get("meta")), _one(getattr(root, "meta", None))):
        image = getattr(_one(getattr(holder, "normalization", None)), "averageImage", None)
        if isinstance(image, np.ndarray) and image.size and image.size % 3 == 0 and image.dtype != object:
            pixels = image.reshape(-1, 3) if image.ndim == 3 else image.reshape(1, -1)
            if pixels.shape[1] == 3:
                red, green, blue = pixels.astype("float64").mean(axis=0).tolist()
                return red, green, blue
    return None
