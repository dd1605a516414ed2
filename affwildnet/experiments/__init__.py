"""The papers as data: one entry per experiment, found by name. One file per paper."""

from dataclasses import dataclass

from affwildnet.experiments import cvprw2017, ijcv2019, omg2019, sample, thesis2018
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.published import Published
from tfrecords_tools.errors import UserError, suggestion


@dataclass(frozen=True)
class Paper:
    """A paper: its title, its experiments, and the rows of its tables that are other groups' methods."""

    title: str
    experiments: tuple[Experiment, ...]
    others: tuple[Published, ...] = ()


PAPERS: dict[str, Paper] = {
    "sample": Paper("No paper: the sample corpus of animated portraits", sample.EXPERIMENTS),
    "ijcv2019": Paper(ijcv2019.TITLE, ijcv2019.EXPERIMENTS, ijcv2019.OTHERS),
    "cvprw2017": Paper(cvprw2017.TITLE, cvprw2017.EXPERIMENTS, cvprw2017.OTHERS),
    "omg2019": Paper(omg2019.TITLE, omg2019.EXPERIMENTS, omg2019.OTHERS),
    "thesis2018": Paper(thesis2018.TITLE, thesis2018.EXPERIMENTS, thesis2018.OTHERS),
}
EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for paper in PAPERS.values() for experiment in paper.experiments
}


def get(name: str) -> Experiment:
    """Return the experiment of that name.

    Raises:
      UserError: if there is none; the message has the nearest name and where to find them all.
    """
    if name not in EXPERIMENTS:
        raise UserError(
            f"`--experiment` must be one of the {len(EXPERIMENTS)} that `python -m affwildnet.experiments` lists. "
            f"Received: {name}.{suggestion(name, EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]
