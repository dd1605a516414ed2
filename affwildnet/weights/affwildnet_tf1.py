"""The TensorFlow 1 checkpoints that the papers' authors published.

They are four networks without landmarks: the VGG-Face CNNs with hidden layers of 4096, 4096 and of 4096, 2000 units,
VGG-Face with GRU layers, and ResNet-50 (TF-Slim's) with GRU layers. They take RGB faces of 96 x 96 pixels as
(x - 128) / 128, in sequences of 80 frames. The script that came with them scores the first output as valence and the
second as arousal, on labels in [-1, 1].
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import conversion, isolated
from affwildnet.weights.weight_file import WeightFile
from affwildnet.weights.weight_source import OpenedWeights, WeightSource
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from affwildnet.weights.transfer import WeightTransfer

WHAT = "a TensorFlow 1 checkpoint, given by its name without `.index` and `.data-...`"
PUBLISHED_NETWORKS = (
    "vgg_face_no_landmarks",
    "vgg_face_2000",
    "affwildnet_vggface_no_landmarks",
    "affwildnet_resnet50_released",
)
# Variables that belong to the optimizer: by the last part of their names.
OPTIMIZER_SLOTS = (
    *("Adam", "Adam_1", "Momentum", "RMSProp", "RMSProp_1"),
    *("Adagrad", "Adadelta", "Adadelta_1", "Ftrl", "Ftrl_1"),
)
OPTIMIZER_SCALARS = ("beta1_power", "beta2_power", "global_step", "learning_rate")
AVERAGE = "ExponentialMovingAverage"
# The two spellings of the weights of a recurrent cell: TensorFlow 1 renamed them.
KERNEL, BIAS = ("kernel", "weights"), ("bias", "biases")


def open_checkpoint(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open a checkpoint, given by the prefix of its files' names, or by one of its files."""
    _check(config)
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
    remark = "the released evaluation script scores output 0 as valence and output 1 as arousal, in [-1, 1]"
    return OpenedWeights(file, _fill, (128.0,) * 3, (1 / 128,) * 3, (remark,))


def content(prefix: Path) -> isolated.Content:
    """Return the weights of a checkpoint, and the shapes of what is no weight. Call it in a process of its own.

    Raises:
      Exception: of TensorFlow, for a damaged checkpoint.
      ValueError: if its weights claim more bytes than its files have.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    others = {name: shape for name, shape in shapes.items() if _no_weight_because(name)}
    size = sum(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}*"))
    check_claim(shapes, kinds, size)
    return {name: reader.get_tensor(name) for name in sorted(shapes.keys() - others.keys())}, others


def check_claim(shapes: Mapping[str, Sequence[int]], kinds: Mapping[str, "tf.DType"], size: int) -> None:
    """Raise a `ValueError` if variables of these shapes and types are larger than those of a file of `size` can be."""
    claimed = sum(kinds[name].size * math.prod(shape) for name, shape in shapes.items())
    if claimed > isolated.EXPANSION * size:
        raise ValueError(f"variables of {claimed:,} bytes in files of {size:,}")


def _check(config: ModelConfig) -> None:
    """Raise a `UserError` unless a network of this structure was published."""
    from affwildnet.experiments.heads import VALENCE_AROUSAL

    recurrent = config.recurrent == "gru" and not (config.attention or config.rnn_inputs or config.joined_hidden)
    fits = {
        "vgg16": (config.recurrent == "none" and len(config.hidden) == 2) or (recurrent and len(config.hidden) == 1),
        "resnet50_slim": recurrent and not config.hidden,
    }
    several = config.landmarks or config.separate or config.members or config.reset_after
    if several or config.head != VALENCE_AROUSAL or not fits.get(config.backbone, False):
        raise UserError(
            f"`experiment` must be a network that the authors published: {', '.join(PUBLISHED_NETWORKS)}. Received: "
            "another one (backbone, landmarks, hidden layers, recurrent layers and `reset_after` must be theirs)."
        )


def _no_weight_because(name: str) -> str:
    """Return why a variable is no weight of the network; "" if it is one."""
    last = name.split("/")[-1]
    if last in OPTIMIZER_SLOTS or last in OPTIMIZER_SCALARS:
        return "of the optimizer"
    return "a running average of a weight" if last == AVERAGE else ""


def _fill(transfer: "WeightTransfer") -> None:
    if transfer.config.backbone == "vgg16":
        _fill_vgg(transfer)
    else:
        _fill_resnet(transfer)


def _fill_vgg(transfer: "WeightTransfer") -> None:
    names = {f"conv{index}": f"conv_{index}" for index in range(1, 14)}
    if transfer.config.recurrent == "none":
        names |= {"fc1": "linear_1", "fc2": "linear2_1", transfer.config.head: "linear3_1"}
    else:
        names["fc1"] = "linear_1"
    for layer, scope in names.items():
        transfer.copy(layer, "kernel", f"{scope}/weights")
        transfer.copy(layer, "bias", f"{scope}/biases")
    if transfer.config.recurrent == "gru":
        _fill_recurrent(transfer, "rnn_1", "rnn_1/weights_rnn", "rnn_1/biases_rnn")


def _fill_resnet(transfer: "WeightTransfer") -> None:
    from affwildnet.models.backbones.resnet50_slim import BLOCKS

    names = {"conv1": "conv1"}
    for block, (_, units, _) in enumerate(BLOCKS, start=1):
        for unit in range(1, units + 1):
            for part in (*(["shortcut"] if unit == 1 else []), "conv1", "conv2", "conv3"):
                names[f"block{block}_unit{unit}_{part}"] = f"block{block}/unit_{unit}/bottleneck_v1/{part}"
    for layer, scope in names.items():
        transfer.copy(layer, "kernel", f"resnet_v1_50/{scope}/weights")
        for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
            transfer.copy(f"{layer}_bn", weight, f"resnet_v1_50/{scope}/BatchNorm/{weight}")
    _fill_recurrent(transfer, "rnn", "rnn/weights_output", "rnn/biases_output")


def _fill_recurrent(transfer: "WeightTransfer", scope: str, weights: str, biases: str) -> None:
    """Fill the GRU layers, and the output layer, whose weights lie in the same scope."""
    for index in range(len(transfer.config.recurrent_units)):
        layer = f"gru{index + 1}"
        inputs, _ = transfer.shape(layer, "kernel")
        units, _ = transfer.shape(layer, "recurrent_kernel")
        cell = f"{scope}/rnn/multi_rnn_cell/cell_{index}/gru_cell"
        parts, sources = [], []
        for part, columns in (("gates", 2 * units), ("candidate", units)):
            arrays = []
            for spellings, shape in ((KERNEL, (inputs + units, columns)), (BIAS, (columns,))):
                name = transfer.file.first_present([f"{cell}/{part}/{spelling}" for spelling in spellings])
                arrays.append(transfer.take(name, [shape], f"{layer} ({part})"))
                sources.append(name)
            parts.append(tuple(arrays))
        kernel, recurrent_kernel, bias = conversion.gru_of_tensorflow1(*parts)
        matrices, vectors = sources[::2], sources[1::2]
        transfer.put(layer, "kernel", kernel, matrices, "rows of x, columns r u c to z r c")
        transfer.put(layer, "recurrent_kernel", recurrent_kernel, matrices, "rows of h, columns r u c to z r c")
        transfer.put(layer, "bias", bias, vectors, "r u c to z r c")
    transfer.copy(transfer.config.head, "kernel", weights)
    transfer.copy(transfer.config.head, "bias", biases)


SOURCE = WeightSource(
    title="the authors' TensorFlow 1 checkpoints: VGG-Face, VGG-Face-GRU, ResNet-50-GRU; the whole network",
    backbones=("vgg16", "resnet50_slim"),
    open=open_checkpoint,
    licence="The authors allow research use only, and no redistribution.",
    unused_because="the network has no such layer",
    whole=True,
)
