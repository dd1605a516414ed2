"""The range of every number among the fields of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfrecords_tools.errors import UserError

_MANY, _SEED = 10**12, 2**32 - 1


@dataclass(frozen=True)
class Bounds:
    """From `low` to `high`; with `above`, the low end itself is out."""

    low: float
    high: float
    above: bool = False

    def fault(self, value: float) -> str:
        """Return the rule that a number breaks, such as "at least 1"; "" if it breaks none."""
        if self.above and not value > self.low:  # also NaN
            return f"above {_shown(self.low)}"
        if not value >= self.low:
            return f"at least {_shown(self.low)}"
        return f"at most {_shown(self.high)}" if value > self.high else ""


_COUNT, _UNITS, _SHARE = Bounds(1, _MANY), Bounds(1, 10**6), Bounds(0, 1)

BOUNDS: dict[str, Bounds] = {
    "model.image_size": Bounds(32, 4096),
    "model.width": Bounds(0, 100, above=True),
    "model.landmarks_join": Bounds(1, 100),
    "model.landmark_encoder": Bounds(0, 10**6),
    "model.hidden": _UNITS,
    "model.dropout": _SHARE,
    "model.recurrent_units": _UNITS,
    "model.recurrent_dropout": _SHARE,
    "model.output_dropout": _SHARE,
    "model.attention": Bounds(0, 10**5),
    "model.joined_hidden": _UNITS,
    "model.normalisation_momentum": _SHARE,
    "model.pixel_mean": Bounds(-1e6, 1e6),
    "model.pixel_scale": Bounds(0, 1e6, above=True),
    "training.batch_size": _COUNT,
    "training.window": _COUNT,
    "training.max_gap": _COUNT,
    "training.steps": _COUNT,
    "training.learning_rate": Bounds(0, 1e38, above=True),
    "training.epsilon": Bounds(0, 1e30, above=True),
    "training.l2": Bounds(0, 1e30),
    "training.decay_rate": Bounds(0, 10, above=True),
    "training.decay_steps": _COUNT,
    "training.clip_norm": Bounds(0, 1e30),
    "training.balance": _SHARE,
    "training.colour_jitter": _SHARE,
    "training.landmark_jitter": _SHARE,
    "training.seed": Bounds(0, _SEED),
    "training.log_steps": _COUNT,
    "training.checkpoint_steps": _COUNT,
    "training.checkpoint_minutes": Bounds(0, 1e9, above=True),
    "training.keep_checkpoints": _COUNT,
    "stages.NAME.learning_rate": Bounds(0, 1e38, above=True),
    "stages.NAME.steps": Bounds(0, _MANY),
    "evaluation.batch_size": _COUNT,
    "evaluation.window": _COUNT,
    "evaluation.max_gap": _COUNT,
    "evaluation.overlap": Bounds(0, _MANY),
    "evaluation.sequence": _COUNT,
    "evaluation.patience": Bounds(0, _MANY),
}


def check(name: str, value: Any, called: str = "") -> None:
    """Raise a `UserError` if a number, or one of several, is outside the range of the field.

    Args:
      name: of the field, such as `training.seed`; of one that holds no numbers, any value is right.
      value: of the field.
      called: its name in the message; empty is `name`.
    """
    called = called or name
    bounds = BOUNDS.get(name)
    for number in value if isinstance(value, Sequence) else [value]:
        if bounds is not None and (rule := bounds.fault(number)):
            raise UserError(f"`{called}` must be {rule}. Received: {number}")


def check_all(config: Any, part: str) -> None:
    """Check each field of one part of an experiment: "model", "training" or "evaluation"."""
    for name in BOUNDS:
        if name.startswith(f"{part}."):
            check(name, getattr(config, name.partition(".")[2]))


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
