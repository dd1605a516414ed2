"""DenseNet-121 and DenseNet-169 without their classifier, as in `keras.applications`, but of any width."""

import keras
from keras import layers

from affwildnet.experiments.config import scaled
from affwildnet.models.backbones.convolution import convolution

# Layers of the dense blocks conv2 to conv5 (Huang 2017, table 1).
BLOCKS_121 = (6, 12, 24, 16)
BLOCKS_169 = (6, 12, 32, 32)
STEM = 64  # channels of the first convolution
GROWTH = 32  # channels that each layer of a dense block adds
BOTTLENECK = 4  # a layer's 1x1 convolution has this many times the growth
COMPRESSION = 2  # a transition divides the channels by this
EPSILON = 1.001e-5  # of the batch normalisation; the published weights were trained with it


def densenet121(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build DenseNet-121 (omg2019 section 5.1): `features` is (N, 1024), 6,953,856 trainable weights."""
    return densenet(images, width, BLOCKS_121)


def densenet169(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build DenseNet-169 (thesis table 4.5): `features` is (N, 1664), 12,484,480 trainable weights."""
    return densenet(images, width, BLOCKS_169)


def densenet(images: keras.KerasTensor, width: float, blocks: tuple[int, ...]) -> dict[str, keras.KerasTensor]:
    """Build a DenseNet with bottlenecks, compression and global average pooling (Huang 2017).

    Layers are named as in `keras.applications.DenseNet121`, so that the weights published for it can be imported by
    name; its two unnamed padding layers are `conv1_pad` and `pool1_pad`. Convolutions have no bias. Initialisation is
    He's, as in the paper of the network.

    Args:
      images: normalised pixels (N, S, S, 3).
      width: multiplier of the first convolution's channels and of the growth rate; all others follow from the two.
      blocks: layers of each dense block.

    Returns:
      Taps `conv1` (after its ReLU), `pool1`, `conv2` ... `conv5` (outputs of the dense blocks, before normalisation
      and ReLU, from the layers `conv2_block6_concat` ...), and `features`, which is the layer `avg_pool`, after the
      last normalisation and ReLU.
    """
    taps = {}
    growth = scaled(GROWTH, width)
    x = convolution(images, scaled(STEM, width), 7, 2, name="conv1_conv")
    x = taps["conv1"] = _bn_relu(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = taps["pool1"] = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, size in enumerate(blocks, start=2):
        if number > 2:
            x = _transition(x, f"pool{number - 1}")
        for index in range(1, size + 1):
            x = _dense_layer(x, growth, f"conv{number}_block{index}")
        taps[f"conv{number}"] = x
    x = _bn_relu(x, "bn", "relu")
    taps["features"] = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return taps


def _dense_layer(x: keras.KerasTensor, growth: int, name: str) -> keras.KerasTensor:
    """Apply a layer of a dense block: 1x1 and 3x3, each after a normalisation, appended to the input as channels."""
    new = _bn_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = convolution(new, BOTTLENECK * growth, 1, name=f"{name}_1_conv")
    new = _bn_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = convolution(new, growth, 3, name=f"{name}_2_conv")
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def _transition(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Apply the layers between two dense blocks: fewer channels by a 1x1 convolution, half the side by averaging."""
    x = _bn_relu(x, f"{name}_bn", f"{name}_relu")
    x = convolution(x, x.shape[-1] // COMPRESSION, 1, name=f"{name}_conv")
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _bn_relu(x: keras.KerasTensor, bn_name: str, relu_name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=EPSILON, name=bn_name)(x)
    return layers.Activation("relu", name=relu_name)(x)
