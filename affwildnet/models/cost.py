"""What a network costs: its trainable weights, and its work per frame. Nothing is allocated or computed for it.

Weights are counted as in the papers' tables: those that training changes. The moving statistics of batch normalisation
and the mean and deviation of the landmarks are not among them.
"""

import math

import keras
from keras import layers

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.costs import Cost, save
from affwildnet.models.builder import build
from affwildnet.models.cloning import weightless
from affwildnet.models.fusion import WeightedMean
from affwildnet.models.recurrent import OutputAttention, Recurrent

# Layers that multiply element by element although a matrix is among their weights.
ELEMENT_WISE = (WeightedMean,)


def of(config: ModelConfig) -> Cost:
    """Return the trainable weights and the GFLOPs per frame of a network.

    Example:

    ```python
    cost.of(experiments.get("ijcv2019/affwildnet_vggface").model).weights  # 35,871,554
    ```

    Raises:
      UserError: if a field of `config` breaks a rule; the message names it.
    """
    model = weightless(lambda: build(config))
    return Cost(trainable_weights(model), 2 * multiply_adds(model) / 1e9)


def parameters(config: ModelConfig) -> int:
    """Return the number of trainable weights of a network; raise as `of`."""
    return of(config).weights


def trainable_weights(model: keras.Model) -> int:
    """Return the number of trainable weights of a model, frozen layers excluded."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def of_experiments() -> dict[str, Cost]:
    """Return the cost of each experiment's network by the experiment's name, each network built once."""
    models = {experiment.model for experiment in EXPERIMENTS.values()}
    costs = {model: of(model) for model in models}
    return {name: costs[experiment.model] for name, experiment in EXPERIMENTS.items()}


def write_experiment_costs() -> None:
    """Write `affwildnet/experiments/costs.json`; needed where an experiment's network is new or has changed."""
    save(of_experiments())


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of a forward pass per frame.

    Counted are convolutions (zeros beyond the edge included, as is usual), fully connected layers, and recurrent
    layers as their equations are written: each matrix once per frame, and in an attention the scores and the weighted
    sum of the remembered outputs. Element-wise work is not counted: biases, activations, normalisation, pooling, gates,
    peepholes, softmax, dropout.

    Args:
      model: functional, each layer called once. The sides of images must be known; the axes of batch and time need not
        be, and count as one frame.

    Raises:
      TypeError: if a layer of another kind has a matrix among its weights.
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
