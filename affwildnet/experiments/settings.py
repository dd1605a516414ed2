"""The fields that `--set` overrides: type, default, unit and meaning, from the dataclasses and their docstrings.

`python -m affwildnet.experiments.settings` writes the page of the documentation.
"""

import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass

from affwildnet.experiments import overrides
from affwildnet.experiments.config import (
    DataConfig,
    EvaluationConfig,
    Experiment,
    ModelConfig,
    Stage,
    TrainingConfig,
)
from tfrecords_tools.commands import attributes_of

PARTS = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "stages.NAME": Stage,
    "evaluation": EvaluationConfig,
    "data": DataConfig,
    "": Experiment,
}
TITLES = {
    "model": "The network",
    "training": "Training",
    "stages.NAME": "A stage of training",
    "evaluation": "Evaluation",
    "data": "The packed corpus",
    "": "The experiment",
}
# Of the fields that are numbers; what stands here as "" has no unit.
UNITS = {
    "model.image_size": "pixels",
    "model.width": "",
    "model.landmarks_join": "number of the layer",
    "model.landmark_encoder": "units",
    "model.hidden": "units",
    "model.dropout": "share",
    "model.recurrent_units": "units",
    "model.recurrent_dropout": "share",
    "model.output_dropout": "share",
    "model.attention": "frames",
    "model.joined_hidden": "units",
    "model.normalisation_momentum": "share",
    "model.pixel_mean": "pixel values, 0 to 255",
    "model.pixel_scale": "per pixel value",
    "training.batch_size": "windows",
    "training.window": "frames",
    "training.max_gap": "frames",
    "training.steps": "steps",
    "training.learning_rate": "",
    "training.epsilon": "",
    "training.decay_rate": "",
    "training.decay_steps": "steps",
    "training.l2": "",
    "training.clip_norm": "",
    "training.balance": "shares",
    "training.colour_jitter": "share",
    "training.landmark_jitter": "share of the crop's side",
    "training.cache_gb": "gigabytes",
    "training.seed": "",
    "training.log_steps": "steps",
    "training.checkpoint_steps": "steps",
    "training.checkpoint_minutes": "minutes",
    "training.keep_checkpoints": "checkpoints",
    "stages.NAME.learning_rate": "",
    "stages.NAME.steps": "steps",
    "evaluation.batch_size": "windows",
    "evaluation.window": "frames",
    "evaluation.max_gap": "frames",
    "evaluation.overlap": "frames",
    "evaluation.sequence": "frames",
    "evaluation.patience": "checkpoints",
}


@dataclass(frozen=True)
class Setting:
    """A field that `--set` overrides.

    Attributes:
      name: such as `training.batch_size`.
      type: of its value: int, float, bool, str, or several of one of them, with commas between.
      default: as it is written after the equals sign.
      unit: of a number; empty where it has none.
      meaning: what the dataclass's docstring says of it.
    """

    name: str
    type: str
    default: str
    unit: str
    meaning: str


def settings() -> list[Setting]:
    """Return every field that `--set` overrides, in the order of the dataclasses."""
    found = []
    for name in [*overrides.names(), *overrides.names_of_stages()]:
        part, _, field = name.rpartition(".")
        kind = PARTS[part]
        meaning = attributes_of(kind).get(field, "")
        default = getattr(kind, field) if hasattr(kind, field) else None
        found.append(
            Setting(name, _type(typing.get_type_hints(kind)[field]), _written(default), UNITS.get(name, ""), meaning)
        )
    return found


def table() -> str:
    """Return all fields for a terminal: a line with name, type, default and unit, and the meaning below it."""
    lines = []
    for setting in settings():
        kind = f"{setting.type}, {setting.unit}" if setting.unit else setting.type
        lines.append(f"{setting.name}={setting.default}  ({kind})")
        lines += textwrap.wrap(setting.meaning, 96, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def page() -> str:
    """Return all fields as a page of the documentation, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Settings of an experiment"
    yield ""
    yield "Every field that `--set` overrides, as in `--set training.batch_size=2 model.hidden=4096,2000`."
    yield "Several values have commas between them; an empty list is `model.hidden=`. The defaults are those of"
    yield "the dataclasses; `affwildnet experiments NAME` shows the values of an experiment. A field that would have"
    yield "no effect, such as the dropout of a network without hidden layers, is refused. The fields of a stage have"
    yield "its name in the place of NAME, such as `stages.c2.learning_rate`."
    for part, title in TITLES.items():
        yield from ("", f"## {title}", "", "| field | type | default | unit | meaning |", "|---|---|---|---|---|")
        for setting in settings():
            if setting.name.rpartition(".")[0] == part:
                default = f"`{setting.default}`" if setting.default else ""
                meaning = setting.meaning.replace("|", "\\|")
                yield f"| `{setting.name}` | {setting.type} | {default} | {setting.unit} | {meaning} |"


def _type(kind: type) -> str:
    if kind == tuple[tuple[str, str], ...]:
        return "str:str, ..."
    if not isinstance(kind, types.GenericAlias):
        return kind.__name__
    item, *rest = typing.get_args(kind)
    return f"{item.__name__}, ..." if Ellipsis in rest else ", ".join([item.__name__] * (1 + len(rest)))


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    print(page(), end="")
