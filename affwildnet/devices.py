"""Which device this process computes on."""

import tensorflow as tf

from tfrecords_tools.errors import UserError


def choose_device(gpu: int | None) -> str:
    """Leaves this process one GPU, its memory taken as needed, and returns a line that says what it computes on.

    Call it before anything else of TensorFlow. Other processes can use the other GPUs.

    Args:
      gpu: number of the GPU; -1 is the CPU; None is the first GPU where there is one.

    Raises:
      UserError: if there are GPUs but not that one.
    """
    found = tf.config.list_physical_devices("GPU")
    if not found:
        ignored = f"; --gpu={gpu} has no effect" if gpu is not None and gpu >= 0 else ""
        return f"device: CPU (no GPU found{ignored})"
    if gpu == -1:
        tf.config.set_visible_devices([], "GPU")
        return "device: CPU (--gpu=-1)"
    number = gpu or 0
    if not 0 <= number < len(found):
        raise UserError(f"`--gpu` must be from 0 to {len(found) - 1}, or -1 for the CPU. Received: {gpu}")
    tf.config.set_visible_devices(found[number], "GPU")
    tf.config.experimental.set_memory_growth(found[number], True)
    return f"device: GPU {number} of {len(found)}"
