"""Whether a run is a rehearsal, and what its weights come from: known from files, and carried on from run to run.

A run that starts from the checkpoint of a rehearsal is one itself, however wide its network is. So each checkpoint's
card says why its run is a rehearsal, if it is one, and a run that starts from it has that reason too.
"""

from pathlib import Path
from zipfile import BadZipFile

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.departures import inherited, rehearsal
from affwildnet.runs import card
from affwildnet.runs.json_files import read_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError

# The field of a card's provenance that has the reasons.
FIELD = "rehearsal"
_UNREADABLE = (UserError, OSError, BadZipFile, TypeError, KeyError, ValueError)


def initial_weights(init: str) -> str:
    """Return where the weights in a file come from, as `affwildnet weights import` notes it beside the file."""
    try:
        return str(read_json(Path(init).with_suffix(".json"))["title"]) if init else ""
    except _UNREADABLE:
        return ""


def of_experiment(experiment: Experiment) -> tuple[str, ...]:
    """Return why a run of an experiment is a rehearsal, by itself or by what it starts from; empty where it is none."""
    return _of_experiment(experiment, frozenset())


def of_checkpoint(path: Path, experiment: Experiment) -> tuple[str, ...]:
    """Return why the run of a checkpoint is a rehearsal: as its card has it, else as `of_experiment`.

    Args:
      path: the `.keras` file.
      experiment: of its run.
    """
    noted = _on_card(path)
    return of_experiment(experiment) if noted is None else noted


def _of_experiment(experiment: Experiment, seen: frozenset[Path]) -> tuple[str, ...]:
    init, registered = experiment.training.init, EXPERIMENTS.get(experiment.name)
    own = rehearsal(experiment, registered, initial_weights(init)) if registered else ()
    before = _of_file(Path(init), seen) if init else ()
    return tuple(dict.fromkeys([*own, *map(inherited, before)]))


def _of_file(path: Path, seen: frozenset[Path]) -> tuple[str, ...]:
    """Return why the run that a file of weights comes from is a rehearsal: by its card, else by its folder."""
    noted = _on_card(path)
    if noted is not None or path in seen:
        return noted or ()
    try:
        # Checkpoints lie in a folder of the working directory, `checkpoints` or `best`.
        return _of_experiment(Workdir(path.parent.parent).open().experiment, seen | {path})
    except _UNREADABLE:
        return ()


def _on_card(path: Path) -> tuple[str, ...] | None:
    try:
        own = card.read(path)
    except _UNREADABLE:
        return None
    noted = own.provenance.get(FIELD) if own and isinstance(own.provenance, dict) else None
    return tuple(map(str, noted)) if isinstance(noted, list) else None
