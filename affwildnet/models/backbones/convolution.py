"""The convolution of the residual and the dense networks."""

import keras
from keras import layers


def convolution(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1, *, name: str, bias: bool = False
) -> keras.KerasTensor:
    """Apply a linear convolution with (kernel - 1) / 2 zeros beyond each edge, at any stride; initialisation is He's.

    At stride 2 and an even side, Keras's "same" pads one zero less at the top and on the left, so that the published
    weights would compute something else. There a layer of its own pads.

    Args:
      x: (N, S, S, C).
      filters: channels of the result.
      kernel: side of the kernel, odd.
      stride: of both axes.
      name: of the layer. The padding layer's name ends in `_pad` instead of `_conv`.
      bias: whether there is a bias. A normalisation after the convolution makes it unnecessary.

    Returns:
      (N, ceil(S / stride), ceil(S / stride), filters).
    """
    padding = "same"
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name.removesuffix('_conv')}_pad")(x)
        padding = "valid"
    conv = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )
    return conv(x)
