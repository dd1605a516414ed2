"""Checkpoints: a self-contained `.keras` file each, optimizer included, and a small JSON file beside it.

Both are written under another name and renamed when they are whole, the `.keras` file last. A checkpoint exists when
its `.keras` file does. The JSON file names the contents of its `.keras` file, see `checkpoint_files`.
"""

import errno
import hashlib
import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

import affwildnet.models  # noqa: F401  (registers the layers that checkpoints name)
from affwildnet.runs import card as model_card
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoint_files import CONTENTS, check_note, contents_note, listed, path_of, state_path, step_of
from affwildnet.runs.json_files import read_json, write_json
from tfrecords_tools.errors import UserError, room
from tfrecords_tools.errors.room import needing
from tfrecords_tools.files import whole

__all__ = [
    "TrainingState",
    "listed",
    "load",
    "load_weights",
    "path_of",
    "random_variables",
    "resume",
    "save",
    "state_path",
    "step_of",
    "write_model",
]

_log = logging.getLogger(__name__)

_CHECKSUM = "sha256"
# Bytes of a `.keras` file beside the numbers: the layers' settings, and where the numbers of each begin.
_OTHER_PARTS = 200_000


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


def save(model: keras.Model, state: TrainingState, folder: Path, keep: int, card: Card | None = None) -> Path:
    """Write a checkpoint, with a card if one is given, then delete all but the latest `keep`; return its path."""
    path = path_of(folder, state.step)
    random_states = [keras.ops.convert_to_numpy(variable).tolist() for variable in random_variables(model)]
    fields = {**asdict(state), "random_states": random_states}
    with _written(model, path, card) as partial:
        fields |= contents_note(partial)
        write_json(state_path(path), {**fields, _CHECKSUM: _checksum(fields)})
    # Checkpoints of later steps are broken: the run was resumed from before them.
    for old in [other for other in listed(folder) if step_of(other) <= state.step][: -max(1, keep)]:
        old.unlink(missing_ok=True)
        state_path(old).unlink(missing_ok=True)
    return path


def write_model(model: keras.Model, path: Path, card: Card | None = None) -> None:
    """Write a `.keras` file whole or not at all, with a card if one is given."""
    with _written(model, path, card):
        pass


@contextmanager
def _written(model: keras.Model, path: Path, card: Card | None) -> Iterator[Path]:
    """Yield a `.keras` file under its temporary name, before it gets the name `path`."""
    with needing(lambda: size_of(model)), whole(path) as partial:
        model.save(partial)
        if card is not None:
            model_card.put(partial, card)
        yield partial


def size_of(model: keras.Model) -> int:
    """Return about how many bytes a network takes as a file, with the state of its optimizer if it has one."""
    optimizer = getattr(model, "optimizer", None)  # which Keras gives to a network only when it is compiled
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
    return _OTHER_PARTS + sum(math.prod(each.shape) * np.dtype(_stored(each.dtype)).itemsize for each in variables)


def _stored(dtype: str) -> str:
    return "float16" if dtype == "bfloat16" else dtype  # of the same size; NumPy does not know it


def check_room(model: keras.Model, folder: Path, keep: int) -> None:
    """Raise a `UserError` if not one checkpoint of a network fits on the disk; warn if not so many as are kept do.

    Args:
      folder: of the checkpoints.
      keep: how many of them are kept; the next one is written before the oldest is deleted.
    """
    one, there = size_of(model), room.free(folder)
    if there is None:
        return
    if there < one:
        raise UserError(
            f"{folder}: must have room for a checkpoint, about {room.shown(one)}. Received: {room.shown(there)} free. "
            "Make room, or name another --workdir."
        )
    held = sum(path.stat().st_size for path in listed(folder))
    if there + held < (keep + 1) * one:
        _log.warning(
            f"{folder}: {keep} checkpoints are kept, for which about {room.shown((keep + 1) * one)} are needed; "
            f"{room.shown(there + held)} are there. Make room, or keep fewer with --set training.keep_checkpoints"
        )


def load(path: Path, optimizer: bool = True) -> keras.Model:
    """Load the network of a checkpoint, with its optimizer or without.

    Raises:
      UserError: if the file is missing, truncated, not a Keras file, or not the one of the note beside it.
    """
    try:
        check_note(path)
        return keras.saving.load_model(path, compile=optimizer)
    except UserError:
        raise
    except Exception as error:  # of zip, HDF5 or JSON: all that it means to the user is that the file is bad
        raise _not_loaded(path, error) from None


def load_weights(model: keras.Model, path: Path) -> None:
    """Load the weights of a checkpoint into a network of the same structure; raise as `load`."""
    try:
        check_note(path)
        model.load_weights(path)
    except UserError:
        raise
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
    own = {name: value for name, value in (stored or {}).items() if name != CONTENTS}
    try:
        state = TrainingState(**own)
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
