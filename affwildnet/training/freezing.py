"""What a stage does not train: which layers stay as they are, and how they normalise batches."""

import logging

import keras

from affwildnet.experiments.config import Stage
from affwildnet.training.patterns import summary, trained_by
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)

# Values of `Stage.frozen_normalisation`.
INFERENCE, TRAINING = "inference", "training"
FROZEN_NORMALISATION = (INFERENCE, TRAINING)


def freeze(model: keras.Model, stage: Stage, names: list[str]) -> None:
    """Freeze all layers but those that a stage trains, and log which.

    Keras runs batch normalisation that is not trainable in inference mode, and a saved network keeps the flags. Where
    it runs in training mode it stays trainable, and the training step holds its weights, see `held_weights`.

    Args:
      model: the network.
      stage: what is trained of it.
      names: its layers with weights.

    Raises:
      UserError: if none of the layers that the stage trains can be trained.
    """
    trained, normalising = mark(model, stage, names)
    if not any(model.get_layer(name).trainable_variables for name in trained):
        raise UserError(f"Stage {stage.name}: `trainable` must match layers that can be trained. Received: {trained}")
    how = f" ({len(normalising)} of them normalise by the batch's statistics)" if normalising else ""
    frozen = summary([name for name in names if name not in trained])
    _log.info(f"trained: {summary(trained)}; frozen: {frozen}{how}")


def mark(model: keras.Model, stage: Stage, names: list[str]) -> tuple[list[str], list[str]]:
    """Set which layers are `trainable` as `freeze` does, and return which are trained and which normalise batches."""
    trained = trained_by(stage, names)
    normalising = [name for name in names if name not in trained and _normalises(model.get_layer(name), stage)]
    for name in names:
        model.get_layer(name).trainable = name in trained or name in normalising
    return trained, normalising


def held_weights(model: keras.Model, stage: Stage | None) -> list[keras.Variable]:
    """Return the weights that are trainable for Keras but that a stage does not train; none without a stage."""
    if stage is None or stage.frozen_normalisation == INFERENCE:
        return []
    trained = trained_by(stage, [layer.name for layer in model.layers if layer.weights])
    frozen = [layer for layer in model.layers if layer.name not in trained and _normalises(layer, stage)]
    return [weight for layer in frozen for weight in layer.trainable_variables]


def _normalises(layer: keras.Layer, stage: Stage) -> bool:
    return stage.frozen_normalisation == TRAINING and isinstance(layer, keras.layers.BatchNormalization)
