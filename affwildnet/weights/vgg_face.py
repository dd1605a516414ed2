"""VGG-Face (Parkhi 2015), trained to recognise 2,622 persons: its files for MATLAB, Keras and Torch.

The convolutions are imported and the fully connected layers left out, as in the papers: ijcv2019 starts from the
convolutional and pooling parts, and the 25,088 inputs of fc6 do not fit a network for 96 x 96 pixels, which has 4,608.
"""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import conversion, hdf5, isolated, matconvnet, torch7
from affwildnet.weights.weight_file import Damaged, WeightFile, check_file
from affwildnet.weights.weight_source import OpenedWeights, WeightSource
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

MEAN = (129.1863, 104.7624, 93.5940)
# As VGG-Face numbers them, block by block; here they are conv1 to conv13.
CONVOLUTIONS = tuple(
    f"conv{block}_{index}" for block, size in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, size + 1)
)
UNUSED_BECAUSE = "a fully connected layer: fc6 has 25,088 inputs, and the papers take the convolutions alone"
LICENCE = "The publishers allow non-commercial research use."
TORCH_FILE = "the state dict of VGG-Face in a .pth file, or Torch 7's own .t7"
TRANSPOSED = "transposed from Torch"


def open_mat(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open Oxford's `vgg_face.mat` or MatConvNet's `vgg-face.mat`."""
    network = matconvnet.read(path)
    mean, remark = network.checked_mean(MEAN)

    def fill(transfer: "WeightTransfer") -> None:
        for layer, name in _layers_and_names():
            transfer.copy(layer, "kernel", f"{name}.weights{{1}}")
            transfer.copy(layer, "bias", f"{name}.weights{{2}}")

    return OpenedWeights(network.file, fill, mean, remarks=(remark,))


def open_h5(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open keras-vggface's `rcmalli_vggface_tf_notop_vgg16.h5`, or the file with the fully connected layers."""

    def fill(transfer: "WeightTransfer") -> None:
        for layer, name in _layers_and_names():
            hdf5.copy_convolution(transfer, layer, name, reverse=layer == "conv1")

    return OpenedWeights(hdf5.read(path), fill, MEAN, remarks=("the file's network takes BGR; this one takes RGB",))


def open_torch(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open `vgg_face_dag.pth`, or `VGG_FACE.t7`, or a state dict that was made from the latter.

    Names are such as conv1_1.weight in the first, and conv_1_1.weight in the state dicts made from `VGG_FACE.t7`.
    """
    check_file(path, TORCH_FILE)
    if path.suffix == ".t7":
        arrays, _ = isolated.read(path, TORCH_FILE, f"{__name__}:torch7_content")
    else:
        arrays = _state_dict(path)
    return opened_arrays(path, arrays)


def opened_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> OpenedWeights:
    """Return the arrays of a state dict of VGG-Face as opened weights; see `open_torch` for their names.

    The weights of a convolution are (out, in, 3, 3), or flattened to (out, in * 9). Names without the underscore mean
    MatConvNet's network, which takes RGB; the others mean the network of `VGG_FACE.t7`, which takes BGR.
    """
    file = WeightFile.of_arrays(path, arrays)
    rgb = "conv_1_1.weight" not in arrays

    def fill(transfer: "WeightTransfer") -> None:
        for layer, name in _layers_and_names():
            kernel = None if transfer.layer(layer) is None else transfer.shape(layer, "kernel")
            source = name if rgb else name.replace("conv", "conv_")
            reverse = not rgb and layer == "conv1"

            def convert(value: np.ndarray, kernel=kernel, reverse=reverse) -> np.ndarray:
                value = conversion.from_torch(value, kernel)
                return conversion.bgr_to_rgb(value) if reverse else value

            shapes = conversion.torch_shapes(kernel) if kernel else None
            how = f"{TRANSPOSED}, input channels BGR to RGB" if reverse else TRANSPOSED
            transfer.copy(layer, "kernel", f"{source}.weight", shapes, convert, how)
            transfer.copy(layer, "bias", f"{source}.bias")

    order = "RGB" if rgb else "BGR, as the example with VGG_FACE.t7 feeds it; this one takes RGB"
    return OpenedWeights(file, fill, MEAN, remarks=(f"the file's network, by the names in it, takes {order}",))


def _layers_and_names() -> list[tuple[str, str]]:
    """Return pairs of our layer's name and the name of VGG-Face."""
    return [(f"conv{index}", name) for index, name in enumerate(CONVOLUTIONS, start=1)]


def _state_dict(path: Path) -> Mapping[str, np.ndarray]:
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            f"{path}: a .pth file is read with PyTorch, which is not installed. Install it (pip install torch), or use "
            "another file of these weights: vgg_face_mat, vgg_face_h5, or VGG_FACE.t7."
        )
    arrays, _ = isolated.read(path, TORCH_FILE, f"{__name__}:state_dict_content", "torch")
    return arrays


def state_dict_content(path: Path) -> isolated.Content:
    """Return the tensors of a state dict. Call it in a process of its own."""
    import torch

    # Without `weights_only` the file could run code.
    held = torch.load(path, map_location="cpu", weights_only=True)
    held = held.get("state_dict", held)
    return {name: value.float().numpy() for name, value in held.items() if isinstance(value, torch.Tensor)}, None


def torch7_content(path: Path) -> isolated.Content:
    """Return the convolutions of `VGG_FACE.t7`, which are in order, by the names of the state dicts made from it.

    Call it in a process of its own.
    """
    network = torch7.read(path)
    modules = network.get("modules") if isinstance(network, dict) else None
    if not isinstance(modules, dict):
        raise UserError(f"{path}: must be {TORCH_FILE}. Received: a .t7 file without a list of modules.")
    convolutions = iter([name.replace("conv", "conv_") for name in CONVOLUTIONS])
    arrays = {}
    for number, module in modules.items():
        if not isinstance(module, dict) or not isinstance(module.get("weight"), np.ndarray):
            continue
        is_convolution = str(module.get("__class__", "")).startswith("nn.SpatialConvolution")
        name = next(convolutions, None) if is_convolution else None
        for part in ("weight", "bias"):
            if not isinstance(module.get(part), np.ndarray):
                raise Damaged(f"a layer of {module.get('__class__')} without the tensor `{part}`")
            arrays[f"{name or f'modules[{number}]'}.{part}"] = module[part]
            isolated.check_size(arrays, path.stat().st_size)
    return arrays, None


def _source(title: str, opener: Callable[[Path, ModelConfig], OpenedWeights]) -> WeightSource:
    return WeightSource(title=title, backbones=("vgg16",), open=opener, licence=LICENCE, unused_because=UNUSED_BECAUSE)


MAT = _source("VGG-Face of MatConvNet: vgg_face.mat (Oxford) or vgg-face.mat (vlfeat); the convolutions", open_mat)
H5 = _source("VGG-Face of keras-vggface: rcmalli_vggface_tf_notop_vgg16.h5; the convolutions", open_h5)
PTH = _source("VGG-Face of Torch: vgg_face_dag.pth, or VGG_FACE.t7 of Torch 7; the convolutions", open_torch)
