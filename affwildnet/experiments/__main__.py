"""`python -m affwildnet.experiments [NAME]`: lists the experiments, or shows one with its published numbers."""

import dataclasses
import sys

from affwildnet.experiments import EXPERIMENTS, get
from affwildnet.experiments.config import Experiment
from tfrecords_tools.errors import UserError, exit_status


def listing() -> str:
    """Returns a line for each experiment: name, published CCC of valence and arousal, title."""
    lines = [f"{'experiment':<32}{'CCC v':>7}{'CCC a':>7}  title"]
    for name, experiment in EXPERIMENTS.items():
        ccc = experiment.published[0].scores["ccc"] if experiment.published else {}
        numbers = "".join(f"{ccc[key]:7.3f}" if key in ccc else f"{'-':>7}" for key in ("valence", "arousal"))
        lines.append(f"{name:<32}{numbers}  {experiment.title}")
    return "\n".join(lines)


def description(experiment: Experiment) -> str:
    """Returns every field of an experiment, and its published numbers, as lines of text."""
    lines = [experiment.name, experiment.title]
    for part in ("model", "training", "evaluation"):
        lines.append(f"{part}:")
        for name, value in dataclasses.asdict(getattr(experiment, part)).items():
            lines.append(f"  {name} = {value}")
    for row in experiment.published:
        lines.append(f"published in {row.source}, table {row.table}, row {row.row!r}, on {row.corpus}:")
        for metric, scores in row.scores.items():
            lines.append(f"  {metric}: " + ", ".join(f"{name} {value}" for name, value in scores.items()))
    if experiment.notes:
        lines.append(f"notes: {experiment.notes}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    if len(arguments) > 1:
        raise UserError(f"At most one name of an experiment is wanted. Received: {' '.join(arguments)}")
    print(description(get(arguments[0])) if arguments else listing())


if __name__ == "__main__":
    sys.exit(exit_status(lambda: main(sys.argv[1:])))
