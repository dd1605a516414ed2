"""Weights that Keras 1 or 2 saved in HDF5: a group per layer, whose name may contain slashes."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affwildnet.weights import conversion, isolated
from affwildnet.weights.import_report import UNCHANGED
from affwildnet.weights.weight_file import Damaged, WeightFile, check_file
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    import h5py

    from affwildnet.weights.transfer import WeightTransfer

WHAT = "an HDF5 file of weights as Keras 1 and 2 saved them"
# Today's name of a weight, and the endings of its names in the versions of Keras.
ENDINGS = {
    "kernel": ("kernel", "W"),
    "bias": ("bias", "b"),
    "gamma": ("gamma",),
    "beta": ("beta",),
    "moving_mean": ("moving_mean", "running_mean"),
    "moving_variance": ("moving_variance", "running_std", "running_var"),
}


def read(path: Path) -> WeightFile:
    """Read the weights, named by their layer and by today's name of the weight, such as `conv1_1/kernel`.

    Raises:
      UserError: if it is no such file, or is truncated.
    """
    check_file(path, WHAT)
    arrays, _ = isolated.read(path, WHAT, f"{__name__}:content")
    return WeightFile.of_arrays(path, arrays)


def content(path: Path) -> isolated.Content:
    """Return the arrays of a file by the names of `read`. Call it in a process of its own.

    Raises:
      UserError: if the file lacks what Keras writes.
      Damaged: for a link, for data that lie in other files, and for a dataset that claims more than the file holds.
    """
    import h5py

    arrays, size = {}, path.stat().st_size
    with h5py.File(path, "r") as file:
        root = _held(file, "model_weights") if "model_weights" in file else file
        layers = _attribute(root, "layer_names")
        if layers is None:
            raise UserError(f"{path}: must be {WHAT}. Received: an HDF5 file without the attribute `layer_names`.")
        for layer in layers:
            group = _held(root, layer)
            for name in _attribute(group, "weight_names") or []:
                arrays[f"{layer}/{_weight_name(name)}"] = _array(_held(group, name), size)
                isolated.check_size(arrays, size)
    return arrays, None


def _held(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset":
    """Return what lies in a group, or in groups within it; a link to elsewhere is refused."""
    import h5py

    for part in filter(None, name.split("/")):
        if not isinstance(group, h5py.Group) or part not in group:
            raise Damaged(f"{name} is not in the file")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise Damaged(f"{name} is a link, which is not followed")
        group = group[part]
    return group


def _array(dataset: "h5py.Dataset", size: int) -> np.ndarray:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.dtype.kind not in "fiu":
        raise Damaged("a weight that is no array of numbers")
    if dataset.external or dataset.is_virtual:
        raise Damaged("a weight whose values lie in another file, which is not read")
    if dataset.nbytes > isolated.EXPANSION * dataset.id.get_storage_size():
        raise Damaged(f"a weight of {dataset.nbytes:,} bytes, of which {dataset.id.get_storage_size():,} are there")
    return np.asarray(dataset)


def copy_convolution(
    transfer: "WeightTransfer", layer: str, source: str, *, reverse: bool = False, bias: bool = True
) -> None:
    """Copy a convolution.

    Args:
      transfer: of the network.
      layer: name in the network.
      source: name of the layer in the file.
      reverse: whether to turn the input channels from BGR to RGB.
      bias: whether the file has a bias; if not, the bias of the network, if any, becomes zero.
    """
    turned = {"convert": conversion.bgr_to_rgb, "how": "input channels BGR to RGB"} if reverse else {}
    transfer.copy(layer, "kernel", f"{source}/kernel", **turned)
    if bias:
        transfer.copy(layer, "bias", f"{source}/bias")
    elif (target := transfer.layer(layer)) is not None and target.use_bias:
        zeros = np.zeros(transfer.shape(layer, "bias"))
        transfer.put(layer, "bias", zeros, (), "zero: the file's network has none")


def copy_normalisation(transfer: "WeightTransfer", layer: str, source: str, epsilon: float) -> None:
    """Copy a batch normalisation that had the given epsilon in the file's network, so that it computes the same."""
    names = {weight: f"{source}/{weight}" for weight in ("gamma", "beta", "moving_mean", "moving_variance")}
    target = transfer.layer(layer)
    if target is None or target.epsilon == epsilon:
        for weight, name in names.items():
            transfer.copy(layer, weight, name)
        return
    shape = [transfer.shape(layer, "gamma")]
    values = {weight: transfer.take(name, shape, f"{layer}/{weight}") for weight, name in names.items()}
    deviation = np.sqrt(values["moving_variance"].astype("float64") + epsilon)
    gamma, variance = conversion.batch_normalisation(values["gamma"], deviation, target.epsilon)
    transfer.put(layer, "gamma", gamma, (names["gamma"],), UNCHANGED)
    for weight in ("beta", "moving_mean"):
        transfer.put(layer, weight, values[weight], (names[weight],), UNCHANGED)
    how = f"epsilon {epsilon:g} restated for {target.epsilon:g}"
    transfer.put(layer, "moving_variance", variance, (names["moving_variance"],), how)


def _attribute(group: "h5py.Group", name: str) -> list[str] | None:
    """Return a list of names; Keras splits long lists over attributes whose names end in numbers."""
    if name in group.attrs:
        values = list(group.attrs[name])
    elif f"{name}0" in group.attrs:
        values, index = [], 0
        while f"{name}{index}" in group.attrs:
            values += list(group.attrs[f"{name}{index}"])
            index += 1
    else:
        return None
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _weight_name(name: str) -> str:
    last = re.sub(r"(_\d+)?(:\d+)?$", "", name.split("/")[-1])
    for weight, endings in ENDINGS.items():
        if any(last == ending or last.endswith(f"_{ending}") for ending in endings):
            return weight
    return last
