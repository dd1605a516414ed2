"""The training step: forward, loss, gradients, update, as one compiled function under a `tf.distribute` strategy."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from affwildnet import losses
from affwildnet.experiments import field_values
from affwildnet.experiments.config import TrainingConfig
from affwildnet.metrics import Moments
from affwildnet.training import compilation, fused_adam, processor_kernels, replicas
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS

PRECISIONS = ("float32", "tf32", "mixed_bfloat16", "mixed_float16")


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Return Adam with a constant learning rate, or with one that is multiplied by `decay_rate` every `decay_steps`."""
    rate = config.learning_rate
    if config.decay_rate != 1:
        rate = keras.optimizers.schedules.ExponentialDecay(rate, config.decay_steps, config.decay_rate, staircase=True)
    adam = keras.optimizers.Adam(rate, epsilon=config.epsilon)
    # Wrapped here and not by `compile`, which would not wrap that of a loaded model, and lose its state.
    return keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam


def check(config: TrainingConfig, devices: int = 1) -> None:
    """Raise a `UserError` for a field that cannot be used, on so many devices of all workers together."""
    field_values.check_all(config, "training")
    check_choice("training.precision", config.precision, PRECISIONS)
    check_choice("training.jit_compile", config.jit_compile, compilation.CHOICES)
    losses.get(config.loss)
    if config.batch_size % devices:
        raise UserError(
            f"`training.batch_size` is for all devices together and must be a multiple of their number, {devices}. "
            f"Received: {config.batch_size}"
        )
    if config.jit_compile == compilation.ALWAYS and devices > 1:
        raise UserError(
            f"`training.jit_compile` must be auto or false on several devices. Received: true, on {devices}"
        )


def policy(precision: str) -> str:
    """Return Keras's dtype policy for a `training.precision`: TF32 is how a GPU multiplies float32 numbers."""
    return "float32" if precision == "tf32" else precision


class StepOutcome(NamedTuple):
    """What one step found, before its update.

    Attributes:
      loss: of the whole batch.
      norm: of the gradient, before it is clipped.
      moments: of the batch's labels and predictions of valence and arousal; None for expressions.
      gradients: (weights,) norms of the gradient, by the order of `model.trainable_variables`; empty where not known.
      weights: (weights,) norms of the weights after the update, in the same order; empty where not known.
      learning_rate: of the next step; 0 where not known.
    """

    loss: float
    norm: float
    moments: Moments | None = None
    gradients: np.ndarray = np.empty(0)
    weights: np.ndarray = np.empty(0)
    learning_rate: float = 0.0


def penalised_weights(model: keras.Model) -> list[keras.Variable]:
    """Return the weights that `training.l2` penalises: kernels of convolutions and of hidden layers."""
    return [layer.kernel for layer in model.layers if _is_penalised(layer)]


def _is_penalised(layer: keras.Layer) -> bool:
    is_hidden = isinstance(layer, keras.layers.Dense) and layer.activation is keras.activations.relu
    return is_hidden or isinstance(layer, keras.layers.Conv2D)


class TrainStep:
    """Updates a compiled network with one batch, on one device or on several with the same outcome.

    Attributes:
      model: with its optimizer, as `model.compile(optimizer=...)` leaves it.
    """

    def __init__(
        self,
        model: keras.Model,
        config: TrainingConfig,
        strategy: tf.distribute.Strategy,
        held: Collection[keras.Variable] = (),
        network: keras.Model | None = None,
    ):
        """Prepare the step.

        Args:
          model: with its optimizer.
          config: of the training.
          strategy: the devices.
          held: trainable weights that stay as they are all the same, see `freezing.held_weights`.
          network: what computes the predictions, with the weights of `model`: the part of it that is trained, where the
            batches hold what the rest computes; None is the whole.
        """
        self.model, self._network = model, network or model
        still, penalised = ({id(weight) for weight in weights} for weights in (held, penalised_weights(model)))
        self._weights = [weight for weight in model.trainable_variables if id(weight) not in still]
        self._penalised = [config.l2 if id(weight) in penalised else 0.0 for weight in self._weights]
        self._loss = losses.get(config.loss)
        self._clip_norm = config.clip_norm
        self._inputs = [tensor.name for tensor in self._network.inputs]
        self._strategy = strategy
        self._several = strategy.num_replicas_in_sync > 1
        if self._several:
            replicas.part_random_states(model, strategy)
            replicas.leave_gradients(model.optimizer)
        fused_adam.fuse(model.optimizer)
        xla = compilation.uses_xla(config.jit_compile, strategy.num_replicas_in_sync)
        if xla:
            compilation.keep_from_cudnn(model)
        self._compiled = tf.function(self._run, jit_compile=xla or None, reduce_retracing=True, autograph=False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parts of a batch that the step reads."""
        return (*self._inputs, "labels", "mask")

    def __call__(self, batch: dict[str, tf.Tensor]) -> Callable[[], StepOutcome]:
        """Train on a batch of `affwildnet.data.training_batches`; return a function that returns what was found.

        The step is only given to the device here: a GPU may still be computing it. The returned function waits for it.

        Each of several workers passes its share of the batch; the outcome is that of the whole batch.
        """
        fed = self._fed(batch)
        found = self._compiled(*(replicas.spread(fed, self._strategy) if self._several else fed))
        return lambda: _outcome(*(value.numpy() for value in found))

    def trace(self, batch: dict[str, tf.Tensor]) -> None:
        """Have the graph of the step made, on one device, without training; the first call makes it otherwise."""
        self._compiled.get_concrete_function(*self._fed(batch))

    def _fed(self, batch: dict[str, tf.Tensor]) -> tuple:
        return {name: batch[name] for name in self._inputs}, batch["labels"], batch["mask"]

    def _run(self, inputs, labels, mask):
        with processor_kernels.chosen(self.model):
            return self._run_on_devices(inputs, labels, mask)

    def _run_on_devices(self, inputs, labels, mask):
        if not self._several:
            return self._strategy.run(self._update, args=(inputs, labels, mask))
        with replicas.synchronised_normalisation(self.model):
            found = self._strategy.run(self._update, args=(inputs, labels, mask))
        return tuple(self._strategy.experimental_local_results(value)[0] for value in found)  # the same on all

    def _update(self, inputs, labels, mask):
        optimizer = self.model.optimizer
        scale = optimizer.scale_loss(tf.ones([]))  # 1, or float16's loss scale, which the optimizer divides out
        with tf.GradientTape() as tape:
            predictions = self._network(inputs, training=True)
            if self._several:
                labels, predictions, mask = replicas.whole_batch(labels, predictions, mask)
            loss = self._loss(labels, predictions, mask)
            scaled = loss * scale
        gradients = tape.gradient(scaled, [weight.value for weight in self._weights])
        if self._several:
            gradients = replicas.summed(gradients)
        gradients = [
            gradient + l2 * scale * weight.value if l2 else gradient
            for gradient, weight, l2 in zip(gradients, self._weights, self._penalised, strict=True)
        ]
        # The optimizer expects a gradient for each weight that it was built for; 0 changes nothing in Adam.
        own = {id(weight): gradient for weight, gradient in zip(self._weights, gradients, strict=True)}
        weights = self.model.trainable_variables
        gradients = [own[id(w)] if id(w) in own else tf.zeros(w.shape, w.dtype) for w in weights]
        norms = _norms(gradients)
        norm = tf.norm(norms)
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm * scale, use_norm=norm)
        optimizer.apply(gradients, weights)
        after = _norms([weight.value for weight in weights]), keras.ops.convert_to_tensor(optimizer.learning_rate)
        return loss, norm / scale, norms / scale, *after, labels, tf.cast(predictions, tf.float32), mask


def _norms(tensors: list[tf.Tensor | None]) -> tf.Tensor:
    return tf.stack([tf.zeros([]) if each is None else tf.sqrt(2 * tf.nn.l2_loss(each)) for each in tensors])


def _outcome(loss, norm, gradients, weights, rate, labels, predictions, mask) -> StepOutcome:
    return StepOutcome(float(loss), float(norm), _moments(labels, predictions, mask), gradients, weights, float(rate))


def _moments(labels: np.ndarray, predictions: np.ndarray, mask: np.ndarray) -> Moments | None:
    there = labels.shape[-1] == len(DIMENSIONS) and np.isfinite(predictions[mask > 0]).all()
    return Moments.from_arrays(labels, predictions, mask) if there else None
