"""Copies the arrays of a file into the weights of a network, and keeps a record of each."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.layer_prefixes import prefixes
from affwildnet.weights.import_report import UNCHANGED, ImportedWeight, ImportReport
from affwildnet.weights.weight_file import Shape, WeightFile
from tfrecords_tools.errors import UserError

BACKBONE_LAYERS = (keras.layers.Conv2D, keras.layers.BatchNormalization)  # only backbones have them


class WeightTransfer:
    """Copies arrays of a file into a network.

    Layers are named as in a single network. In a network that is made of several (`separate`, `members`), whose layers
    have prefixes, each of them gets the same weights.

    Args:
      model: the network that `config` describes.
      config: its description.
      file: the file with the weights.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, file: WeightFile):
        self.file = file
        self.config = config
        self._model = model
        self._prefixes = prefixes(config)
        self._layers = {layer.name: layer for layer in model.layers}
        self._imported: list[ImportedWeight] = []

    def layer(self, name: str) -> keras.Layer | None:
        """Return the layer of a name, from the first network that has it; None if there is none."""
        return next(iter(self._named(name)), None)

    def backbone_layers(self) -> dict[str, keras.Layer]:
        """Return the backbone's convolutions and batch normalisations, by their names without a prefix."""
        found = {}
        for name, layer in self._layers.items():
            if isinstance(layer, BACKBONE_LAYERS):
                found.setdefault(name.removeprefix(next(filter(name.startswith, self._prefixes))), layer)
        return found

    def shape(self, layer: str, weight: str) -> Shape:
        """Return the shape of a weight of the network."""
        return tuple(_weight(self.layer(layer), weight).shape)

    def take(self, name: str, shapes: Sequence[Shape], target: str) -> np.ndarray:
        """Return an array of the file, see `WeightFile.take`."""
        return self.file.take(name, shapes, target)

    def copy(
        self,
        layer: str,
        weight: str,
        source: str,
        shapes: Sequence[Shape] | None = None,
        convert: Callable[[np.ndarray], np.ndarray] | None = None,
        how: str = UNCHANGED,
    ) -> None:
        """Copy an array of the file into a weight of the network.

        Args:
          layer: name in the network. If the network has no such layer, the array is left out.
          weight: such as "kernel".
          source: name of the array in the file.
          shapes: those that the array may have; by default the shape of the weight.
          convert: turns one of these shapes into the shape of the weight.
          how: what `convert` does, for the report.

        Raises:
          UserError: if the file does not hold the array in one of these shapes.
        """
        if self.layer(layer) is None:
            self.file.leave_out(source, f"the network does not have the layer {layer}")
            return
        value = self.take(source, shapes or [self.shape(layer, weight)], f"{layer}/{weight}")
        self.put(layer, weight, value if convert is None else convert(value), (source,), how)

    def put(self, layer: str, weight: str, value: np.ndarray, sources: Sequence[str], how: str) -> None:
        """Set a weight of the network; `sources` (names in the file) and `how` are for the report."""
        for target in self._named(layer):
            variable = _weight(target, weight)
            variable.assign(value.astype("float32"))
            self._imported.append(ImportedWeight(tuple(sources), target.name, weight, tuple(variable.shape), how))

    def report(self, whole: bool, unused_because: str, remarks: Sequence[str]) -> ImportReport:
        """Return the record of the import, having checked that no weight was forgotten.

        Args:
          whole: whether the file must fill the whole network; if not, its backbone.
          unused_because: why the arrays that were not used are left out.
          remarks: see `ImportReport`.

        Raises:
          UserError: if a weight that the file must fill was not filled.
        """
        filled = {(weight.layer, weight.weight) for weight in self._imported}
        missing = [
            f"{layer.name}/{variable.name}"
            for layer in self._model.layers
            for variable in layer.weights
            if (whole or isinstance(layer, BACKBONE_LAYERS)) and (layer.name, variable.name) not in filled
        ]
        if missing:
            raise UserError(
                f"{self.file.path}: must hold all weights of the {'network' if whole else 'backbone'}. "
                f"Received: a file without {', '.join(missing)}."
            )
        self.file.leave_out_the_rest(unused_because)
        done = {weight.layer for weight in self._imported}
        as_built = [layer.name for layer in self._model.layers if layer.weights and layer.name not in done]
        return ImportReport(tuple(self._imported), dict(self.file.left_out), tuple(as_built), tuple(remarks))

    def _named(self, name: str) -> list[keras.Layer]:
        return [self._layers[prefix + name] for prefix in self._prefixes if prefix + name in self._layers]


def _weight(layer: keras.Layer, name: str) -> keras.Variable:
    return next(variable for variable in layer.weights if variable.name == name)
