"""The one builder: one network, one for each output, or several fused, and the output layer."""

from dataclasses import replace

import keras
import numpy as np
from keras import layers

from affwildnet.experiments.config import ModelConfig
from affwildnet.models import recurrent
from affwildnet.models.backbones import BACKBONES
from affwildnet.models.checks import check
from affwildnet.models.cloning import beside, skeleton
from affwildnet.models.fusion import WeightedMean
from affwildnet.models.layer_prefixes import dimension_prefix, member_prefix
from affwildnet.models.network import STANDARDISE, inputs, joined_hidden, representation
from affwildnet.models.signature import EXPRESSION, OUTPUTS, VALENCE_AROUSAL
from tfrecords_tools.records.schema import DIMENSIONS

# Activation of the output layer, by its name. Predictions of valence and arousal have none: the published networks end
# in a linear layer, and scores are computed on its output.
ACTIVATIONS = {VALENCE_AROUSAL: "linear", EXPRESSION: "softmax"}


def build(config: ModelConfig) -> keras.Model:
    """Build a network from its description, with random weights.

    Call `keras.utils.set_random_seed` before it to make weights and dropout reproducible. Under mixed precision the
    pixels' normalisation, the recurrent layers and the output stay float32.

    Args:
      config: the network, see `ModelConfig`.

    Returns:
      A functional model. Its inputs are `frames` (B, T, S, S, 3) uint8, RGB, S = `config.image_size`; and, with
      `config.landmarks`, `landmarks` (B, T, 68, 2) float32, x and y over the crop's side. Output (B, T, 2) float32,
      `valence_arousal`, linear; or (B, T, 7), `expression`, probabilities. B and T are free. Layers: those of the
      backbone, `fc1` ..., the recurrent ones (`gru1` ...), the output. Where there are several networks in it, their
      layers' names begin with `valence_` and `arousal_`, or with `net1_`, `net2_` ...

    Raises:
      UserError: a field of `config` breaks a rule; the message names it.
    """
    check(config, BACKBONES, recurrent.RECURRENT, OUTPUTS)
    if config.members:
        return _fused(config)
    if config.separate:
        return _separate(config)
    network = representation(config)
    name = config.backbone if config.recurrent == "none" else f"{config.backbone}_{config.recurrent}"
    return keras.Model(network.inputs, _output(config)(network.output), name=name)


def fit_landmarks(model: keras.Model, landmarks: np.ndarray) -> None:
    """Take the mean and deviation of (N, 68, 2) landmarks into a network with `standardise_landmarks`.

    They are weights of the network, not trained, and saved with it; without this call they are 0 and 1.
    """
    for layer in model.layers:
        if layer.name.endswith(STANDARDISE):
            layer.adapt(landmarks.reshape(len(landmarks), -1))


def _output(config: ModelConfig, prefix: str = "") -> keras.Layer:
    units, activation = len(OUTPUTS[config.head]), ACTIVATIONS[config.head]
    return layers.Dense(units, activation=activation, dtype="float32", name=prefix + config.head)


def _separate(config: ModelConfig) -> keras.Model:
    """A whole network for valence and one for arousal (cvprw2017 section 4.1)."""
    tensors = inputs(config)
    network = _description(config)
    predictions = []
    for dimension in DIMENSIONS:
        (sequence,) = beside(network, tensors, dimension_prefix(dimension))
        predictions.append(layers.Dense(1, dtype="float32", name=dimension)(sequence))
    output = layers.Concatenate(dtype="float32", name=config.head)(predictions)
    return keras.Model(tensors, output, name=f"separate_{config.backbone}")


def _fused(config: ModelConfig) -> keras.Model:
    """Several networks, fused behind their recurrent stacks or by their predictions (omg2019 section 5.4)."""
    shared = {name: getattr(config, name) for name in ("image_size", "width", "pixel_mean", "pixel_scale", "head")}
    members = [replace(member, **shared) for member in config.members]
    tensors = inputs(next((member for member in members if member.landmarks), members[0]))
    sequences = []
    for index, member in enumerate(members, start=1):
        (sequence,) = beside(_description(member), tensors, member_prefix(index))
        sequences.append(sequence)
    if config.fusion == "decision":
        predictions = [
            _output(config, member_prefix(index))(sequence) for index, sequence in enumerate(sequences, start=1)
        ]
        return keras.Model(
            tensors, WeightedMean(dtype="float32", name=config.head)(predictions), name="decision_fusion"
        )
    sequence = layers.Concatenate(name="members")(sequences)
    if config.recurrent != "none":
        sequence = recurrent.head(sequence, config)
    return keras.Model(tensors, _output(config)(joined_hidden(sequence, config)), name="model_fusion")


def _description(config: ModelConfig) -> keras.Model:
    """The network without values for its weights, to be copied."""
    return skeleton(lambda: representation(config))
