"""The names that fields of an experiment may have, so that a wrong one is seen at once.

Each table of things by name (backbones, cells, losses) lies where they are built; a test holds these names against it.
"""

from collections.abc import Sequence
from typing import Any

from affwildnet.experiments.config import PROTOCOLS
from tfrecords_tools.errors import check_choice

CHOICES: dict[str, tuple[str, ...]] = {
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
    "stages.NAME.frozen_normalisation": ("inference", "training"),
    "evaluation.window_rule": ("consecutive", "first_to_last"),
    "evaluation.aggregation": ("median", "mean"),
    "evaluation.post_process": ("median_filter", "smoothing"),
    "protocol": tuple(PROTOCOLS),
}


def check(name: str, value: Any, called: str = "") -> None:
    """Raise a `UserError` if a name, or one of several, is none that the field can have.

    Args:
      name: of the field, such as `training.loss`; of one that names nothing, any value is right.
      value: of the field.
      called: its name in the message; empty is `name`.
    """
    if name in CHOICES:
        several = isinstance(value, Sequence) and not isinstance(value, str)
        for each in value if several else [value]:
            check_choice(called or name, each, CHOICES[name])


def check_all(config: Any, part: str) -> None:
    """Check each field of one part of an experiment: "model", "training" or "evaluation"."""
    for name in CHOICES:
        if name.startswith(f"{part}."):
            check(name, getattr(config, name.partition(".")[2]))
