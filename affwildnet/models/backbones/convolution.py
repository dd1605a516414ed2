"""The convolution that the residual and the dense networks are made of."""

import keras
from keras import layers


def convolution(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1, *, name: str, bias: bool = False
) -> keras.KerasTensor:
    """A linear convolution that sees (kernel - 1) / 2 zeros beyond each edge, at any stride; He initialisation.

    Keras's own "same" has, at stride 2 and an even side, a zero less above and on the left: other numbers than those
    that the published weights were trained to give. There the zeros come from a layer of their own.

    Args:
      x: (N, S, S, C).
      filters: channels of the result.
      kernel: side of the kernel, odd.
      stride: of both axes.
      name: of the layer; a padding layer before it ends in `_pad` where this ends in `_conv`, or has it appended.
      bias: whether there is one. A normalisation behind the convolution makes it needless.

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
