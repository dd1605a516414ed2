"""Builds a network from its description: a single one, one per output, or several fused; and its head."""

from dataclasses import replace

import keras
import numpy as np
from keras import layers

from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.heads import EXPRESSION, OUTPUTS, VALENCE_AROUSAL
from affwildnet.experiments.network_rules import check
from affwildnet.models.backbones import BACKBONES
from affwildnet.models.cloning import clone_onto, weightless
from affwildnet.models.fusion import WeightedMean
from affwildnet.models.layer_prefixes import dimension_prefix, prefixes
from affwildnet.models.network import STANDARDISE, inputs, joined_hidden, representation
from affwildnet.models.recurrent import RECURRENT, WINDOW, recurrent_stack
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema

# Activation of the head, by its name. Valence and arousal have none: the published networks end in a linear layer, and
# scores are computed on its output.
ACTIVATIONS = {VALENCE_AROUSAL: "linear", EXPRESSION: "softmax"}


def build(config: ModelConfig, window: int = WINDOW) -> keras.Model:
    """Build a network from its description, with random weights.

    Call `keras.utils.set_random_seed` first to make weights and dropout reproducible. Under mixed precision the
    normalisation of the pixels, the recurrent layers and the head stay float32.

    Example:

    ```python
    config = ModelConfig(backbone="vgg16", landmarks=True, hidden=(4096,), recurrent="gru")
    model = build(config)
    frames = np.zeros((1, 80, 96, 96, 3), "uint8")
    landmarks = np.zeros((1, 80, 68, 2), "float32")
    model({"frames": frames, "landmarks": landmarks}).shape  # (1, 80, 2)
    ```

    Args:
      config: the network, see `ModelConfig`.
      window: frames of a training window, which limit the recurrent weights of an IndRNN; the network itself takes
        sequences of any length.

    Returns:
      A functional model. Its inputs are `frames` (B, T, S, S, 3) uint8, RGB, S = `config.image_size`; and, with
      `config.landmarks`, `landmarks` (B, T, 68, 2) float32, x and y divided by the crop's side. Its output is
      `valence_arousal` (B, T, 2) float32, linear; or `expression` (B, T, 7), probabilities. B and T are free. Its
      layers are those of the backbone, `fc1` ..., the recurrent ones (`gru1` ...), and the head, which has the name of
      the output. In a network that is made of several, the layers' names begin with `valence_` and `arousal_`, or with
      `net1_`, `net2_` ...

    Raises:
      UserError: if a field of `config` breaks a rule; the message names it.
    """
    check(config, BACKBONES, RECURRENT, OUTPUTS)
    if config.members:
        return _fused(config, window)
    if config.separate:
        return _separate(config, window)
    network = representation(config, window)
    name = config.backbone if config.recurrent == "none" else f"{config.backbone}_{config.recurrent}"
    return keras.Model(network.inputs, _head(config)(network.output), name=name)


def fit_landmarks(model: keras.Model, landmarks: np.ndarray) -> None:
    """Set the mean and deviation of the landmarks in a network with `standardise_landmarks`.

    They are weights of the network that training does not change, and are saved with it. Without this call they are 0
    and 1. Other networks stay as they are.

    Args:
      model: as `build` returns it.
      landmarks: (N, 68, 2), of the training split.

    Raises:
      UserError: if the landmarks have another shape.
    """
    landmarks = np.asarray(landmarks)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (schema.LANDMARKS, 2) or not len(landmarks):
        raise UserError(f"`landmarks` must be (N, {schema.LANDMARKS}, 2), N at least 1. Received: {landmarks.shape}")
    for layer in model.layers:
        if layer.name.endswith(STANDARDISE):
            layer.adapt(landmarks.reshape(len(landmarks), -1))


def _head(config: ModelConfig, prefix: str = "") -> keras.Layer:
    """Return the output layer."""
    units, activation = len(OUTPUTS[config.head]), ACTIVATIONS[config.head]
    return layers.Dense(units, activation=activation, dtype="float32", name=prefix + config.head)


def _separate(config: ModelConfig, window: int) -> keras.Model:
    """Return a whole network for valence and one for arousal (cvprw2017 section 4.1)."""
    tensors = inputs(config)
    network = _weightless(config, window)
    predictions = []
    for dimension in schema.DIMENSIONS:
        (sequence,) = clone_onto(tensors, network, dimension_prefix(dimension))
        predictions.append(layers.Dense(1, dtype="float32", name=dimension)(sequence))
    output = layers.Concatenate(dtype="float32", name=config.head)(predictions)
    return keras.Model(tensors, output, name=f"separate_{config.backbone}")


def _fused(config: ModelConfig, window: int) -> keras.Model:
    """Return several networks, fused after their recurrent stacks or by their predictions (omg2019 section 5.4)."""
    shared = {name: getattr(config, name) for name in ("image_size", "width", "pixel_mean", "pixel_scale", "head")}
    members = [replace(member, **shared) for member in config.members]
    tensors = inputs(next((member for member in members if member.landmarks), members[0]))
    names = prefixes(config)
    sequences = [
        clone_onto(tensors, _weightless(member, window), prefix)[0]
        for member, prefix in zip(members, names, strict=True)
    ]
    if config.fusion == "decision":
        predictions = [_head(config, prefix)(sequence) for sequence, prefix in zip(sequences, names, strict=True)]
        mean = WeightedMean(dtype="float32", name=config.head)
        return keras.Model(tensors, mean(predictions), name="decision_fusion")
    sequence = layers.Concatenate(name="members")(sequences)
    if config.recurrent != "none":
        sequence = recurrent_stack(sequence, config, window=window)
    return keras.Model(tensors, _head(config)(joined_hidden(sequence, config)), name="model_fusion")


def _weightless(config: ModelConfig, window: int) -> keras.Model:
    """Return the network up to its head, without values for its weights, to be cloned."""
    return weightless(lambda: representation(config, window))
