"""The training step: forward, loss, gradients, update, as one compiled function under a `tf.distribute` strategy."""

import keras
import tensorflow as tf

from affwildnet import losses
from affwildnet.experiments.config import TrainingConfig
from tfrecords_tools.errors import UserError, check_choice

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def optimiser(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Returns Adam with the experiment's learning rate: constant, or multiplied by `decay_rate` every `decay_steps`."""
    rate = config.learning_rate
    if config.decay_rate != 1:
        rate = keras.optimizers.schedules.ExponentialDecay(rate, config.decay_steps, config.decay_rate, staircase=True)
    adam = keras.optimizers.Adam(rate)
    # Wrapped here, not by `compile`: a loaded model would not be, and would lose the optimiser's state.
    return keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam


def check(config: TrainingConfig) -> None:
    """Raises a `UserError` for a field that no training can have."""
    for name in ("batch_size", "window", "steps", "log_steps", "checkpoint_steps", "keep_checkpoints", "decay_steps"):
        if getattr(config, name) < 1:
            raise UserError(f"`training.{name}` must be at least 1. Received: {getattr(config, name)}")
    for name in ("learning_rate", "decay_rate", "checkpoint_minutes"):
        if not getattr(config, name) > 0:
            raise UserError(f"`training.{name}` must be above 0. Received: {getattr(config, name)}")
    for name in ("clip_norm", "colour_jitter", "landmark_jitter"):
        if not getattr(config, name) >= 0:
            raise UserError(f"`training.{name}` must be at least 0. Received: {getattr(config, name)}")
    check_choice("training.precision", config.precision, PRECISIONS)
    losses.get(config.loss)


class TrainStep:
    """Updates a compiled model on one batch.

    Attributes:
      model: with its optimiser, as `model.compile(optimizer=...)` leaves it.
    """

    def __init__(self, model: keras.Model, config: TrainingConfig, strategy: tf.distribute.Strategy):
        self.model = model
        self._loss = losses.get(config.loss)
        self._clip_norm = config.clip_norm
        self._inputs = [tensor.name for tensor in model.inputs]
        self._strategy = strategy
        self._compiled = tf.function(self._run, jit_compile=config.jit_compile or None, reduce_retracing=True)

    def __call__(self, batch: dict[str, tf.Tensor]) -> tuple[float, float]:
        """Takes a batch as `affwildnet.data.training_batches` yields it; returns loss and norm of the gradient."""
        inputs = {name: batch[name] for name in self._inputs}
        loss, norm = self._compiled(inputs, batch["labels"], batch["mask"])
        return float(loss), float(norm)

    def _run(self, inputs, labels, mask):
        return self._strategy.run(self._update, args=(inputs, labels, mask))

    def _update(self, inputs, labels, mask):
        optimizer, weights = self.model.optimizer, self.model.trainable_variables
        scale = optimizer.scale_loss(tf.ones([]))  # 1, or what lifts float16's gradients; the optimiser takes it back
        with tf.GradientTape() as tape:
            loss = self._loss(labels, self.model(inputs, training=True), mask)
            scaled = loss * scale
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        norm = tf.linalg.global_norm(gradients)
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm * scale, use_norm=norm)
        optimizer.apply(gradients, weights)
        return loss, norm / scale
