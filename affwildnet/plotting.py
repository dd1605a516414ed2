"""What all plots share: colours, names that fit, and how a figure is saved.

Colours are of the Okabe-Ito palette, which the colour-blind can tell apart; lines also differ in their style.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfrecords_tools.files import whole
from tfrecords_tools.records.schema import EXPRESSIONS
from tfrecords_tools.study.glyphs import make_legible

LABEL, PREDICTION = "#000000", "#D55E00"
COLOURS = {"valence": "#0072B2", "arousal": "#E69F00", "mean": "#000000", "total": "#000000"}
STYLES = {"valence": "-", "arousal": "--", "mean": ":", "total": "-"}
# A colour and a line style for each of `EXPRESSIONS`.
CLASSES = dict(
    zip(
        EXPRESSIONS,
        (
            ("#D55E00", "-"),
            ("#009E73", "--"),
            ("#CC79A7", "-."),
            ("#E69F00", "-"),
            ("#000000", ":"),
            ("#0072B2", "--"),
            ("#56B4E9", "-"),
        ),
        strict=True,
    )
)
NAME_LENGTH = 34


def elided(name: str, most: int = NAME_LENGTH) -> str:
    """Return a name of at most `most` characters, its middle replaced by "…" where it is longer."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[-(most // 2) :]}"


def lone_points(axis: Axes, x: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Draw as points the values that have no finite neighbour, which a line does not show."""
    there = np.pad(np.isfinite(values), 1)
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    if alone.any():
        axis.plot(x[alone], values[alone], color=colour, linestyle="", marker=".", markersize=4)


def save(figure: Figure, path: Path) -> bool:
    """Write a figure as PNG and close it; return True: there is a plot."""
    make_legible(figure)
    with whole(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
    pyplot.close(figure)
    return True
