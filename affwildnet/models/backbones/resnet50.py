"""ResNet-50 without its classifier, layer by layer as in `keras.applications`, but of any width."""

import keras
from keras import layers

from affwildnet.experiments.config import scaled
from affwildnet.models.backbones.convolution import convolution

# Per stage: its name, channels of the narrow convolutions, blocks, stride of the first block.
STAGES = (("conv2", 64, 3, 1), ("conv3", 128, 4, 2), ("conv4", 256, 6, 2), ("conv5", 512, 3, 2))
EXPANSION = 4  # a block's output has this many times its narrow channels
EPSILON = 1.001e-5  # of the batch normalisation; the published weights were trained with it


def resnet50(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build ResNet-50 version 1 with global average pooling (ijcv2019 A.2, figure 16; He 2015).

    The stride of a stage is on the first 1x1 convolution of its first block. Layers are named as in
    `keras.applications.ResNet50`, so that the weights published for it can be imported by name. Initialisation is
    He's, as in the paper of the network.

    Args:
      images: normalised pixels (N, S, S, 3).
      width: multiplier of the channels.

    Returns:
      Taps `conv1` (after its ReLU), `pool1`, `conv2` ... `conv5` (outputs of the stages), and `features` (N, 2048),
      which is the layer `avg_pool`.
    """
    taps = {}
    x = _conv_bn(images, scaled(64, width), 7, 2, "conv1")
    x = taps["conv1"] = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = taps["pool1"] = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, channels, blocks, stride in STAGES:
        for index in range(1, blocks + 1):
            x = _block(x, scaled(channels, width), stride if index == 1 else 1, index == 1, f"{stage}_block{index}")
        taps[stage] = x
    taps["features"] = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return taps


def _block(x: keras.KerasTensor, channels: int, stride: int, project: bool, name: str) -> keras.KerasTensor:
    """Apply a bottleneck: 1x1, 3x3, 1x1, plus the input, which a 1x1 convolution projects if `project`."""
    shortcut = _conv_bn(x, EXPANSION * channels, 1, stride, f"{name}_0") if project else x
    x = _conv_bn(x, channels, 1, stride, f"{name}_1")
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _conv_bn(x, channels, 3, 1, f"{name}_2")
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = _conv_bn(x, EXPANSION * channels, 1, 1, f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _conv_bn(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    x = convolution(x, filters, kernel, stride, name=f"{name}_conv", bias=True)
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
