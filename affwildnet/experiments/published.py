"""A published table, and its rows, as data."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
      experiment: name of the experiment whose result it is; "" for the methods of other groups.
      checkpoint: which of the run's best checkpoints was scored: "best_mean", "best_valence" or "best_arousal".
      post_processing: whether the predictions were post-processed; None where the paper has no such step, or does not
        say.
      region: the part of the plane of valence and arousal that the row is of, such as "V in [0, 1], A in [0, 0.5)"; ""
        for all of it.
    """

    source: str
    table: str
    row: str
    corpus: str
    scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    note: str = ""
    experiment: str = ""
    checkpoint: str = "best_mean"
    post_processing: bool | None = None
    region: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a paper that has results.

    Attributes:
      source: the paper, as in the names of its experiments.
      number: of the table.
      title: what it compares, in a few words.
      rows: as printed, in the paper's order; where the paper prints two results side by side, such as with and without
        landmarks, each is a row.
      beside: what the paper's text says of other methods without a number in the table.
      note: what a reader of the table has to know.
    """

    source: str
    number: str
    title: str
    rows: tuple[Published, ...]
    beside: tuple[Published, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """Paper and number, such as "ijcv2019/9"."""
        return f"{self.source}/{self.number}"


def table(
    name: str,
    title: str,
    corpus: str,
    rows: Sequence[Published],
    *,
    beside: Sequence[Published] = (),
    note: str = "",
) -> Table:
    """Return a table; rows get its paper and number, and its corpus where they have none of their own.

    Args:
      name: paper and number, such as "ijcv2019/9".
      title: what it compares, in a few words.
      corpus: corpus and split that were scored.
      rows, beside, note: see `Table`; an experiment's name without a slash is one of the same paper.
    """
    source, number = name.split("/")

    def placed(row: Published) -> Published:
        experiment = row.experiment if "/" in row.experiment or not row.experiment else f"{source}/{row.experiment}"
        return replace(row, source=source, table=number, corpus=row.corpus or corpus, experiment=experiment)

    return Table(source, number, title, tuple(map(placed, rows)), tuple(map(placed, beside)), note)


def row(
    name: str,
    experiment: str = "",
    *,
    ccc: Sequence[float] = (),
    mse: Sequence[float] = (),
    pearson: Sequence[float] = (),
    rmse: Sequence[float] = (),
    accuracy: Sequence[float] = (),
    corpus: str = "",
    **more,
) -> Published:
    """Return a row for `table`.

    Args:
      name: of the row.
      experiment: whose result it is, without its paper where that is the table's; "" for other groups.
      ccc, mse, pearson, rmse: valence and arousal, and their mean if the paper prints it.
      accuracy: of the seven expressions in EmotiW's order and the total, or the total alone.
      corpus: where it is not the table's.
      more: other fields of `Published`.
    """
    metrics = {"rmse": rmse, "pearson": pearson, "ccc": ccc, "mse": mse}
    scores = {metric: dict(zip(_METRIC_COLUMNS, values, strict=False)) for metric, values in metrics.items() if values}
    if accuracy:
        names = _ACCURACY_COLUMNS if len(accuracy) > 1 else _ACCURACY_COLUMNS[-1:]
        scores["accuracy"] = dict(zip(names, accuracy, strict=True))
    return Published("", "", name, corpus, scores, experiment=experiment, **more)
