"""What a model's configuration must satisfy, each rule with its own message."""

import math
from collections.abc import Iterable
from numbers import Integral, Real

from affwildnet.experiments.config import ModelConfig
from tfrecords_tools.errors import UserError, check_choice

SMALLEST_IMAGE = 32  # below it the deeper layers of every trunk see padding only


def check(config: ModelConfig, trunks: Iterable[str], heads: Iterable[str]) -> None:
    """Raises UserError, naming the field, the rule and the value, unless `config` describes a network."""
    check_choice("trunk", config.trunk, sorted(trunks))
    check_choice("recurrent", config.recurrent, sorted(["none", *heads]))
    size = config.image_size
    _require(_is_count(size) and size >= SMALLEST_IMAGE, "image_size", f"an integer of at least {SMALLEST_IMAGE}", size)
    _require(_is_number(config.width) and config.width > 0, "width", "a number above 0", config.width)
    for field in ("hidden", "recurrent_units"):
        units = getattr(config, field)
        valid = isinstance(units, (tuple, list)) and all(map(_is_count, units))
        _require(valid, field, "a sequence of positive integers", units)
    if config.recurrent != "none":
        units = config.recurrent_units
        _require(len(units) > 0, "recurrent_units", f"not empty with `recurrent` {config.recurrent!r}", units)
    for field in ("dropout", "recurrent_dropout"):
        rate = getattr(config, field)
        _require(_is_number(rate) and 0 <= rate < 1, field, "a rate in [0, 1)", rate)
    mean = config.pixel_mean
    valid = isinstance(mean, (tuple, list)) and len(mean) == 3 and all(map(_is_number, mean))
    _require(valid, "pixel_mean", "three numbers (R, G, B)", mean)
    scale = config.pixel_scale
    _require(_is_number(scale) and scale > 0, "pixel_scale", "a number above 0", scale)
    _require(_is_count(config.outputs), "outputs", "a positive integer", config.outputs)


def _require(holds: bool, field: str, rule: str, value) -> None:
    if not holds:
        raise UserError(f"`{field}` must be {rule}. Received: {field}={value!r}")


def _is_count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
