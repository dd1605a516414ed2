"""Checkpoints: a self-contained `.keras` file each, optimizer included, and a small JSON file beside it.

Both are written under another name and renamed when they are whole, the `.keras` file last. A checkpoint exists when
its `.keras` file does.
"""

import errno
import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

import affwildnet.models  # noqa: F401  (registers the layers that checkpoints name)
from affwildnet.runs import card as model_card
from affwildnet.runs.card import Card
from affwildnet.runs.json_files import read_json, write_json
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import whole

_log = logging.getLogger(__name__)

_CHECKSUM = "sha256"
_NAME = re.compile(r"step-(\d{8,})\.keras")


@dataclass(frozen=True)
class TrainingState:
    """What a resumed run needs besides weights and optimizer.

    Attributes:
      step: number of training steps done.
      epoch, window: position of the first window that is not used yet, see `affwildnet.data.Position`.
      seed: the run's.
      random_states: of the dropout layers, in the order of `random_variables`.
    """

    step: int
    epoch: int
    window: int
    seed: int
    random_states: list[list[int]] = field(default_factory=list)


def random_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the states of a model's random generators, which `.keras` files do not hold."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def path_of(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of a step."""
    return folder / f"step-{step:08d}.keras"


def step_of(path: Path) -> int | None:
    """Return the step of a checkpoint, by its name; None for another file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def listed(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=step_of)


def state_path(path: Path) -> Path:
    """Return the path of a checkpoint's JSON file."""
    return path.with_suffix(".json")


def save(model: keras.Model, state: TrainingState, folder: Path, keep: int, card: Card | None = None) -> Path:
    """Write a checkpoint, with a card if one is given, then delete all but the latest `keep`; return its path."""
    path = path_of(folder, state.step)
    random_states = [keras.ops.convert_to_numpy(variable).tolist() for variable in random_variables(model)]
    fields = {**asdict(state), "random_states": random_states}
    write_json(state_path(path), {**fields, _CHECKSUM: _checksum(fields)})
    write_model(model, path, card)
    # Checkpoints of later steps are broken: the run was resumed from before them.
    for old in [other for other in listed(folder) if step_of(other) <= state.step][: -max(1, keep)]:
        old.unlink(missing_ok=True)
        state_path(old).unlink(missing_ok=True)
    return path


def write_model(model: keras.Model, path: Path, card: Card | None = None) -> None:
    """Write a `.keras` file whole or not at all, with a card if one is given."""
    with whole(path) as partial:
        model.save(partial)
        if card is not None:
            model_card.put(partial, card)


def load(path: Path) -> keras.Model:
    """Load the network of a checkpoint, with its optimizer.

    Raises:
      UserError: if the file is missing, truncated or not a Keras file.
    """
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # of zip, HDF5 or JSON: all that it means to the user is that the file is bad
        raise _not_loaded(path, error) from None


def load_weights(model: keras.Model, path: Path) -> None:
    """Load the weights of a checkpoint into a network of the same structure; raise as `load`."""
    try:
        model.load_weights(path)
    except Exception as error:
        raise _not_loaded(path, error) from None


def resume(folder: Path) -> tuple[keras.Model, TrainingState] | None:
    """Load the latest whole checkpoint, log which were skipped, and return its network and state; None without any.

    Raises:
      UserError: if there are checkpoints, but none is whole.
    """
    candidates = listed(folder)
    for path in reversed(candidates):
        try:
            model = load(path)
            state = _state_of(path, model)
        except UserError as error:
            _log.warning(f"skipped: {error}")
            continue
        for variable, value in zip(random_variables(model), state.random_states, strict=True):
            variable.assign(value)
        return model, state
    if candidates:
        which = f"none of its {len(candidates)} checkpoints is" if candidates[1:] else "its only checkpoint is not"
        raise UserError(f"{folder}: {which} whole, see above. Use another --workdir, or move the folder away.")
    return None


def _state_of(path: Path, model: keras.Model) -> TrainingState:
    """Read where training stood at a checkpoint; raise a `UserError` if the file is damaged or another network's."""
    stored = read_json(state_path(path))
    # Earlier versions wrote no checksum.
    checksum = stored.pop(_CHECKSUM, None) if stored else None
    if checksum is not None and checksum != _checksum(stored):
        raise UserError(f"{state_path(path)}: must be as it was written. Received: changed contents.")
    try:
        state = TrainingState(**(stored or {}))
        shapes = [np.shape(value) for value in state.random_states]
    except (TypeError, ValueError):
        shapes = None
    numbers = () if shapes is None else (state.step, state.epoch, state.window, state.seed)
    if shapes != [tuple(variable.shape) for variable in random_variables(model)] or not all(
        isinstance(number, int) and number >= 0 for number in numbers
    ):
        raise UserError(
            f"{state_path(path)}: must hold step, epoch, window, seed and the network's random states. Received: "
            f"{'other contents' if stored else 'no such file'}."
        )
    return state


def _checksum(fields: dict) -> str:
    """Return the sha256 of the fields of a state, in which a changed digit would otherwise go unseen."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _not_loaded(path: Path, error: Exception) -> Exception:
    """Return what to raise for a file that does not load: a full disk or missing rights are not the file's fault."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EIO):
        return error
    if isinstance(error, MemoryError):
        return error
    return UserError(f"{path}: not a whole checkpoint ({_first_line(error)}).")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
