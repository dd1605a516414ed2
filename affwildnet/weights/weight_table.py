"""From a file into a network, weight by weight, with a record of what went where."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights.contents import Contents, Shape
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

AS_IT_IS = "as it is"
WIDTH = 120  # of the printed table
TRUNK = (keras.layers.Conv2D, keras.layers.BatchNormalization)  # layers that only backbones have


@dataclass(frozen=True)
class Row:
    """One weight of the network that came from the file.

    Attributes:
      sources: names in the file; none for a weight that the file's network does not have.
      layer: in the network.
      weight: of the layer, such as "kernel".
      shape: of the weight.
      how: what was done to the numbers.
    """

    sources: tuple[str, ...]
    layer: str
    weight: str
    shape: Shape
    how: str


@dataclass(frozen=True)
class Table:
    """What an import did.

    Attributes:
      rows: what went where.
      left_out: names in the file that were not used, each with the reason.
      as_built: layers whose weights were not in the file: random, or such as normalisation starts with.
      remarks: what has to be known besides.
    """

    rows: tuple[Row, ...]
    left_out: dict[str, str]
    as_built: tuple[str, ...]
    remarks: tuple[str, ...]

    def layers(self) -> list[str]:
        """Return the layers that have weights from the file, in the order of the network."""
        return list(dict.fromkeys(row.layer for row in self.rows))

    def __str__(self) -> str:
        cells = [("in the file", "in the network", "shape", "how")]
        for row in self.rows:
            shape = " x ".join(map(str, row.shape))
            cells.append((" + ".join(row.sources) or "-", f"{row.layer}/{row.weight}", shape, row.how))
        widths = [max(len(line[column]) for line in cells) for column in range(3)]
        lines = ["  ".join([*(map(str.ljust, line[:3], widths)), line[3]]).rstrip() for line in cells]
        for reason in dict.fromkeys(self.left_out.values()):
            names = sorted(name for name, why in self.left_out.items() if why == reason)
            lines += _wrapped(f"left out, {reason} ({len(names)}): {', '.join(names)}")
        lines += _wrapped(f"not in the file, left as built: {', '.join(self.as_built) or 'nothing'}")
        for remark in self.remarks:
            lines += _wrapped(f"note: {remark}")
        return "\n".join(lines)


class Transfer:
    """Take arrays out of a file and put them into a network.

    Layers are named as in a single network; where `config` describes several in one, with prefixes before their
    layers' names, each has the same weights put in.

    Args:
      model: the network that `config` describes.
      config: see `ModelConfig`.
      contents: the file.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, contents: Contents):
        self.contents = contents
        self.config = config
        self._model = model
        self._prefixes = prefixes(config)
        self._layers = {layer.name: layer for layer in model.layers}
        self._rows: list[Row] = []

    def layer(self, name: str) -> keras.Layer | None:
        """Return the layer of a name, in the first of the networks that has it; None where none does."""
        return next(iter(self._named(name)), None)

    def backbone_layers(self) -> dict[str, keras.Layer]:
        """Return the backbone's convolutions and batch normalisations, by their names without a prefix."""
        found = {}
        for name, layer in self._layers.items():
            if isinstance(layer, TRUNK):
                found.setdefault(name.removeprefix(next(filter(name.startswith, self._prefixes))), layer)
        return found

    def shape(self, layer: str, weight: str) -> Shape:
        """Return the shape of a weight of the network."""
        return tuple(_weight(self.layer(layer), weight).shape)

    def take(self, name: str, shapes: Sequence[Shape], target: str) -> np.ndarray:
        """Return an array of the file, see `Contents.take`."""
        return self.contents.take(name, shapes, target)

    def copy(
        self,
        layer: str,
        weight: str,
        source: str,
        shapes: Sequence[Shape] | None = None,
        convert: Callable[[np.ndarray], np.ndarray] | None = None,
        how: str = AS_IT_IS,
    ) -> None:
        """Put one array of the file into one weight of the network.

        Args:
          layer: in the network. Where the network lacks it, as nothing reads it, the array is left out.
          weight: such as "kernel".
          source: the array's name in the file.
          shapes: those that the array may have; the weight's own unless given.
          convert: from one of these shapes to the weight's.
          how: what `convert` does, for the table.
        """
        if self.layer(layer) is None:
            self.contents.leave_out(source, f"the network does not have the layer {layer}")
            return
        value = self.take(source, shapes or [self.shape(layer, weight)], f"{layer}/{weight}")
        self.put(layer, weight, value if convert is None else convert(value), (source,), how)

    def put(self, layer: str, weight: str, value: np.ndarray, sources: Sequence[str], how: str) -> None:
        """Put numbers into a weight of the network; `sources` and `how` are for the table."""
        for target in self._named(layer):
            variable = _weight(target, weight)
            variable.assign(value.astype("float32"))
            self._rows.append(Row(tuple(sources), target.name, weight, tuple(variable.shape), how))

    def table(self, whole: bool, rest: str, remarks: Sequence[str]) -> Table:
        """Return the record of the import, having checked that nothing was forgotten.

        Args:
          whole: whether the file's network is this one; otherwise it is the backbone.
          rest: why what was not taken is left out.
          remarks: see `Table`.

        Raises:
          UserError: if the network has a weight that should have come from the file and did not.
        """
        filled = {(row.layer, row.weight) for row in self._rows}
        missing = [
            f"{layer.name}/{variable.name}"
            for layer in self._model.layers
            for variable in layer.weights
            if (whole or isinstance(layer, TRUNK)) and (layer.name, variable.name) not in filled
        ]
        if missing:
            raise UserError(
                f"{self.contents.path}: must hold all weights of the {'network' if whole else 'backbone'}. "
                f"Received: a file without {', '.join(missing)}."
            )
        self.contents.leave_out_the_rest(rest)
        done = {row.layer for row in self._rows}
        as_built = [layer.name for layer in self._model.layers if layer.weights and layer.name not in done]
        return Table(tuple(self._rows), dict(self.contents.left_out), tuple(as_built), tuple(remarks))

    def _named(self, name: str) -> list[keras.Layer]:
        return [self._layers[prefix + name] for prefix in self._prefixes if prefix + name in self._layers]


def prefixes(config: ModelConfig) -> list[str]:
    """Return what stands before the names of the layers of each network in a network, see `models.build`."""
    if config.members:
        return [f"net{index}_" for index in range(1, len(config.members) + 1)]
    return [f"{dimension}_" for dimension in DIMENSIONS] if config.separate else [""]


def backbones(config: ModelConfig) -> set[str]:
    """Return the backbones of a network, or of the networks in it."""
    return {member.backbone for member in config.members} or {config.backbone}


def _weight(layer: keras.Layer, name: str) -> keras.Variable:
    return next(variable for variable in layer.weights if variable.name == name)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
