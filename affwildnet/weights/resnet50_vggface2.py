"""ResNet-50 trained on VGGFace2 (Cao 2018), as keras-vggface publishes it, for the backbone `resnet50`."""

from pathlib import Path

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.backbones.resnet50 import STAGES
from affwildnet.weights import hdf5
from affwildnet.weights.published_source import Opened, Source
from affwildnet.weights.weight_table import Transfer

MEAN = (131.0912, 103.8827, 91.4953)
EPSILON = 1e-3  # of keras-vggface's batch normalisation: Keras's default
# The convolutions of a block by their numbers in `resnet50`.
PARTS = {0: "1x1_proj", 1: "1x1_reduce", 2: "3x3", 3: "1x1_increase"}


def names() -> dict[str, str]:
    """Return the file's name of each convolution by its layer's name here without `_conv`, such as conv2_block1_0."""
    found = {"conv1": "conv1/7x7_s2"}
    for stage, _, blocks, _ in STAGES:
        for block in range(1, blocks + 1):
            for number, part in PARTS.items():
                if number > 0 or block == 1:
                    found[f"{stage}_block{block}_{number}"] = f"{stage}_{block}_{part}"
    return found


def open_h5(path: Path, config: ModelConfig) -> Opened:
    """Open `rcmalli_vggface_tf_notop_resnet50.h5`, or the one with the classifier."""

    def fill(transfer: Transfer) -> None:
        for layer, name in names().items():
            hdf5.copy_convolution(transfer, f"{layer}_conv", name, reverse=layer == "conv1", bias=False)
            hdf5.copy_normalisation(transfer, f"{layer}_bn", f"{name}/bn", EPSILON)

    remarks = (
        "the file's network takes BGR; this one takes RGB",
        "keras-vggface pads its first convolution 2 and 3 and its pool not at all where `resnet50` pads both evenly: "
        "the same weights look at places one pixel apart",
    )
    return Opened(hdf5.read(path), fill, MEAN, remarks=remarks)


SOURCE = Source(
    title="ResNet-50 trained on VGGFace2, of keras-vggface: rcmalli_vggface_tf_notop_resnet50.h5; the backbone",
    backbones=("resnet50",),
    open=open_h5,
    licence="Its publishers allow non-commercial research use.",
    rest="the classifier is not taken: it tells people apart",
)
