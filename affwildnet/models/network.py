"""A single network up to its head: backbone, landmarks, hidden layers, recurrent stacks."""

import keras
from keras import layers

from affwildnet.experiments.config import ModelConfig, scaled
from affwildnet.models.backbones import BACKBONES
from affwildnet.models.recurrent import WINDOW, recurrent_stack
from affwildnet.models.signature import FRAMES, LANDMARKS
from affwildnet.models.time_axis import FoldTime, UnfoldTime
from tfrecords_tools.errors import check_choice
from tfrecords_tools.records import schema

STANDARDISE = "standardise_landmarks"  # name of the layer
LAST_HIDDEN = "fc"  # name in `rnn_inputs` of the last hidden layer, after its dropout


def inputs(config: ModelConfig) -> list[keras.KerasTensor]:
    """Return `frames` (B, T, S, S, 3) uint8 and, with `config.landmarks`, `landmarks` (B, T, 68, 2) float32."""
    side = config.image_size
    tensors = [keras.Input((None, side, side, 3), dtype="uint8", name=FRAMES)]
    if config.landmarks:
        tensors.append(keras.Input((None, schema.LANDMARKS, 2), dtype="float32", name=LANDMARKS))
    return tensors


def representation(config: ModelConfig, window: int = WINDOW) -> keras.Model:
    """Build the network up to the features (B, T, F) that its head reads.

    Args:
      config: the network.
      window: see `recurrent_stack`.

    Raises:
      UserError: if `config.rnn_inputs` names a tap that the backbone does not have.
    """
    tensors = inputs(config)
    frames = tensors[0]
    images = _normalised(FoldTime(name="fold_frames")(frames), config)
    taps = BACKBONES[config.backbone](images, config.width)
    points = _landmarks(tensors[1], config) if config.landmarks else None
    end = _hidden(taps["features"], points, config)
    if config.hidden:
        taps[LAST_HIDDEN] = end
    stacks = []
    for entry in config.rnn_inputs or ("",):
        sequence = UnfoldTime(name=f"unfold_{_joined(entry)}" if entry else "unfold")(
            [_tapped(entry, taps) if entry else end, frames]
        )
        if config.recurrent != "none":
            prefix = f"{_joined(entry)}_" if len(config.rnn_inputs) > 1 else ""
            sequence = recurrent_stack(sequence, config, prefix, window)
        stacks.append(sequence)
    together = layers.Concatenate(name="stacks")(stacks) if len(stacks) > 1 else stacks[0]
    model = keras.Model(tensors, joined_hidden(together, config))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = config.normalisation_momentum
    return model


def joined_hidden(sequence: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Apply the ReLU layers `joined_fc1` ... to the outputs of the recurrent stacks (omg2019 sections 5.3, 5.4.1)."""
    for index, units in enumerate(config.joined_hidden, start=1):
        sequence = _dense(scaled(units, config.width), f"joined_fc{index}")(sequence)
    return sequence


def _normalised(pixels: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Return (pixels - mean) * scale, always float32: 8 significant bits would round a mean such as 129.186."""
    scale = [float(value) for value in config.pixel_scale]
    offset = [-float(mean) * value for mean, value in zip(config.pixel_mean, scale, strict=True)]
    return layers.Rescaling(scale, offset, dtype="float32", name="normalise")(pixels)


def _landmarks(landmarks: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Return the landmarks (N, F) as they are joined to the features."""
    points = layers.Flatten(name="flat_landmarks")(FoldTime(name="fold_landmarks")(landmarks))
    if config.standardise_landmarks:
        points = layers.Normalization(name=STANDARDISE)(points)
    if config.landmark_encoder:
        points = _dense(scaled(config.landmark_encoder, config.width), "landmark_fc")(points)
    return points


def _hidden(features: keras.KerasTensor, points: keras.KerasTensor | None, config: ModelConfig) -> keras.KerasTensor:
    """Apply the layers `fc1` ... and dropout; the landmarks are joined to the input of one of the layers."""
    x, before = features, "features"
    for index, units in enumerate(config.hidden or (None,), start=1):
        if points is not None and index == config.landmarks_join:
            x = layers.Concatenate(name=f"{before}_landmarks")([x, points])
        if units is None:
            break
        before = f"fc{index}"
        x = _dense(scaled(units, config.width), before)(x)
        if index == 1 or config.dropout_layers == "all":
            x = layers.Dropout(config.dropout, name=f"{before}_dropout")(x)
    return x


def _tapped(entry: str, taps: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
    """Return the taps of an entry of `rnn_inputs`, flattened and concatenated: (N, F)."""
    flat = []
    for name in entry.split("+"):
        check_choice("rnn_inputs", name, taps)
        tap = taps[name]
        flat.append(layers.Flatten(name=f"{_joined(entry)}_{name}_flat")(tap) if len(tap.shape) > 2 else tap)
    return layers.Concatenate(name=f"{_joined(entry)}_taps")(flat) if len(flat) > 1 else flat[0]


def _joined(entry: str) -> str:
    return entry.replace("+", "_")


def _dense(units: int, name: str) -> keras.Layer:
    return layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=name)
