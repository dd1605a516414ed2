"""The ResNet-50 of TF-Slim, which is the backbone of the model that the authors released."""

import keras
from keras import layers

from affwildnet.experiments.config import scaled
from affwildnet.models.backbones.convolution import convolution

# Per block: channels of the narrow convolutions, units, stride of the last unit.
BLOCKS = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))
EXPANSION = 4  # a unit's output has this many times its narrow channels
EPSILON = 1e-5  # of the batch normalisation


def resnet50_slim(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build `resnet_v1_50` of TF-Slim with global average pooling.

    It has as many weights as `resnet50`, but computes something else.
    The stride is on the 3x3 convolution of the last unit of blocks 1 to 3, whose shortcut takes every second pixel
    unchanged; each first unit projects its shortcut at full resolution, and block 4 keeps the resolution. Convolutions
    have no bias. The layer for `block1/unit_1/bottleneck_v1/conv1` is `block1_unit1_conv1`, followed by its
    normalisation `block1_unit1_conv1_bn`.

    Args:
      images: normalised pixels (N, S, S, 3).
      width: multiplier of the channels.

    Returns:
      Taps `conv1` (after its ReLU), `pool1`, `block1` ... `block4` (outputs of the blocks, after their ReLU; at S = 96
      their sides are 12, 6, 3, 3), and `features` (N, 2048), which is the layer `pool5`. At width 1 it has 23,508,032
      trainable weights.
    """
    taps = {}
    x = _conv_bn(images, scaled(64, width), 7, 2, "conv1")
    x = taps["conv1"] = layers.Activation("relu", name="conv1_relu")(x)
    x = taps["pool1"] = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for block, (channels, units, stride) in enumerate(BLOCKS, start=1):
        for unit in range(1, units + 1):
            unit_stride = stride if unit == units else 1
            x = _unit(x, scaled(channels, width), unit_stride, unit == 1, f"block{block}_unit{unit}")
        taps[f"block{block}"] = x
    taps["features"] = layers.GlobalAveragePooling2D(name="pool5")(x)
    return taps


def _unit(x: keras.KerasTensor, channels: int, stride: int, project: bool, name: str) -> keras.KerasTensor:
    """Apply a bottleneck: 1x1, 3x3, 1x1, plus the input: projected, or every `stride`-th pixel, or as it is."""
    shortcut = x
    if project:
        shortcut = _conv_bn(x, EXPANSION * channels, 1, stride, f"{name}_shortcut")
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_subsample")(x)
    x = _conv_bn(x, channels, 1, 1, f"{name}_conv1")
    x = layers.Activation("relu", name=f"{name}_conv1_relu")(x)
    x = _conv_bn(x, channels, 3, stride, f"{name}_conv2")
    x = layers.Activation("relu", name=f"{name}_conv2_relu")(x)
    x = _conv_bn(x, EXPANSION * channels, 1, 1, f"{name}_conv3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _conv_bn(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    x = convolution(x, filters, kernel, stride, name=name)
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
