"""The papers as data: one entry per experiment, found by name. One file per paper."""

from affwildnet.experiments import ijcv2019, sample
from affwildnet.experiments.config import Experiment
from tfrecords_tools.errors import check_choice

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for paper in (sample, ijcv2019) for experiment in paper.EXPERIMENTS
}


def get(name: str) -> Experiment:
    """Returns the experiment of that name.

    Raises:
      UserError: if there is none; the message has the nearest name and the list.
    """
    check_choice("--experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
