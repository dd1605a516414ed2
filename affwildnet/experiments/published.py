"""How the papers' tables are written down: a row of numbers, and a paper with its experiments."""

from collections.abc import Sequence
from dataclasses import dataclass

from affwildnet.experiments.config import Experiment, Published

DIMENSIONS = ("valence", "arousal", "mean")
# EmotiW's order; the last is the share of all videos.
EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happy", "sad", "surprise", "total")


@dataclass(frozen=True)
class Paper:
    """A paper: its title, its experiments, and the rows of its tables that are other groups' methods."""

    title: str
    experiments: tuple[Experiment, ...]
    others: tuple[Published, ...] = ()


def row(
    source: str,
    table: str,
    name: str,
    corpus: str,
    ccc: Sequence[float] = (),
    mse: Sequence[float] = (),
    pearson: Sequence[float] = (),
    note: str = "",
) -> Published:
    """Returns a row of a table; of each metric valence and arousal, then their mean where the paper prints it."""
    metrics = {"ccc": ccc, "mse": mse, "pearson": pearson}
    scores = {metric: dict(zip(DIMENSIONS, values, strict=False)) for metric, values in metrics.items() if values}
    return Published(source, table, name, corpus, scores, note)


def accuracy_row(
    source: str, table: str, name: str, corpus: str, accuracies: Sequence[float], note: str = ""
) -> Published:
    """Returns a row of accuracies: of the seven expressions and the total, or of the total alone."""
    names = EXPRESSIONS if len(accuracies) > 1 else EXPRESSIONS[-1:]
    return Published(source, table, name, corpus, {"accuracy": dict(zip(names, accuracies, strict=True))}, note)
