"""Experiments to and from JSON, and single fields overridden from a command line, with their types."""

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any

from affwildnet.experiments import effects, field_values
from affwildnet.experiments.config import Experiment, Stage
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.files.number_text import number

# What an experiment is, not how it is run.
_FIXED = ("name", "title", "published", "notes", "training.stages")
_STAGES = "stages"
# A field that is given alone sets these as well.
_FOLLOWING = {"training.window_rule": "evaluation.window_rule", "training.max_gap": "evaluation.max_gap"}
# Which values of JSON a field may have.
_JSON_TYPES = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
# Names of fields in working directories of earlier versions.
_RENAMED = {"trunk": "backbone"}


def override(experiment: Experiment, assignments: list[str]) -> Experiment:
    """Return a copy with fields replaced, each given as `part.field=value`, such as `training.batch_size=2`.

    Several values are written with commas (`model.hidden=4096,2000`; `model.hidden=` means none). A field of a stage is
    `stages.c2.learning_rate`; `training.learning_rate` sets that of every stage whose own is not given. What decides
    how training cuts windows decides it for evaluation too, unless that is given.

    Example:

    ```python
    override(experiments.get("sample/affwildnet"), ["training.batch_size=2", "model.hidden=256,128"])
    ```

    Raises:
      UserError: for a name that is not a field (the closest one is suggested), a value that is not of its type or
        range, or a field that is changed and has no effect.
    """
    before, given = experiment, []
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"An override must be like training.batch_size=2. Received: {assignment}")
        given.append((_field_of(path), text))
    of_stages = [path.startswith(f"{_STAGES}.") for path, _ in given]
    names = {path for path, _ in given}
    for path, text in [*_chosen(given, of_stages, False), *_chosen(given, of_stages, True)]:
        experiment = _set(experiment, path, text, names)
    for path in names:
        if path.startswith(f"{_STAGES}."):
            if experiment.training.stages != before.training.stages:
                effects.check_stage(experiment, *path.split(".")[1:])
        elif _get(experiment, path) != _get(before, path):
            effects.check(experiment, path)
    return experiment


def with_effect(experiment: Experiment, assignments: Sequence[str]) -> list[str]:
    """Return those of the assignments for `override` that have an effect on an experiment, of many for several.

    Raises:
      UserError: as `override` for all that is wrong with them otherwise.
    """
    kept = list(assignments)
    while True:
        try:
            override(experiment, kept)
            return kept
        except effects.NoEffect as error:
            left = [each for each in kept if _field_of(each) != error.field]
            if left == kept:
                raise
            kept = left


def _field_of(assignment: str) -> str:
    path = assignment.partition("=")[0]
    return path.removeprefix("training.") if path.startswith(f"training.{_STAGES}.") else path


def _chosen(given: list[tuple[str, str]], flags: list[bool], wanted: bool) -> list[tuple[str, str]]:
    return [pair for pair, flag in zip(given, flags, strict=True) if flag == wanted]


def _get(experiment: Experiment, path: str) -> Any:
    for name in path.split("."):
        experiment = getattr(experiment, name)
    return experiment


def _set(experiment: Experiment, path: str, text: str, given: set[str]) -> Experiment:
    """Set one field, and those that follow it and are not among the fields `given`."""
    if path.startswith(f"{_STAGES}."):
        return _with_stage(experiment, path, text)
    experiment = _replaced(experiment, path.split("."), text, path)
    training = experiment.training
    if path == "training.learning_rate":
        stages = tuple(dataclasses.replace(stage, learning_rate=training.learning_rate) for stage in training.stages)
        return dataclasses.replace(experiment, training=dataclasses.replace(training, stages=stages))
    follower = _FOLLOWING.get(path)
    if follower is None or follower in given:
        return experiment
    value = "consecutive" if text == "padded" else text  # an evaluation always pads
    return _replaced(experiment, follower.split("."), value, path)


def _with_stage(experiment: Experiment, path: str, text: str) -> Experiment:
    """Set a field of a stage, such as `stages.c2.learning_rate`."""
    stages = experiment.training.stages
    names = [stage.name for stage in stages]
    _, name, *field = path.split(".")
    if name not in names:
        there = f"the experiment's are {', '.join(names)}" if names else f"{experiment.name} has none"
        raise effects.NoEffect(f"An override must name a stage of the experiment. Received: {path}; {there}.", path)
    kinds = {field: kind for field, kind in typing.get_type_hints(Stage).items() if field != "name"}
    if len(field) != 1 or field[0] not in kinds:
        hint = suggestion(".".join(field), kinds)
        raise UserError(
            f"An override must name a field of the stage {name}. Received: {path}.{hint} Fields here: "
            f"{', '.join(kinds)}."
        )
    value = _pairs(text, path) if field[0] == "starts" else _parsed(kinds[field[0]], text, path)
    field_values.check(f"stages.NAME.{field[0]}", value, path)
    changed = tuple(
        dataclasses.replace(stage, **{field[0]: value}) if stage.name == name else stage for stage in stages
    )
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, stages=changed))


def _pairs(text: str, name: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of a pattern and a source from `*:random,conv*:init`."""
    pairs = tuple(tuple(pair.split(":")) for pair in text.split(",") if pair)
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise UserError(f"`{name}` must be pairs PATTERN:SOURCE, such as *:random,conv*:init. Received: {text!r}")
    return pairs


def _replaced(config: Any, path: list[str], text: str, whole: str) -> Any:
    kinds = typing.get_type_hints(type(config))
    if path[0] not in kinds:
        names = _field_names(Experiment)
        raise UserError(
            f"An override must name a field of the experiment. Received: {whole}.{suggestion(whole, names)} "
            f"Fields here: {', '.join(kinds)}."
        )
    value = getattr(config, path[0])
    if dataclasses.is_dataclass(value):
        if len(path) == 1:
            raise UserError(f"An override must name one field of {whole}. Received: {whole} itself.")
        new = _replaced(value, path[1:], text, whole)
    elif len(path) > 1 or whole in _FIXED or not _is_plain(kinds[path[0]]):
        raise UserError(f"An override must name a field that can be overridden. Received: {whole}.")
    else:
        new = _parsed(kinds[path[0]], text, whole)
        field_values.check(whole, new)
    return dataclasses.replace(config, **{path[0]: new})


def names() -> list[str]:
    """Return the names of the fields that `override` can replace, such as `training.batch_size`."""
    found = {name: _kind(Experiment, name.split(".")) for name in _field_names(Experiment)}
    return [name for name, kind in found.items() if name not in _FIXED and _is_plain(kind)]


def names_of_stages() -> list[str]:
    """Return the names of the fields of a stage that `override` can replace, such as `stages.NAME.steps`."""
    return [f"{_STAGES}.NAME.{field}" for field in typing.get_type_hints(Stage) if field != "name"]


def _kind(kind: Any, path: list[str]) -> Any:
    for name in path:
        kind = typing.get_type_hints(kind)[name]
    return kind


def _field_names(kind: type, prefix: str = "") -> list[str]:
    names = []
    for name, field in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(field):
            names += _field_names(field, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _is_plain(kind: Any) -> bool:
    """Return whether a value of this type can be written on a command line: one value, or several of one type."""
    item = typing.get_args(kind)[0] if isinstance(kind, types.GenericAlias) else kind
    return item in (bool, int, float, str)


def _parsed(kind: Any, text: str, name: str) -> Any:
    try:
        if isinstance(kind, types.GenericAlias):  # tuple[int, ...] or tuple[float, float, float]
            item, *rest = typing.get_args(kind)
            items = tuple(_one(item, part) for part in text.split(",") if part)
            if Ellipsis not in rest and len(items) != len(rest) + 1:
                raise ValueError
            return items
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return _one(kind, text)
    except (ValueError, KeyError, OverflowError):
        wanted = kind if isinstance(kind, types.GenericAlias) else kind.__name__
        raise UserError(f"`{name}` must be of type {wanted}. Received: {text!r}") from None


def _one(kind: type, text: str) -> Any:
    return number(text, kind) if kind in (int, float) else kind(text)


def to_json(experiment: Experiment) -> dict:
    """Return an experiment as a dict that `json` can write."""
    return dataclasses.asdict(experiment)


def from_json(fields: dict, kind: type = Experiment) -> Any:
    """Return the experiment, or the part of type `kind`, that `to_json` made; missing fields get their defaults.

    Raises:
      UserError: if a field is unknown.
    """
    return _built(kind, fields)


def _built(kind: Any, fields: dict) -> Any:
    kinds = typing.get_type_hints(kind)
    fields = {_RENAMED.get(name, name): value for name, value in fields.items()}
    if unknown := fields.keys() - kinds.keys():
        raise UserError(f"The experiment has a field that this version does not know: {', '.join(sorted(unknown))}.")
    return kind(**{name: _value(kinds[name], value, name) for name, value in fields.items()})


def _value(kind: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _built(kind, value)
    if isinstance(kind, types.GenericAlias) and kind.__origin__ is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_value(item, part, name) for part in value)
    if kind is str and isinstance(value, bool):  # `training.jit_compile` of earlier versions
        return str(value).lower()
    if type(kind) is type and type(value) not in _JSON_TYPES.get(kind, (type(value),)):
        raise UserError(f"The field {name} must be of type {kind.__name__}. Received: {str(value)[:40]!r}.")
    return value
