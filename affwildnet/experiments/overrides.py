"""Experiments to and from JSON, and single fields overridden from a command line, with their types."""

import dataclasses
import types
import typing
from typing import Any

from affwildnet.experiments import bounds, choices
from affwildnet.experiments.config import Experiment
from tfrecords_tools.errors import UserError, suggestion

# What an experiment is, not how it is run.
_FIXED = ("name", "published")
# Names of fields in working directories of earlier versions.
_RENAMED = {"trunk": "backbone"}


def override(experiment: Experiment, assignments: list[str]) -> Experiment:
    """Return a copy with fields replaced, each given as `part.field=value`, such as `training.batch_size=2`.

    Several values are written with commas (`model.hidden=4096,2000`; `model.hidden=` means none).

    Example:

    ```python
    override(experiments.get("sample/affwildnet"), ["training.batch_size=2", "model.hidden=256,128"])
    ```

    Raises:
      UserError: for a name that is not a field (the closest one is suggested), or a value that is not of its type or
        range.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"An override must be like training.batch_size=2. Received: {assignment}")
        experiment = _replaced(experiment, path.split("."), text, path)
    return experiment


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
    elif len(path) > 1 or path[0] in _FIXED or not _is_plain(kinds[path[0]]):
        raise UserError(f"An override must name a field that can be overridden. Received: {whole}.")
    else:
        new = _parsed(kinds[path[0]], text, whole)
        bounds.check(whole, new)
        choices.check(whole, new)
    return dataclasses.replace(config, **{path[0]: new})


def names() -> list[str]:
    """Return the names of the fields that `override` can replace, such as `training.batch_size`."""
    found = {name: _kind(Experiment, name.split(".")) for name in _field_names(Experiment)}
    return [name for name, kind in found.items() if name not in _FIXED and _is_plain(kind)]


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
    if kind in (int, float) and ("_" in text or not text.isascii()):  # Python reads 1_0 as 10
        raise ValueError
    return kind(text)


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
    return kind(**{name: _value(kinds[name], value) for name, value in fields.items()})


def _value(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _built(kind, value)
    if isinstance(kind, types.GenericAlias) and kind.__origin__ is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_value(item, part) for part in value)
    return value
