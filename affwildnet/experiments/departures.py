"""In what an experiment departs from the one of its name that the papers give: overridden fields, and rehearsals."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from affwildnet.experiments.config import Experiment

# Title of a file of random weights, in the note beside it.
RANDOM_WEIGHTS = "random weights, for a rehearsal"
_INHERITED = "begun with the weights of a rehearsal: "
# Fields that say how a run is kept and shown, or what its weights start from; they are not settings of a paper.
_OF_THE_RUN = (
    "training.init",
    "training.pretrained",
    "training.log_steps",
    "training.checkpoint_steps",
    "training.checkpoint_minutes",
    "training.keep_checkpoints",
    "training.jit_compile",
    "training.cache_gb",
    "evaluation.batch_size",
    "evaluation.patience",
    "evaluation.post_process",  # compared by what was done
    "published",
    "name",
    "title",
    "notes",
)


@dataclasses.dataclass(frozen=True)
class Overridden:
    """A field that is not what the paper's experiment has.

    Attributes:
      field: its name, such as "model.width".
      value: of the run.
      registered: of the experiment of that name.
    """

    field: str
    value: Any
    registered: Any

    def __str__(self) -> str:
        return f"{self.field} is {_shown(self.value)}, in the experiment {_shown(self.registered)}"


def overridden(experiment: Experiment, registered: Experiment) -> list[Overridden]:
    """Return the fields of an experiment that are not those of the registered one, in their order."""
    return [each for each in _differences("", experiment, registered) if each.field not in _OF_THE_RUN]


def rehearsal(experiment: Experiment, registered: Experiment, origin: str = "") -> tuple[str, ...]:
    """Return why a run is a rehearsal of a published result and no attempt at it; empty where it is none.

    A network narrower than the paper's, or random weights where the paper starts from trained ones, says whether
    everything works, and nothing of the paper's numbers.

    Args:
      experiment: as it was run.
      registered: the experiment of that name.
      origin: of the weights in the file `training.init`, as the note beside it has it; "" where it is not known.
    """
    reasons = []
    narrowest = min([experiment.model.width, *(member.width for member in experiment.model.members)])
    if narrowest < registered.model.width:
        reasons.append(f"a network {narrowest:g} as wide")
    pretrained = registered.training.pretrained
    if pretrained and (not experiment.training.init or origin == RANDOM_WEIGHTS):
        reasons.append(f"random weights in place of those of {pretrained}")
    return tuple(reasons)


def inherited(reason: str) -> str:
    """Return the reason why a run is a rehearsal that starts from the weights of one, by the reason of that."""
    return f"{_INHERITED}{reason.removeprefix(_INHERITED)}"


def before(reasons: Sequence[str]) -> list[str]:
    """Return why the run whose weights one starts from is a rehearsal, of the reasons why that one is."""
    return [reason.removeprefix(_INHERITED) for reason in reasons if reason.startswith(_INHERITED)]


def _differences(name: str, value: Any, registered: Any) -> Iterator[Overridden]:
    if dataclasses.is_dataclass(value) and type(value) is type(registered):
        for field in dataclasses.fields(value):
            own, theirs = getattr(value, field.name), getattr(registered, field.name)
            yield from _differences(f"{name}.{field.name}" if name else field.name, own, theirs)
    elif _of_dataclasses(value) and _of_dataclasses(registered) and len(value) == len(registered):
        for index, (own, theirs) in enumerate(zip(value, registered, strict=True)):
            yield from _differences(f"{name}.{getattr(own, 'name', index)}", own, theirs)
    elif value != registered:
        yield Overridden(name, value, registered)


def _of_dataclasses(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and dataclasses.is_dataclass(value[0])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "empty"
    return "empty" if value == "" else str(value)
