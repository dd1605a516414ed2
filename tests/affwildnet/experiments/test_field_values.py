"""Every number that `--set` takes has a range, and what is outside is refused in one line."""

import math
import typing

import pytest

from affwildnet import experiments
from affwildnet.experiments import overrides
from affwildnet.experiments.config import Experiment, Stage
from affwildnet.experiments.field_values import RANGES, Range, check_all
from tfrecords_tools.errors import UserError

EXPERIMENT = experiments.get("ijcv2019/affwildnet_resnet50")
STAGED = experiments.get("thesis2018/vggface_attention_c3")
HOSTILE = ("-1", "0", "-1e9", "1e400", "nan", "inf", "-inf", "9" * 30, "1e308", "-0.5", "", "x", "1_0", "٣", "0x10")


def numeric_fields():
    of_stages = {f"stages.NAME.{name}": kind for name, kind in typing.get_type_hints(Stage).items()}
    for name in [*overrides.names(), *overrides.names_of_stages()]:
        kind = of_stages.get(name) or overrides._kind(Experiment, name.split("."))
        item = (typing.get_args(kind) or (kind,))[0]
        if item in (int, float):
            yield name


def test_every_numeric_field_has_a_range():
    assert set(numeric_fields()) == set(RANGES)


@pytest.mark.parametrize("name", RANGES)
def test_a_number_is_in_its_range_or_refused_in_one_line(name):
    for text in HOSTILE:
        value, message = outcome(name, text)
        if message:
            assert f"`{name.replace('NAME', 'c2')}` must be" in message
            assert "Received:" in message
            assert "\n" not in message
            continue
        for number in value if isinstance(value, tuple) else [value]:
            assert text not in ("1_0", "٣")
            assert math.isfinite(number)
            assert not RANGES[name].fault(number)


def outcome(name, text):
    """The value that the field got, or the message."""
    experiment = STAGED if "NAME" in name else EXPERIMENT
    try:
        value = overrides.override(experiment, [f"{name.replace('NAME', 'c2')}={text}"])
    except UserError as error:
        return None, str(error)
    if "NAME" in name:
        return getattr(value.training.stages[0], name.rpartition(".")[2]), ""
    for part in name.split("."):
        value = getattr(value, part)
    return value, ""


def test_a_negative_seed_is_refused():
    with pytest.raises(UserError, match=r"`training\.seed` must be at least 0\. Received: -1"):
        overrides.override(EXPERIMENT, ["training.seed=-1"])


def test_all_experiments_have_values_that_fields_may_have():
    for experiment in experiments.EXPERIMENTS.values():
        for part in ("model", "training", "evaluation"):
            check_all(getattr(experiment, part), part)


def test_what_a_number_breaks_is_said():
    bounds = Range(0, 5, above=True)
    faults = [bounds.fault(value) for value in (0, 6, math.nan, math.inf, 3)]
    assert faults == ["above 0", "at most 5", "above 0", "at most 5", ""]
