"""The colour bar of a histogram in the valence-arousal plane."""

from matplotlib.ticker import FuncFormatter


def shares_bar(figure, image, axes, shrink: float = 1.0) -> None:
    """Draw a logarithmic bar of percentages beside `axes`, with plain numbers at 1, 2 and 5 times each power of ten.

    Args:
      figure: to draw in.
      image: whose colours it explains.
      axes: one or several, beside which it stands.
      shrink: its length, as a share of theirs.
    """
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    label = "labelled frames per cell [%], logarithmic"
    bar = figure.colorbar(image, ax=axes, label=label, format=plain, shrink=shrink)
    bar.ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""))
