"""CNN-M trained on faces with batch normalisation, `vgg-m-face-bn.mat`, which the FaceValue paper's authors publish."""

from pathlib import Path

import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.backbones.cnn_m import LAYERS
from affwildnet.weights import conversion, matconvnet
from affwildnet.weights.published_source import Opened, Source
from affwildnet.weights.weight_table import Transfer
from tfrecords_tools.errors import UserError

MEAN = (131.4538, 103.9875, 91.4623)
FUNCTION = (
    "the weights fit, the function differs: the file's network normalises before its ReLU and pads its second "
    "convolution by 1, this one is ijcv2019's table 15 (ReLU, normalisation, ReLU; SAME)"
)


def open_mat(path: Path, config: ModelConfig) -> Opened:
    """Open the file. Its batch normalisations are found by their place behind the convolutions, not by their names."""
    network = matconvnet.read(path)
    mean, remark = network.checked_mean(MEAN)

    def fill(transfer: Transfer) -> None:
        for index in range(1, len(LAYERS) + 1):
            name = f"conv{index}"
            transfer.copy(name, "kernel", f"{name}.weights{{1}}")
            transfer.copy(name, "bias", f"{name}.weights{{2}}")
            _normalisation(transfer, _behind(network, name), f"{name}_bn")

    return Opened(network.contents, fill, mean, remarks=(remark, FUNCTION))


def _behind(network: matconvnet.MatNetwork, name: str) -> matconvnet.MatLayer:
    """The batch normalisation right behind a convolution."""
    places = [index for index, layer in enumerate(network.layers[:-1]) if layer.name == name]
    if not places or network.layers[places[0] + 1].kind != "bnorm":
        raise UserError(
            f"{network.contents.path}: must have a layer {name} with one of type bnorm right behind it. Received: "
            f"{', '.join(f'{layer.name} ({layer.kind})' for layer in network.layers) or 'no layers'}."
        )
    return network.layers[places[0] + 1]


def _normalisation(transfer: Transfer, source: matconvnet.MatLayer, layer: str) -> None:
    """MatConvNet keeps mean and deviation, the latter with its epsilon inside, as the columns of one matrix."""
    if transfer.layer(layer) is None:
        for number in range(1, source.weights + 1):
            transfer.contents.leave_out(source.weight(number), f"the network does not have the layer {layer}")
        return
    (channels,) = transfer.shape(layer, "gamma")
    moments = transfer.take(source.weight(3), [(channels, 2)], f"{layer}/moving_mean and moving_variance")
    gamma = transfer.take(source.weight(1), [(channels,)], f"{layer}/gamma")
    if not (np.isfinite(moments).all() and (moments[:, 1] > 0).all()):
        raise UserError(
            f"{transfer.contents.path}: the deviations in {source.weight(3)} must be above 0. "
            f"Received: {moments[:, 1].min()}."
        )
    epsilon = transfer.layer(layer).epsilon
    gamma, variance = conversion.normalisation(gamma, moments[:, 1], epsilon)
    transfer.put(
        layer, "gamma", gamma, (source.weight(1),), f"made up for where a deviation is below {epsilon**0.5:.3g}"
    )
    transfer.copy(layer, "beta", source.weight(2))
    transfer.put(layer, "moving_mean", moments[:, 0], (source.weight(3),), "first column")
    transfer.put(layer, "moving_variance", variance, (source.weight(3),), f"second column squared, less {epsilon:g}")


SOURCE = Source(
    title="CNN-M with batch normalisation trained on faces: vgg-m-face-bn.mat; the backbone",
    backbones=("cnn_m",),
    open=open_mat,
    licence="Its publishers name none with the file; ask before any use but research.",
    rest="the fully connected layers are not taken: fc6 does not fit 96 x 96 pixels, and ijcv2019 puts its own there",
)
