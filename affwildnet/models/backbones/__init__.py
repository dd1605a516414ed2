"""The backbones: the convolutional parts of the networks.

A backbone is a function `(images, width) -> taps`. `images` are normalised pixels (N, S, S, 3), and `width` multiplies
every number of channels. `taps` maps names to the tensors that a recurrent stack may read, in the order of the network;
the last is always `features` (N, F). Where possible, a tap has the name of its layer.

A new backbone is one file here and one line in `BACKBONES`.
"""

from collections.abc import Callable

import keras

from affwildnet.models.backbones.cnn_m import cnn_m
from affwildnet.models.backbones.densenet import densenet121, densenet169
from affwildnet.models.backbones.resnet50 import resnet50
from affwildnet.models.backbones.resnet50_slim import resnet50_slim
from affwildnet.models.backbones.vgg import vgg16

Backbone = Callable[[keras.KerasTensor, float], dict[str, keras.KerasTensor]]

BACKBONES: dict[str, Backbone] = {
    "cnn_m": cnn_m,
    "densenet121": densenet121,
    "densenet169": densenet169,
    "resnet50": resnet50,
    "resnet50_slim": resnet50_slim,
    "vgg16": vgg16,
}
