"""The papers as data: one entry per experiment, found by name. One file per paper."""

from affwildnet.experiments import ijcv2019, sample
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import suggestion
from tfrecords_tools.errors import UserError

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for paper in (sample, ijcv2019) for experiment in paper.EXPERIMENTS
}


def get(name: str) -> Experiment:
    """Returns the experiment of that name.

    Raises:
      UserError: if there is none; the message has the nearest name and the list.
    """
    if name not in EXPERIMENTS:
        raise UserError(
            f"`--experiment` must be one of {', '.join(EXPERIMENTS)}. Received: {name}."
            f"{suggestion(name, list(EXPERIMENTS))}"
        )
    return EXPERIMENTS[name]
