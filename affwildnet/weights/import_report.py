"""What an import of weights did, as data and as a table of text."""

import textwrap
from dataclasses import dataclass

from affwildnet.weights.weight_file import Shape

UNCHANGED = "as it is"
WIDTH = 120  # characters per line


@dataclass(frozen=True)
class ImportedWeight:
    """A weight of the network that came from the file.

    Attributes:
      sources: names in the file; empty for a weight that the file's network does not have.
      layer: name of the layer in the network.
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
class ImportReport:
    """What an import did.

    Attributes:
      weights: those that came from the file.
      left_out: names in the file that were not used, with the reason for each.
      as_built: layers whose weights were not in the file and have their initial values.
      remarks: what else has to be known.
    """

    weights: tuple[ImportedWeight, ...]
    left_out: dict[str, str]
    as_built: tuple[str, ...]
    remarks: tuple[str, ...]

    def layers(self) -> list[str]:
        """Return the layers that have weights from the file, in the order of the network."""
        return list(dict.fromkeys(weight.layer for weight in self.weights))

    def __str__(self) -> str:
        cells = [("in the file", "in the network", "shape", "how")]
        for weight in self.weights:
            shape = " x ".join(map(str, weight.shape))
            cells.append((" + ".join(weight.sources) or "-", f"{weight.layer}/{weight.weight}", shape, weight.how))
        widths = [max(len(line[column]) for line in cells) for column in range(3)]
        lines = ["  ".join([*(map(str.ljust, line[:3], widths)), line[3]]).rstrip() for line in cells]
        for reason in dict.fromkeys(self.left_out.values()):
            names = sorted(name for name, why in self.left_out.items() if why == reason)
            lines += _wrapped(f"left out, {reason} ({len(names)}): {', '.join(names)}")
        lines += _wrapped(f"not in the file, left as built: {', '.join(self.as_built) or 'nothing'}")
        for remark in self.remarks:
            lines += _wrapped(f"note: {remark}")
        return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
