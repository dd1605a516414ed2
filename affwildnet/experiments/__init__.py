"""The papers as data: one file per paper, one entry per experiment, found by name with `get`."""

from dataclasses import dataclass

from affwildnet.experiments import cvprw2017, ijcv2019, omg2019, sample, thesis2018
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.published import Published, Table
from affwildnet.experiments.tables import of_paper
from tfrecords_tools.errors import UserError, suggestion


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
      title: authors, title, place and year.
      experiments: what this package can train and score.
      tables: its tables of results, as printed.
    """

    title: str
    experiments: tuple[Experiment, ...]
    tables: tuple[Table, ...] = ()

    @property
    def others(self) -> tuple[Published, ...]:
        """The rows of its tables on the methods of other groups."""
        return tuple(row for table in self.tables for row in table.rows if not row.experiment)


PAPERS: dict[str, Paper] = {
    "sample": Paper("No paper: the sample corpus of animated portraits", sample.EXPERIMENTS),
    "ijcv2019": Paper(ijcv2019.TITLE, ijcv2019.EXPERIMENTS, of_paper("ijcv2019")),
    "cvprw2017": Paper(cvprw2017.TITLE, cvprw2017.EXPERIMENTS, of_paper("cvprw2017")),
    "omg2019": Paper(omg2019.TITLE, omg2019.EXPERIMENTS, of_paper("omg2019")),
    "thesis2018": Paper(thesis2018.TITLE, thesis2018.EXPERIMENTS, of_paper("thesis2018")),
}
EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for paper in PAPERS.values() for experiment in paper.experiments
}


def get(name: str) -> Experiment:
    """Return the experiment of a name.

    Example:

    ```python
    experiments.get("ijcv2019/affwildnet_vggface").model.recurrent  # "gru"
    ```

    Raises:
      UserError: if there is none; the message suggests the closest name and says how to list all.
    """
    if name not in EXPERIMENTS:
        raise UserError(
            f"An experiment must be one of the {len(EXPERIMENTS)} that `python -m affwildnet.experiments` lists. "
            f"Received: {name}.{suggestion(name, EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]
