"""ResNet-50 trained on VGGFace2 (Cao 2018), as keras-vggface publishes it, for the backbone `resnet50`."""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import hdf5
from affwildnet.weights.weight_source import OpenedWeights, WeightSource

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

MEAN = (131.0912, 103.8827, 91.4953)
EPSILON = 1e-3  # of keras-vggface's batch normalisation: Keras's default
# The convolutions of a block, by their numbers in `resnet50`.
CONVOLUTIONS_OF_A_BLOCK = {0: "1x1_proj", 1: "1x1_reduce", 2: "3x3", 3: "1x1_increase"}


def convolution_names() -> dict[str, str]:
    """Return the file's name of each convolution by our layer's name without `_conv`, such as conv2_block1_0."""
    from affwildnet.models.backbones.resnet50 import STAGES

    names = {"conv1": "conv1/7x7_s2"}
    for stage, _, blocks, _ in STAGES:
        for block in range(1, blocks + 1):
            for number, part in CONVOLUTIONS_OF_A_BLOCK.items():
                if number > 0 or block == 1:
                    names[f"{stage}_block{block}_{number}"] = f"{stage}_{block}_{part}"
    return names


def open_h5(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open `rcmalli_vggface_tf_notop_resnet50.h5`, or the file with the classifier."""

    def fill(transfer: "WeightTransfer") -> None:
        for layer, name in convolution_names().items():
            hdf5.copy_convolution(transfer, f"{layer}_conv", name, reverse=layer == "conv1", bias=False)
            hdf5.copy_normalisation(transfer, f"{layer}_bn", f"{name}/bn", EPSILON)

    remarks = (
        "the file's network takes BGR; this one takes RGB",
        "keras-vggface pads its first convolution by 2 and 3 and its pool not at all, `resnet50` pads both evenly: the "
        "same weights look at positions one pixel apart",
    )
    return OpenedWeights(hdf5.read(path), fill, MEAN, remarks=remarks)


SOURCE = WeightSource(
    title="ResNet-50 trained on VGGFace2, of keras-vggface: rcmalli_vggface_tf_notop_resnet50.h5; the backbone",
    backbones=("resnet50",),
    open=open_h5,
    licence="The publishers allow non-commercial research use.",
    unused_because="of the classifier, which recognises persons",
)
