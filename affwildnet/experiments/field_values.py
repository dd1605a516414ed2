"""The values that the fields of an experiment may have, so that a wrong one is seen at once: ranges and names.

Each table of things by name (backbones, cells, losses) lies where they are built; a test holds the names here against
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affwildnet.experiments.config import PROTOCOLS
from tfrecords_tools.errors import UserError, check_choice

_MANY, _SEED = 10**12, 2**32 - 1


@dataclass(frozen=True)
class Range:
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


_COUNT, _UNITS, _SHARE = Range(1, _MANY), Range(1, 10**6), Range(0, 1)

RANGES: dict[str, Range] = {
    "model.image_size": Range(32, 4096),
    "model.width": Range(0, 100, above=True),
    "model.landmarks_join": Range(1, 100),
    "model.landmark_encoder": Range(0, 10**6),
    "model.hidden": _UNITS,
    "model.dropout": _SHARE,
    "model.recurrent_units": _UNITS,
    "model.recurrent_dropout": _SHARE,
    "model.output_dropout": _SHARE,
    "model.attention": Range(0, 10**5),
    "model.joined_hidden": _UNITS,
    "model.normalisation_momentum": _SHARE,
    "model.pixel_mean": Range(-1e6, 1e6),
    "model.pixel_scale": Range(0, 1e6, above=True),
    "training.batch_size": _COUNT,
    "training.window": _COUNT,
    "training.max_gap": _COUNT,
    "training.steps": _COUNT,
    "training.learning_rate": Range(0, 1e38, above=True),
    "training.epsilon": Range(0, 1e30, above=True),
    "training.l2": Range(0, 1e30),
    "training.decay_rate": Range(0, 10, above=True),
    "training.decay_steps": _COUNT,
    "training.clip_norm": Range(0, 1e30),
    "training.balance": _SHARE,
    "training.colour_jitter": _SHARE,
    "training.landmark_jitter": _SHARE,
    "training.cache_gb": Range(0, 1e6, above=True),
    "training.seed": Range(0, _SEED),
    "training.log_steps": _COUNT,
    "training.checkpoint_steps": _COUNT,
    "training.checkpoint_minutes": Range(0, 1e9, above=True),
    "training.keep_checkpoints": _COUNT,
    "stages.NAME.learning_rate": Range(0, 1e38, above=True),
    "stages.NAME.steps": Range(0, _MANY),
    "evaluation.batch_size": _COUNT,
    "evaluation.window": _COUNT,
    "evaluation.max_gap": _COUNT,
    "evaluation.overlap": Range(0, _MANY),
    "evaluation.sequence": _COUNT,
    "evaluation.patience": Range(0, _MANY),
}

NAMES: dict[str, tuple[str, ...]] = {
    "model.backbone": ("cnn_m", "densenet121", "densenet169", "resnet50", "resnet50_slim", "vgg16"),
    "model.recurrent": ("none", "gru", "indrnn", "lstm"),
    "model.head": ("valence_arousal", "expression"),
    "model.dropout_layers": ("first", "all"),
    "model.recurrent_dropout_is": ("rate", "keep"),
    "model.fusion": ("model", "decision"),
    "training.window_rule": ("consecutive", "padded", "first_to_last"),
    "training.loss": ("ccc", "cross_entropy", "mse"),
    "training.precision": ("float32", "tf32", "mixed_bfloat16", "mixed_float16"),
    "training.jit_compile": ("auto", "true", "false"),
    "training.cache": ("off", "float16", "bfloat16", "float32"),
    "stages.NAME.frozen_normalisation": ("inference", "training"),
    "evaluation.window_rule": ("consecutive", "first_to_last"),
    "evaluation.aggregation": ("median", "mean"),
    "evaluation.post_process": ("median_filter", "smoothing"),
    "data.alignment": ("crop", "procrustes"),
    "data.labels": ("one_annotator",),
    "protocol": tuple(PROTOCOLS),
}

# Names that may be left empty.
_OR_EMPTY = ("data.alignment", "data.labels")


def check(name: str, value: Any, called: str = "") -> None:
    """Raise a `UserError` if a value, or one of several, is none that the field can have.

    Args:
      name: of the field, such as `training.seed`; of one that is in neither table, any value is right.
      value: of the field.
      called: its name in the message; empty is `name`.
    """
    called = called or name
    several = isinstance(value, Sequence) and not isinstance(value, str)
    for each in value if several else [value]:
        if name in NAMES and not (name in _OR_EMPTY and each == ""):
            check_choice(called, each, NAMES[name])
        if name in RANGES and (rule := RANGES[name].fault(each)):
            raise UserError(f"`{called}` must be {rule}. Received: {each}")


def check_all(config: Any, part: str) -> None:
    """Check each field of one part of an experiment: "model", "training" or "evaluation"."""
    for name in (*RANGES, *NAMES):
        if name.startswith(f"{part}."):
            check(name, getattr(config, name.partition(".")[2]))


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.10g}"
