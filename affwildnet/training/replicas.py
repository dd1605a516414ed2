"""What the replicas of a network on several devices do together, so that they compute what one device would.

Each of R devices holds a replica of the network and 1/R of the windows of a batch. The loss is that of the whole batch,
as its CCC is not the mean of the parts' CCCs. Gradients are summed, and batch normalisation uses the moments of the
whole batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from affwildnet.runs import checkpoints

# So large that the generators of two layers never get the same seed, and within int32 for thousands of devices.
SEED_STRIDE = 100_003


def spread(batch, strategy: tf.distribute.Strategy):
    """Divide tensors along their first axis among this process's replicas, in order.

    Args:
      batch: a structure of tensors (B, ...), B a multiple of this process's replicas.

    Returns:
      The same structure of `tf.distribute.DistributedValues`.
    """
    local = len(strategy.extended.worker_devices)

    def parts(tensor: tf.Tensor) -> tf.distribute.DistributedValues:
        rows = tensor.shape[0] // local

        def part(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            first = context.replica_id_in_sync_group % local * rows
            return tensor[first : first + rows]

        return strategy.experimental_distribute_values_from_function(part)

    with tf.device("CPU:0"):  # or slicing would first move the whole batch to the first GPU
        return tf.nest.map_structure(parts, batch)


def gathered(*tensors: tf.Tensor) -> list[tf.Tensor]:
    """Return the tensors of all replicas, each (b, ...) here, concatenated to (R b, ...); within `strategy.run`.

    Computed as a sum in which each replica has zeros in the places of the others: for small tensors of one type that is
    a single exchange, where `all_gather` needs two for each tensor.
    """
    context = tf.distribute.get_replica_context()
    replicas, replica = context.num_replicas_in_sync, context.replica_id_in_sync_group

    def in_place(tensor: tf.Tensor) -> tf.Tensor:
        own = tf.shape(tensor)[0]
        beside = [[replica * own, (replicas - 1 - replica) * own]]
        return tf.pad(tensor, beside + [[0, 0]] * (tensor.shape.rank - 1))

    return context.all_reduce(tf.distribute.ReduceOp.SUM, [in_place(tensor) for tensor in tensors])


def whole_batch(labels: tf.Tensor, predictions: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return labels, predictions and mask of all replicas' windows, in the order of the batch; within `strategy.run`.

    The predictions of the other replicas are constants here. So the gradients of a loss of the whole batch are this
    replica's part, and their sum over the replicas is the gradient, without communication on the way back.

    Args:
      labels, predictions, mask: (B / R, ...), this replica's.
    """
    predictions = tf.cast(predictions, tf.float32)  # as losses do; tensors that are exchanged together have one type
    all_labels, others, all_mask = gathered(labels, tf.stop_gradient(predictions), mask)
    own = tf.shape(predictions)[0]
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * own
    return all_labels, tf.concat([others[:first], predictions, others[first + own :]], axis=0), all_mask


def summed(gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
    """Return the sums over all replicas; None stays where a weight has no gradient. Within `strategy.run`."""
    there = [gradient for gradient in gradients if gradient is not None]
    sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, there))
    return [None if gradient is None else next(sums) for gradient in gradients]


def leave_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Make an optimizer apply gradients as they are; Keras would sum over the replicas what `summed` has summed.

    They must be summed before that: they are clipped by the norm of the sum, and loss scaling must look for an overflow
    in the sum.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    assert callable(
        inner._all_reduce_sum_gradients
    )  # no public way; tests/affwildnet/training/test_distributed.py notices a change
    inner._all_reduce_sum_gradients = list


@contextmanager
def synchronised_normalisation(model: keras.Model) -> Iterator[None]:
    """Let batch normalisation use the moments of all replicas' windows in a step that is traced within this context.

    Afterwards the layers are as before, so that checkpoints do not depend on the devices.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    before = [layer.synchronized for layer in layers]
    for layer in layers:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.synchronized = value


def part_random_states(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    """Give each replica random states of its own, or all would drop the same units of their windows.

    Those of the first replica stay as they are: a checkpoint holds them, and the others are derived from them again.
    """
    states = [variable.value for variable in checkpoints.random_variables(model)]

    @tf.function(autograph=False)
    def part() -> None:
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)
        for state in states:
            state.assign(state + tf.cast(tf.stack([replica * SEED_STRIDE, 0]), state.dtype))

    if states:
        strategy.run(part)
