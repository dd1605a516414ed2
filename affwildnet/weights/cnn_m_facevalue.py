"""CNN-M trained on faces, with batch normalisation: `vgg-m-face-bn.mat`, published by the authors of FaceValue."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import conversion, matconvnet
from affwildnet.weights.weight_source import OpenedWeights, WeightSource
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

MEAN = (131.4538, 103.9875, 91.4623)
OTHER_FUNCTION = (
    "the weights fit, the function differs: the file's network normalises before its ReLU and pads its second "
    "convolution by 1, this one is ijcv2019's table 15 (ReLU, normalisation, ReLU; SAME)"
)


def open_mat(path: Path, config: ModelConfig) -> OpenedWeights:
    """Open the file; its batch normalisations are found by their place after the convolutions, not by their names."""
    network = matconvnet.read(path)
    mean, remark = network.checked_mean(MEAN)

    def fill(transfer: "WeightTransfer") -> None:
        from affwildnet.models.backbones.cnn_m import LAYERS

        for index in range(1, len(LAYERS) + 1):
            name = f"conv{index}"
            transfer.copy(name, "kernel", f"{name}.weights{{1}}")
            transfer.copy(name, "bias", f"{name}.weights{{2}}")
            _fill_normalisation(transfer, _layer_after(network, name), f"{name}_bn")

    return OpenedWeights(network.file, fill, mean, remarks=(remark, OTHER_FUNCTION))


def _layer_after(network: matconvnet.MatNetwork, name: str) -> matconvnet.MatLayer:
    """Return the batch normalisation that directly follows a convolution."""
    places = [index for index, layer in enumerate(network.layers[:-1]) if layer.name == name]
    if not places or network.layers[places[0] + 1].kind != "bnorm":
        raise UserError(
            f"{network.file.path}: must have a layer {name}, directly followed by one of type bnorm. Received: "
            f"{', '.join(f'{layer.name} ({layer.kind})' for layer in network.layers) or 'no layers'}."
        )
    return network.layers[places[0] + 1]


def _fill_normalisation(transfer: "WeightTransfer", source: matconvnet.MatLayer, layer: str) -> None:
    """Fill a batch normalisation; MatConvNet keeps mean and deviation (epsilon included) as the columns of a matrix."""
    if transfer.layer(layer) is None:
        for number in range(1, source.weights + 1):
            transfer.file.leave_out(source.weight(number), f"the network does not have the layer {layer}")
        return
    (channels,) = transfer.shape(layer, "gamma")
    moments = transfer.take(source.weight(3), [(channels, 2)], f"{layer}/moving_mean and moving_variance")
    gamma = transfer.take(source.weight(1), [(channels,)], f"{layer}/gamma")
    if not (np.isfinite(moments).all() and (moments[:, 1] > 0).all()):
        raise UserError(
            f"{transfer.file.path}: the deviations in {source.weight(3)} must be above 0. "
            f"Received: {moments[:, 1].min()}."
        )
    epsilon = transfer.layer(layer).epsilon
    gamma, variance = conversion.batch_normalisation(gamma, moments[:, 1], epsilon)
    transfer.put(layer, "gamma", gamma, (source.weight(1),), f"scaled where a deviation is below {epsilon**0.5:.3g}")
    transfer.copy(layer, "beta", source.weight(2))
    transfer.put(layer, "moving_mean", moments[:, 0], (source.weight(3),), "first column")
    transfer.put(layer, "moving_variance", variance, (source.weight(3),), f"second column squared, less {epsilon:g}")


SOURCE = WeightSource(
    title="CNN-M with batch normalisation trained on faces, FaceValue: vgg-m-face-bn.mat; the backbone",
    backbones=("cnn_m",),
    open=open_mat,
    licence="The publishers state none with the file; ask them before any use other than research.",
    unused_because="a fully connected layer: fc6 does not fit 96 x 96 pixels, and ijcv2019 has its own instead",
)
