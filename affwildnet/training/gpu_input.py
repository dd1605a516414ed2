"""Batches whose inputs lie on the GPU before the step that reads them begins."""

from collections.abc import Collection, Iterable, Iterator

import tensorflow as tf

Batch = dict[str, tf.Tensor]


def copied_ahead(batches: Iterable[Batch], names: Collection[str], device: str) -> Iterator[Batch]:
    """Yield the batches in order, their tensors `names` copied to a device one batch ahead.

    A copy to a GPU waits for the work that the GPU has been given before it. So that of the next batch is asked for
    before the step of this one, and runs beside it. What the host reads, such as the position in the data, stays there.

    Args:
      batches: of `affwildnet.data.training_batches`.
      names: of the tensors that the step reads.
      device: such as "GPU:0".
    """
    ahead = None
    for batch in batches:
        copied = _copied(batch, names, device)
        if ahead is not None:
            yield ahead
        ahead = copied
    if ahead is not None:
        yield ahead


def _copied(batch: Batch, names: Collection[str], device: str) -> Batch:
    with tf.device(device):
        return {name: tf.identity(value) if name in names else value for name, value in batch.items()}
