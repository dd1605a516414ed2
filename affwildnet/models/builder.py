"""The one builder: trunk, landmarks, hidden layers, recurrent head, output."""

import keras
import numpy as np
from keras import layers

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.checks import check
from affwildnet.models.recurrent import RECURRENT
from affwildnet.models.time import FoldTime, UnfoldTime
from affwildnet.models.trunks import TRUNKS
from affwildnet.models.width import scaled
from tfrecords_tools.schema import LANDMARKS

OUTPUT = "valence_arousal"
STANDARDISE = "standardise_landmarks"


def build(config: ModelConfig) -> keras.Model:
    """Builds a network from its description, with random weights.

    Call `keras.utils.set_random_seed` before it to make weights and dropout reproducible. Under mixed precision the
    pixels' normalisation, the recurrent layers and the output stay float32.

    Args:
      config: the network, see `ModelConfig`.

    Returns:
      A functional model. Inputs, by name: `frames` (B, T, S, S, 3) uint8, RGB, S = `config.image_size`; and, with
      `config.landmarks`, `landmarks` (B, T, 68, 2) float32, x and y over the crop's side. Output `valence_arousal`
      (B, T, `config.outputs`) float32, linear. B and T are free. Layers: those of the trunk, `fc1` ..., the recurrent
      ones (`gru1` ...), `valence_arousal`.

    Raises:
      UserError: a field of `config` breaks a rule; the message names it.
    """
    check(config, TRUNKS, RECURRENT)
    side = config.image_size
    frames = keras.Input((None, side, side, 3), dtype="uint8", name="frames")
    inputs = [frames]
    images = _normalised(FoldTime(name="fold_frames")(frames), config)
    features = TRUNKS[config.trunk](images, config.width)["features"]
    if config.landmarks:
        landmarks = keras.Input((None, LANDMARKS, 2), dtype="float32", name="landmarks")
        inputs.append(landmarks)
        points = layers.Flatten(name="flat_landmarks")(FoldTime(name="fold_landmarks")(landmarks))
        if config.standardise_landmarks:
            points = layers.Normalization(name=STANDARDISE)(points)
        features = layers.Concatenate(name="features_landmarks")([features, points])
    sequence = UnfoldTime(name="unfold")([_hidden(features, config), frames])
    if config.recurrent != "none":
        sequence = RECURRENT[config.recurrent](sequence, config, "")
    # No activation: scores are scored as they are, and the published networks end in a linear layer.
    output = layers.Dense(config.outputs, dtype="float32", name=OUTPUT)(sequence)
    name = config.trunk if config.recurrent == "none" else f"{config.trunk}_{config.recurrent}"
    return keras.Model(inputs, output, name=name)


def fit_landmarks(model: keras.Model, landmarks: np.ndarray) -> None:
    """Takes the mean and deviation of (N, 68, 2) landmarks into a network with `standardise_landmarks`.

    They are weights of the network, not trained, and saved with it; without this call they are 0 and 1.
    """
    model.get_layer(STANDARDISE).adapt(landmarks.reshape(len(landmarks), -1))


def _normalised(pixels: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """(pixels - mean) * scale, always in float32: 8 significant bits would round a mean such as 129.186."""
    scale = float(config.pixel_scale)
    offset = [-float(mean) * scale for mean in config.pixel_mean]
    return layers.Rescaling(scale, offset, dtype="float32", name="normalise")(pixels)


def _hidden(features: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Fully connected ReLU layers `fc1` ..., with dropout after the first only (ijcv2019 tables 6 and 16)."""
    x = features
    for index, units in enumerate(config.hidden, start=1):
        name = f"fc{index}"
        dense = layers.Dense(scaled(units, config.width), activation="relu", kernel_initializer="he_normal", name=name)
        x = dense(x)
        if index == 1:
            x = layers.Dropout(config.dropout, name=f"{name}_dropout")(x)
    return x
