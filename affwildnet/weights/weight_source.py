"""What the table of sources says of each, and what opening a file of one gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights.weight_file import WeightFile

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

Colours = tuple[float, float, float]


@dataclass(frozen=True)
class OpenedWeights:
    """An opened file of a source.

    Attributes:
      file: its arrays by name.
      fill: copies its weights into a network.
      pixel_mean: subtracted from R, G and B where the weights were trained, see `ModelConfig`.
      pixel_scale: multiplies what remains, likewise.
      remarks: what has to be known of these weights in this network.
    """

    file: WeightFile
    fill: Callable[["WeightTransfer"], None]
    pixel_mean: Colours
    pixel_scale: Colours = (1.0, 1.0, 1.0)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightSource:
    """Weights that somebody has published.

    Attributes:
      title: one line for the list of sources.
      backbones: the backbones that the weights fit.
      open: opens the file at a path (None: no file was given) for a network; raises a `UserError` for a bad file.
      licence: what the publisher says about the use of the weights.
      unused_because: why the arrays that the network does not use are left out.
      whole: whether the weights are those of a whole network with its output layer; if not, of a backbone.
      path_optional: whether the weights can be downloaded where no file is given.
    """

    title: str
    backbones: tuple[str, ...]
    open: Callable[[Path | None, ModelConfig], OpenedWeights]
    licence: str
    unused_because: str
    whole: bool = False
    path_optional: bool = False
