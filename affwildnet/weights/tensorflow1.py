"""TensorFlow 1 checkpoints as files of weights: opened by their names, without what an optimizer has kept in them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.weights import isolated
from affwildnet.weights.weight_file import Damaged, WeightFile
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

WHAT = "a TensorFlow 1 checkpoint, given by its name without `.index` and `.data-...`"
# Variables that belong to the optimizer: by the last part of their names.
OPTIMIZER_SLOTS = (
    *("Adam", "Adam_1", "Momentum", "RMSProp", "RMSProp_1"),
    *("Adagrad", "Adadelta", "Adadelta_1", "Ftrl", "Ftrl_1"),
)
OPTIMIZER_SCALARS = ("beta1_power", "beta2_power", "global_step", "learning_rate")
AVERAGE = "ExponentialMovingAverage"


def open_variables(path: Path) -> WeightFile:
    """Open a checkpoint, given by the prefix of its files' names, or by one of its files.

    Raises:
      UserError: if there is none, or it cannot be read.
    """
    prefix = path.with_suffix("") if path.suffix == ".index" or path.suffix.startswith(".data-") else path
    files = sorted([*prefix.parent.glob(f"{prefix.name}.data-*"), *prefix.parent.glob(f"{prefix.name}.index")])
    if not files and prefix.is_file():
        files = [prefix]  # the format from before TensorFlow 0.12
    if not files:
        found = sorted(found.with_suffix("").name for found in (path if path.is_dir() else path.parent).glob("*.index"))
        there = f" In that folder: {', '.join(found)}." if found else ""
        raise UserError(f"`path` must be {WHAT}. Received: {path}, which is none.{there}")
    arrays, others = isolated.read(prefix, WHAT, f"{__name__}:content", "tensorflow", files)
    shapes = {**{name: array.shape for name, array in arrays.items()}, **others}
    file = WeightFile(prefix, shapes, arrays.__getitem__, files)
    for name in others:
        file.leave_out(name, _no_weight_because(name))
    return file


def content(prefix: Path) -> isolated.Content:
    """Return the weights of a checkpoint, and the shapes of what is no weight. Call it in a process of its own.

    Raises:
      Exception: of TensorFlow, for a damaged checkpoint.
      Damaged: if its weights claim more bytes than its files have.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    others = {name: shape for name, shape in shapes.items() if _no_weight_because(name)}
    size = sum(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}*"))
    check_claim(shapes, kinds, size)
    return {name: reader.get_tensor(name) for name in sorted(shapes.keys() - others.keys())}, others


def check_claim(shapes: Mapping[str, Sequence[int]], kinds: Mapping[str, "tf.DType"], size: int) -> None:
    """Raise `Damaged` if variables of these shapes and types are larger than those of a file of `size` can be."""
    claimed = sum(kinds[name].size * math.prod(shape) for name, shape in shapes.items())
    if claimed > isolated.EXPANSION * size:
        raise Damaged(f"variables of {claimed:,} bytes in files of {size:,}")


def _no_weight_because(name: str) -> str:
    """Return why a variable is no weight of the network; "" if it is one."""
    last = name.split("/")[-1]
    if last in OPTIMIZER_SLOTS or last in OPTIMIZER_SCALARS:
        return "of the optimizer"
    return "a running average of a weight" if last == AVERAGE else ""
