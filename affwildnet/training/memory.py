"""Whether a training step can fit in the memory of this machine: a lower bound, before anything is allocated."""

import os
from pathlib import Path

from affwildnet.experiments import EXPERIMENTS, costs
from affwildnet.experiments.config import Experiment
from tfrecords_tools.errors import UserError

# The weights, their gradients, and the two moments of Adam, float32 each.
COPIES, FLOAT = 4, 4
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check(experiment: Experiment, devices: int = 1) -> None:
    """Raise a `UserError` with the numbers if the frames of a batch, or the weights, alone exceed the memory.

    What the layers compute needs more, which is not counted: what passes may still be too much.

    Args:
      experiment: whose training settings count.
      devices: number of devices of all workers, which share a batch.
    """
    from affwildnet.models import cost

    check_batch(experiment, devices)
    memory = of_machine()
    if memory is None:
        return
    model, batch = experiment.model, _batch_bytes(experiment, devices)
    own = EXPERIMENTS.get(experiment.name)
    known = costs.load().get(experiment.name) if own is not None and own.model == model else None
    weights = (known or cost.of(model)).weights
    if batch + COPIES * FLOAT * weights > memory:
        raise UserError(
            f"The network must fit in the memory of this machine, {_gb(memory)}. Received: one of {weights:,} weights, "
            f"which with gradients and optimizer need {_gb(COPIES * FLOAT * weights)}, and a batch of {_gb(batch)}. "
            "Choose a smaller `model.width` or fewer `model.hidden` units, or a smaller `training.batch_size`."
        )


def check_batch(experiment: Experiment, devices: int = 1) -> None:
    """Check the frames of a batch alone, as `check` does."""
    memory, batch = of_machine(), _batch_bytes(experiment, devices)
    if memory is not None and batch > memory:
        config, model = experiment.training, experiment.model
        raise UserError(
            f"`training.batch_size` x `training.window` frames must fit in the memory of this machine, {_gb(memory)}. "
            f"Received: {config.batch_size:,} x {config.window:,}; frames of {model.image_size} x {model.image_size} "
            f"pixels alone need {_gb(batch)}. Choose a smaller `training.batch_size`."
        )


def _batch_bytes(experiment: Experiment, devices: int) -> int:
    config = experiment.training
    return -(-config.batch_size // devices) * config.window * experiment.model.image_size**2 * 3


def of_machine() -> int | None:
    """Return the bytes of memory that this process may use at most; None where it is not known."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None
    for path in LIMITS:  # of a container
        try:
            found.append(int(Path(path).read_text()))
        except (OSError, ValueError):
            continue
    return min(value for value in found if value > 0) if max(found) > 0 else None


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
