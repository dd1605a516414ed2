"""Patterns of layers' names: what each layer starts from, and which are trained."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from fnmatch import fnmatchcase

from affwildnet.experiments.config import Stage, TrainingConfig
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError

RANDOM, INIT = "random", "init"


def matching(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names that any of the patterns matches (`fnmatch`, case-sensitive)."""
    patterns = list(patterns)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def sources_of(names: list[str], run: Run) -> dict[str, str]:
    """Return what each layer of a run's network starts from: `RANDOM`, `INIT` or the name of a stage.

    Args:
      names: of the layers that have weights.

    Raises:
      UserError: for a pattern of the run's stage that matches no layer, and for a layer that none of them matches.
    """
    config, stage = run.experiment.training, run.stage
    if stage is None:
        sources = dict.fromkeys(names, INIT if config.init else RANDOM)
    else:
        last = {}
        for pattern, source in stage.starts:
            last |= dict.fromkeys(_matched(stage, "starts", pattern, names), source)
        if missing := [name for name in names if name not in last]:
            raise UserError(
                f"Stage {stage.name}: `starts` must match every layer with weights. No pattern matches: "
                f"{summary(missing)}."
            )
        sources = {name: last[name] for name in names}
    for name in matching(config.init_skip, names):
        if sources[name] == INIT:
            sources[name] = RANDOM
    return sources


def trained_by(stage: Stage, names: list[str]) -> list[str]:
    """Return which of a network's layers with weights a stage trains.

    Raises:
      UserError: for a pattern that matches none of them, or if there is no pattern.
    """
    if not stage.trainable:
        raise UserError(f"Stage {stage.name}: `trainable` must name layers. Received: none.")
    for pattern in stage.trainable:
        _matched(stage, "trainable", pattern, names)
    return matching(stage.trainable, names)


def check_skip(config: TrainingConfig, names: list[str]) -> None:
    """Raise a `UserError` for a pattern of `init_skip` that matches none of these layers."""
    for pattern in config.init_skip:
        if not matching([pattern], names):
            raise UserError(
                f"`training.init_skip` must match layers of the network. Received: {pattern}.{_nearest(pattern, names)}"
            )


def summary(names: list[str]) -> str:
    """Return the names if they are few, else their number."""
    return ", ".join(names) or "none" if len(names) <= 6 else f"{len(names)} layers"


def _matched(stage: Stage, field: str, pattern: str, names: list[str]) -> list[str]:
    found = matching([pattern], names)
    if not found:
        raise UserError(
            f"Stage {stage.name}: `{field}` must match layers with weights. Received: {pattern}."
            f"{_nearest(pattern, names)}"
        )
    return found


def _nearest(pattern: str, names: list[str]) -> str:
    wanted = pattern.strip("*?")
    alike = sorted(names, key=lambda name: SequenceMatcher(None, wanted, name).ratio(), reverse=True)
    return f" The nearest layers: {', '.join(alike[:3])}."
