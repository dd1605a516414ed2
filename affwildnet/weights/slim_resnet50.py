"""ResNet-50 trained on ImageNet as TF-Slim publishes it, `resnet_v1_50.ckpt`, for the backbone `resnet50_slim`.

The thesis starts its ResNet-50 from it (section 5.2.1), with pixels as (x - 128) / 128.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import tensorflow1
from affwildnet.weights.weight_source import OpenedWeights, WeightSource

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

SCOPE = "resnet_v1_50"
# Subtracted from R, G and B by Slim's preprocessing of this network; the file has it too, as `mean_rgb`.
MEAN = (123.68, 116.78, 103.94)


def fill_resnet(transfer: "WeightTransfer") -> None:
    """Copy the convolutions and batch normalisations of `resnet_v1_50` into the backbone `resnet50_slim`."""
    from affwildnet.models.backbones.resnet50_slim import BLOCKS

    names = {"conv1": "conv1"}
    for block, (_, units, _) in enumerate(BLOCKS, start=1):
        for unit in range(1, units + 1):
            for part in (*(["shortcut"] if unit == 1 else []), "conv1", "conv2", "conv3"):
                names[f"block{block}_unit{unit}_{part}"] = f"block{block}/unit_{unit}/bottleneck_v1/{part}"
    for layer, scope in names.items():
        transfer.copy(layer, "kernel", f"{SCOPE}/{scope}/weights")
        for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
            transfer.copy(f"{layer}_bn", weight, f"{SCOPE}/{scope}/BatchNorm/{weight}")


def open_checkpoint(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open `resnet_v1_50.ckpt`; see `tensorflow1.open_variables`."""
    file = tensorflow1.open_variables(path)
    file.leave_out(f"{SCOPE}/mean_rgb", "the mean of the pixels, which the network subtracts itself")
    return OpenedWeights(file, fill_resnet, MEAN)


SOURCE = WeightSource(
    title="ResNet-50 of TF-Slim trained on ImageNet: resnet_v1_50.ckpt; the backbone",
    backbones=("resnet50_slim",),
    open=open_checkpoint,
    licence="TF-Slim publishes it under the Apache License 2.0.",
    unused_because="of the classifier, which recognises objects",
)
