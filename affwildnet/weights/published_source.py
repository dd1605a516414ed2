"""What a source of published weights is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights.contents import Contents
from affwildnet.weights.weight_table import Transfer

Colours = tuple[float, float, float]


@dataclass(frozen=True)
class Opened:
    """A file of a source.

    Attributes:
      contents: what it holds.
      fill: puts its weights into the network.
      pixel_mean: of R, G and B, as the weights were trained with; see `ModelConfig`.
      pixel_scale: the same of the scale.
      remarks: what has to be known of these weights in this network.
    """

    contents: Contents
    fill: Callable[[Transfer], None]
    pixel_mean: Colours
    pixel_scale: Colours = (1.0, 1.0, 1.0)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Weights that somebody has published.

    Attributes:
      title: one line for the list.
      backbones: those that the weights fit.
      open: opens the file at a path (None: there is none) for a network, or raises a `UserError`.
      licence: what their publisher says of their use.
      rest: why what the network does not take is left out.
      whole: whether they are a whole network, with its output; otherwise a backbone.
      path_optional: whether they can be had without a file.
    """

    title: str
    backbones: tuple[str, ...]
    open: Callable[[Path | None, ModelConfig], Opened]
    licence: str
    rest: str
    whole: bool = False
    path_optional: bool = False
