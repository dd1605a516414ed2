"""What all plots share: colours, names that fit, and how a figure becomes a picture.

Colours are of the Okabe-Ito palette, which the colour-blind can tell apart; lines also differ in their style.
"""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
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
DPI = 110


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


def subplots(rows: int, columns: int, size: tuple[float, float], layout: str = "constrained", **more):
    """Return a figure and its axes, as `pyplot.subplots` does, but of no global state: any thread may draw one.

    Args:
      size: width and height in inches.
      more: of `Figure.subplots`.
    """
    figure = Figure(figsize=size, layout=layout)
    return figure, figure.subplots(rows, columns, **more)


def pixels(figure: Figure) -> np.ndarray:
    """Return a figure as (height, width, 3) uint8 RGB.

    It is laid out and drawn once, where `Figure.savefig` goes through all of its texts twice.
    """
    make_legible(figure)
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    # A third of the time that the default level takes, for files of the same size.
    _, encoded = cv2.imencode(".png", pixels(figure)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    return encoded.tobytes()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    with whole(path) as partial:
        partial.write_bytes(png(figure))
