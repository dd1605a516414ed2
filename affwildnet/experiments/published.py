"""A row of a published table, as data."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

# The columns of the papers' tables: of a metric, and of accuracies in EmotiW's order and words, with the share of all
# videos last.
_METRIC_COLUMNS = ("valence", "arousal", "mean")
_ACCURACY_COLUMNS = ("neutral", "anger", "disgust", "fear", "happy", "sad", "surprise", "total")


@dataclass(frozen=True)
class Published:
    """One row of a published table.

    Attributes:
      source: the paper, as in the names of its experiments.
      table: number of the table.
      row: name of the row.
      corpus: corpus and split that were scored.
      scores: values by metric and column, such as `{"ccc": {"valence": 0.57, "arousal": 0.43}}`.
      note: what a reader of the row has to know, such as a doubtful digit.
    """

    source: str
    table: str
    row: str
    corpus: str
    scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    note: str = ""


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
    """Return a row of scores: per metric valence and arousal, and their mean if the paper prints it."""
    metrics = {"ccc": ccc, "mse": mse, "pearson": pearson}
    scores = {metric: dict(zip(_METRIC_COLUMNS, values, strict=False)) for metric, values in metrics.items() if values}
    return Published(source, table, name, corpus, scores, note)


def accuracy_row(
    source: str, table: str, name: str, corpus: str, accuracies: Sequence[float], note: str = ""
) -> Published:
    """Return a row of accuracies: those of the seven expressions and the total, or the total alone."""
    names = _ACCURACY_COLUMNS if len(accuracies) > 1 else _ACCURACY_COLUMNS[-1:]
    return Published(source, table, name, corpus, {"accuracy": dict(zip(names, accuracies, strict=True))}, note)
