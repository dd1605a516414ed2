"""The rules that the description of a network must satisfy, each with a message of its own."""

import math
from collections.abc import Iterable
from numbers import Integral, Real

from affwildnet.experiments import field_values
from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.heads import VALENCE_AROUSAL
from tfrecords_tools.errors import UserError, check_choice

SMALLEST_IMAGE = 32  # below it, the deeper layers of every backbone see only padding


def check(config: ModelConfig, backbones: Iterable[str], cells: Iterable[str], heads: Iterable[str]) -> None:
    """Raise a `UserError` that names the field, the rule and the value unless `config` describes a network.

    Args:
      config: the description.
      backbones, cells, heads: the names that it may use.
    """
    check_choice("backbone", config.backbone, sorted(backbones))
    check_choice("recurrent", config.recurrent, sorted(["none", *cells]))
    check_choice("head", config.head, sorted(heads))
    for field in ("dropout_layers", "recurrent_dropout_is", "fusion"):
        check_choice(field, getattr(config, field), field_values.NAMES[f"model.{field}"])
    _check_numbers(config)
    _check_landmarks(config)
    _check_recurrent(config)
    _check_several(config)
    for member in config.members:
        check(member, backbones, cells, heads)


def check_by_name(config: ModelConfig) -> None:
    """Check as `check` does, against the names in `field_values`: nothing that builds a network is imported."""
    backbones, cells, heads = (field_values.NAMES[f"model.{field}"] for field in ("backbone", "recurrent", "head"))
    check(config, backbones, [name for name in cells if name != "none"], heads)


def _check_numbers(config: ModelConfig) -> None:
    size = config.image_size
    _require(_is_count(size) and size >= SMALLEST_IMAGE, "image_size", f"an integer of at least {SMALLEST_IMAGE}", size)
    _require(_is_number(config.width) and config.width > 0, "width", "a number above 0", config.width)
    for field in ("hidden", "recurrent_units", "joined_hidden"):
        units = getattr(config, field)
        valid = isinstance(units, (tuple, list)) and all(map(_is_count, units))
        _require(valid, field, "a sequence of positive integers", units)
    for field in ("dropout", "output_dropout"):
        rate = getattr(config, field)
        _require(_is_number(rate) and 0 <= rate < 1, field, "a rate in [0, 1)", rate)
    rate = config.recurrent_dropout
    if config.recurrent_dropout_is == "keep":
        _require(_is_number(rate) and 0 < rate <= 1, "recurrent_dropout", "a share in (0, 1] to keep", rate)
    else:
        _require(_is_number(rate) and 0 <= rate < 1, "recurrent_dropout", "a rate in [0, 1)", rate)
    for field in ("pixel_mean", "pixel_scale"):
        values = getattr(config, field)
        valid = isinstance(values, (tuple, list)) and len(values) == 3 and all(map(_is_number, values))
        _require(valid, field, "three numbers (R, G, B)", values)
    scale = config.pixel_scale
    _require(all(value > 0 for value in scale), "pixel_scale", "three numbers (R, G, B) above 0", scale)


def _check_landmarks(config: ModelConfig) -> None:
    join, places = config.landmarks_join, max(1, len(config.hidden))
    valid = _is_count(join) and join <= places
    _require(valid, "landmarks_join", f"the number of a hidden layer, 1 to {places}", join)
    units = config.landmark_encoder
    _require(units == 0 or _is_count(units), "landmark_encoder", "a positive integer, or 0 for none", units)


def _check_recurrent(config: ModelConfig) -> None:
    length = config.attention
    _require(length == 0 or _is_count(length), "attention", "a number of frames, or 0 for none", length)
    if config.recurrent != "none":
        units = config.recurrent_units
        _require(len(units) > 0, "recurrent_units", f"non-empty with `recurrent` {config.recurrent!r}", units)
    else:
        _require(not config.attention, "attention", "0 without `recurrent`", config.attention)
        _require(not config.rnn_inputs, "rnn_inputs", "empty without `recurrent`", config.rnn_inputs)
        alone = not config.members
        _require(
            not (alone and config.joined_hidden), "joined_hidden", "empty without `recurrent`", config.joined_hidden
        )
    entries = config.rnn_inputs
    valid = isinstance(entries, (tuple, list)) and all(isinstance(entry, str) and entry for entry in entries)
    _require(valid and len(set(entries)) == len(entries), "rnn_inputs", "names of taps, each entry once", entries)


def _check_several(config: ModelConfig) -> None:
    if config.separate:
        _require(config.head == VALENCE_AROUSAL, "head", f"{VALENCE_AROUSAL!r} with `separate`", config.head)
        _require(not config.members, "separate", "false with `members`", True)
    for member in config.members:
        whole = not (member.members or member.separate)
        _require(whole, "members", "networks that are neither fused nor separate", member)
    if config.members and config.fusion == "decision":
        more_layers = config.recurrent != "none" or len(config.joined_hidden) > 0
        _require(not more_layers, "fusion", "'model' with `recurrent` or `joined_hidden`", config.fusion)


def _require(holds: bool, field: str, rule: str, value) -> None:
    if not holds:
        raise UserError(f"`{field}` must be {rule}. Received: {field}={value!r}")


def _is_count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
