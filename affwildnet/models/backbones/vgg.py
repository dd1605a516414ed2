"""VGG-16 without its fully connected layers. VGG-Face is the same network with other weights."""

import keras
from keras import layers

from affwildnet.experiments.config import scaled

# Channels of the convolutions, block by block; each block ends in a pool.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build thirteen 3x3 convolutions with ReLU and five 2x2 max pools, all SAME (ijcv2019 table 16; Simonyan 2014, D).

    Layers are named `conv1` to `conv13` and `pool1` to `pool5`, as omg2019 table 5 numbers them. Initialisation is
    He's: with Glorot's, the signal fades through thirteen ReLU layers when training starts from random weights.

    Args:
      images: normalised pixels (N, S, S, 3).
      width: multiplier of the channels.

    Returns:
      Taps `conv1` ... `pool5` and `features`, which is pool5 flattened (at S = 96, 3 * 3 * 512 = 4608 values).
      14,714,688 weights at width 1.
    """
    taps = {}
    x = images
    for block, channels in enumerate(BLOCKS, start=1):
        for filters in channels:
            name = f"conv{len(taps) - block + 2}"  # one tap of each earlier block is its pool
            conv = layers.Conv2D(
                scaled(filters, width), 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name
            )
            x = taps[name] = conv(x)
        name = f"pool{block}"
        x = taps[name] = layers.MaxPooling2D(2, strides=2, padding="same", name=name)(x)
    taps["features"] = layers.Flatten(name="features")(x)
    return taps
