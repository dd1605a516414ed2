"""CNN-M, the baseline of the Aff-Wild challenge."""

import keras
from keras import layers

from affwildnet.experiments.config import scaled

# Per convolution: filters, kernel, stride, padding, and the pool after it (size, stride, padding), if any.
LAYERS = (
    (96, 7, 2, "valid", (3, 2, "valid")),
    (256, 5, 2, "same", (3, 2, "same")),
    (512, 3, 1, "same", None),
    (512, 3, 1, "same", None),
    (512, 3, 1, "same", (2, 2, "same")),
)


def cnn_m(images: keras.KerasTensor, width: float = 1.0) -> dict[str, keras.KerasTensor]:
    """Build five convolutions, each with batch normalisation, and three max pools (ijcv2019 A.1, table 15).

    The paper gives ReLU to the convolutional and to the batch normalisation layers, and is taken literally: conv, ReLU,
    batch norm, ReLU. The common conv, batch norm, ReLU has the same weights and shapes, but is not what the paper says.
    It leaves open whether the normalisation scales: it does, as by default in Keras. Convolutions keep their biases, as
    a ReLU directly follows them. Initialisation is He's, as all layers have ReLU.

    Args:
      images: normalised pixels (N, S, S, 3).
      width: multiplier of the channels.

    Returns:
      Taps `conv1` ... `conv5` (after the second ReLU), `pool1` ... `pool3` (after conv1, conv2 and conv5), and
      `features`, which is pool3 flattened: at S = 96 the sides are 45, 22, 11, 6, 6, 3, so 3 * 3 * 512 = 4608 values.
    """
    taps = {}
    x = images
    pools = 0
    for index, (filters, kernel, stride, padding, pool) in enumerate(LAYERS, start=1):
        conv = layers.Conv2D(
            scaled(filters, width),
            kernel,
            strides=stride,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{index}",
        )
        x = layers.BatchNormalization(name=f"conv{index}_bn")(conv(x))
        x = taps[f"conv{index}"] = layers.ReLU(name=f"conv{index}_bn_relu")(x)
        if pool is not None:
            pools += 1
            size, step, pool_padding = pool
            name = f"pool{pools}"
            x = taps[name] = layers.MaxPooling2D(size, strides=step, padding=pool_padding, name=name)(x)
    taps["features"] = layers.Flatten(name="features")(x)
    return taps
