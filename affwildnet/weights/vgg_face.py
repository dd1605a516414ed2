"""VGG-Face (Parkhi 2015), trained to tell 2,622 people apart: MATLAB's, Keras's and Torch's files of it.

The convolutions are taken and the fully connected layers left out, as in the papers: ijcv2019 starts from the
convolutional and pooling parts, and fc6 has 25,088 inputs, which a network for 96 x 96 pixels (4,608) has no place for.
"""

from pathlib import Path

import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import conversion, hdf5, matconvnet, torch7
from affwildnet.weights.contents import Contents, check_file, unreadable
from affwildnet.weights.published_source import Opened, Source
from affwildnet.weights.weight_table import Transfer
from tfrecords_tools.errors import UserError

MEAN = (129.1863, 104.7624, 93.5940)
# Block by block as VGG-Face counts them; here they are conv1 to conv13.
CONVOLUTIONS = tuple(
    f"conv{block}_{index}" for block, size in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, size + 1)
)
REST = "the fully connected layers are not taken: fc6 has 25,088 inputs, the papers take the convolutions alone"
LICENCE = "Its publishers allow non-commercial research use."
TORCH = "the state dict of VGG-Face in a .pth file, or Torch 7's own .t7"
TURNED = "transposed from Torch"


def open_mat(path: Path, config: ModelConfig) -> Opened:
    """Open Oxford's `vgg_face.mat` or MatConvNet's `vgg-face.mat`."""
    network = matconvnet.read(path)
    mean, remark = network.checked_mean(MEAN)

    def fill(transfer: Transfer) -> None:
        for layer, name in _named():
            transfer.copy(layer, "kernel", f"{name}.weights{{1}}")
            transfer.copy(layer, "bias", f"{name}.weights{{2}}")

    return Opened(network.contents, fill, mean, remarks=(remark,))


def open_h5(path: Path, config: ModelConfig) -> Opened:
    """Open keras-vggface's `rcmalli_vggface_tf_notop_vgg16.h5`, or the one with the fully connected layers."""

    def fill(transfer: Transfer) -> None:
        for layer, name in _named():
            hdf5.copy_convolution(transfer, layer, name, reverse=layer == "conv1")

    return Opened(hdf5.read(path), fill, MEAN, remarks=("the file's network takes BGR; this one takes RGB",))


def open_torch(path: Path, config: ModelConfig) -> Opened:
    """Open `vgg_face_dag.pth` (names such as conv1_1.weight), a state dict with names such as conv_1_1.weight that was
    made from `VGG_FACE.t7`, or that file itself.
    """
    check_file(path, TORCH)
    return opened_arrays(path, _torch7_arrays(path) if path.suffix == ".t7" else _state_dict(path))


def opened_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Opened:
    """Take the arrays of a state dict of VGG-Face; see `open_torch` for the names.

    The weights of a convolution are (out, in, 3, 3), or flattened to (out, in * 9). Names without the underscore stand
    for the network that MatConvNet had, on RGB; the others for the one of `VGG_FACE.t7`, on BGR.
    """
    contents = Contents.of_arrays(path, arrays)
    rgb = "conv_1_1.weight" not in arrays

    def fill(transfer: Transfer) -> None:
        for layer, name in _named():
            kernel = None if transfer.layer(layer) is None else transfer.shape(layer, "kernel")
            source = name if rgb else name.replace("conv", "conv_")
            reverse = not rgb and layer == "conv1"

            def convert(value: np.ndarray, kernel=kernel, reverse=reverse) -> np.ndarray:
                value = conversion.from_torch(value, kernel)
                return conversion.bgr_to_rgb(value) if reverse else value

            shapes = conversion.torch_shapes(kernel) if kernel else None
            how = f"{TURNED}, input channels BGR to RGB" if reverse else TURNED
            transfer.copy(layer, "kernel", f"{source}.weight", shapes, convert, how)
            transfer.copy(layer, "bias", f"{source}.bias")

    order = "RGB" if rgb else "BGR, as the example with VGG_FACE.t7 feeds it; this one takes RGB"
    return Opened(contents, fill, MEAN, remarks=(f"the file's network, by the names in it, takes {order}",))


def _named() -> list[tuple[str, str]]:
    return [(f"conv{index}", name) for index, name in enumerate(CONVOLUTIONS, start=1)]


def _state_dict(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{path}: a .pth file is read by PyTorch, which is not installed. Install it (pip install torch), or use "
            "the weights in another form: vgg_face_mat, vgg_face_h5, or VGG_FACE.t7."
        ) from None
    try:
        # Without `weights_only` the file could run code of its own.
        held = torch.load(path, map_location="cpu", weights_only=True)
        held = held.get("state_dict", held)
        return {name: value.float().numpy() for name, value in held.items() if isinstance(value, torch.Tensor)}
    except Exception as error:  # zip, pickle and tensor errors alike: what the user can know is that the file is bad
        raise unreadable(path, TORCH, error) from None


def _torch7_arrays(path: Path) -> dict[str, np.ndarray]:
    """The convolutions of `VGG_FACE.t7`, in their order, by the names that state dicts made from it have."""
    try:
        network = torch7.read(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, TORCH, error) from None
    modules = network.get("modules") if isinstance(network, dict) else None
    if not isinstance(modules, dict):
        raise UserError(f"{path}: must be {TORCH}. Received: a .t7 file without a list of modules.")
    convolutions = iter([name.replace("conv", "conv_") for name in CONVOLUTIONS])
    arrays = {}
    for number, module in modules.items():
        if not isinstance(module, dict) or not isinstance(module.get("weight"), np.ndarray):
            continue
        is_convolution = str(module.get("__class__", "")).startswith("nn.SpatialConvolution")
        name = next(convolutions, None) if is_convolution else None
        for part in ("weight", "bias"):
            arrays[f"{name or f'modules[{number}]'}.{part}"] = module[part]
    return arrays


def _source(title: str, opener) -> Source:
    return Source(title=title, backbones=("vgg16",), open=opener, licence=LICENCE, rest=REST)


MAT = _source("VGG-Face of MatConvNet: vgg_face.mat (Oxford) or vgg-face.mat (vlfeat); the convolutions", open_mat)
H5 = _source("VGG-Face of keras-vggface: rcmalli_vggface_tf_notop_vgg16.h5; the convolutions", open_h5)
PTH = _source("VGG-Face of Torch: vgg_face_dag.pth, or VGG_FACE.t7 of Torch 7; the convolutions", open_torch)
