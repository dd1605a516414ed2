"""What a user asks of a table, and which runs and reports that comes to."""

from dataclasses import dataclass, field
from pathlib import Path

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import override, with_effect
from affwildnet.experiments.published import Published, Table
from affwildnet.reproduce.starting_weights import Given
from affwildnet.runs import report_names

SIFT_SVR = "baselines/sift_svr"
_PLAIN = "evaluation.post_process="


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
      table: to be reproduced.
      data_dir: folder of the packed corpus; None where it is not known yet, for a listing.
      workdir: the table's.
      settings: overridden fields of every row on which they have an effect, such as "model.width=0.1".
      given: weights, and other corpora.
      only: short names of the experiments to run; empty runs all.
      patience: checkpoints without a better one after which a row's training ends; None is what the experiment says.
    """

    table: Table
    data_dir: Path
    workdir: Path
    settings: tuple[str, ...] = ()
    given: Given = field(default_factory=Given)
    only: tuple[str, ...] = ()
    patience: int | None = None

    def settings_of(self, experiment: Experiment) -> list[str]:
        """Return the settings that have an effect on an experiment."""
        return with_effect(experiment, self.settings)

    def run_of(self, name: str) -> Experiment:
        """Return an experiment as it is run, with its settings."""
        experiment = EXPERIMENTS[name]
        return override(experiment, self.settings_of(experiment))


def short(experiment: str) -> str:
    """Return the name of an experiment without its paper."""
    return experiment.split("/")[-1]


def experiments_of(table: Table) -> list[str]:
    """Return the names of the experiments of a table's rows, each once, in the table's order."""
    return list(dict.fromkeys(row.experiment for row in (*table.rows, *table.beside) if row.experiment))


def split_of(row: Published) -> str:
    """Return the split that a published row is of."""
    return "validation" if "validation set" in row.corpus else "test"


def report_of(row: Published, experiment: Experiment, workdir: Path) -> Path:
    """Return the path of the report of a row of a table."""
    if row.experiment == SIFT_SVR:
        return workdir / short(SIFT_SVR) / "sift_svr" / "report-test.json"
    folder = workdir / short(row.experiment)
    if experiment.training.stages:  # the last one is what is scored
        folder /= experiment.training.stages[-1].name
    name = report_names.stem(split_of(row), report_names.label(row.checkpoint, scored_with(row, experiment)))
    return folder / f"{name}.json"


def scored_with(row: Published, experiment: Experiment) -> list[str]:
    """Return the fields of evaluation that a row is scored with other than the experiment's."""
    without = row.post_processing is False and EXPERIMENTS[experiment.name].evaluation.post_process
    return [_PLAIN] if without else []
