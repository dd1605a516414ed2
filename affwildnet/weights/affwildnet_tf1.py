"""The TensorFlow 1 checkpoints that the papers' authors published.

They are four networks without landmarks: the VGG-Face CNNs with hidden layers of 4096, 4096 and of 4096, 2000 units,
VGG-Face with GRU layers, and ResNet-50 (TF-Slim's) with GRU layers. They take RGB faces of 96 x 96 pixels as
(x - 128) / 128, in sequences of 80 frames. The script that came with them scores the first output as valence and the
second as arousal, on labels in [-1, 1].
"""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import conversion, slim_resnet50, tensorflow1
from affwildnet.weights.weight_source import OpenedWeights, WeightSource
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

PUBLISHED_NETWORKS = (
    "vgg_face_no_landmarks",
    "vgg_face_2000",
    "affwildnet_vggface_no_landmarks",
    "affwildnet_resnet50_released",
)
# The two spellings of the weights of a recurrent cell: TensorFlow 1 renamed them.
KERNEL, BIAS = ("kernel", "weights"), ("bias", "biases")


def open_checkpoint(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open a checkpoint, given by the prefix of its files' names, or by one of its files."""
    _check(config)
    file = tensorflow1.open_variables(path)
    remark = "the released evaluation script scores output 0 as valence and output 1 as arousal, in [-1, 1]"
    return OpenedWeights(file, _fill, (128.0,) * 3, (1 / 128,) * 3, (remark,))


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
    slim_resnet50.fill_resnet(transfer)
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
