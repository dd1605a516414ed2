"""What a network costs: its weights, and its multiplications a frame. Nothing is allocated or computed for it."""

import math

import keras
from keras import layers

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.builder import build
from affwildnet.models.cloning import skeleton
from affwildnet.models.fusion import WeightedMean
from affwildnet.models.recurrent import OutputAttention, Recurrent

# Layers with a matrix among their weights that multiply element by element only.
ELEMENT_WISE = (WeightedMean,)


def parameters(config: ModelConfig) -> int:
    """Return the number of trainable weights of a network, such as 35,871,554 for AffWildNet (VGG-Face).

    Raises:
      UserError: a field of `config` breaks a rule; the message names it.
    """
    model = skeleton(lambda: build(config))
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def gflops(config: ModelConfig) -> float:
    """Return the work of a forward pass in 10^9 floating-point operations a frame.

    A multiplication and its addition are two operations. See `multiply_adds` for what is counted.

    Raises:
      UserError: a field of `config` breaks a rule; the message names it.
    """
    return 2e-9 * multiply_adds(skeleton(lambda: build(config)))


def multiply_adds(model: keras.Model) -> int:
    """Return the multiplications of a forward pass that go into a sum, for one frame.

    Counted are convolutions (zeros beyond the edge included, as is usual), fully connected layers, and recurrent ones
    as their equations are written: each matrix once a frame, and in an attention the scores and the sum of the outputs
    in its memory. Left out is what goes element by element: biases, activations, normalisation, pooling, gates,
    peepholes, softmax, dropout.

    Args:
      model: a functional model, each of whose layers is called once. An image's sides must be known; the axes of
        batch and time are not, and count as one frame.

    Raises:
      TypeError: a layer has matrices among its weights and is of none of these kinds.
    """
    return sum(map(_multiply_adds, model.layers))


def _multiply_adds(layer: keras.Layer) -> int:
    matrices = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    if not matrices or isinstance(layer, ELEMENT_WISE):
        return 0
    if isinstance(layer, layers.Conv2D):
        return matrices * math.prod(layer.output.shape[1:3])
    if isinstance(layer, layers.Dense):
        return matrices * math.prod(side for side in layer.output.shape[1:-1] if side is not None)
    if isinstance(layer, OutputAttention):
        return matrices + 2 * layer.memory * layer.units
    if isinstance(layer, (layers.RNN, Recurrent)):
        return matrices
    raise TypeError(f"The cost of a layer of type {type(layer).__name__} is not known. Received: `{layer.name}`")
