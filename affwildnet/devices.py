"""The devices that this process computes on, and the strategy by which several of them train together."""

import logging
from pathlib import Path

import tensorflow as tf

from affwildnet.device_flags import Cluster, check_flags, gpu_numbers
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)


def choose_device(gpu: int | None) -> str:
    """Restrict this process to one GPU or the CPU, and return a line that describes the device.

    Call it before anything else of TensorFlow. GPU memory is allocated as needed. Other processes can use the other
    GPUs.

    Args:
      gpu: number of the GPU; -1 is the CPU; None is the first GPU, or the CPU if there is none.

    Raises:
      UserError: if there are GPUs, but not this one.

    Example:
      >>> choose_device(-1)
      'device: CPU (--gpu=-1)'
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
        raise UserError(f"`gpu` must be from 0 to {len(found) - 1}, or -1 for the CPU. Received: {gpu}")
    _restrict_to([found[number]])
    return f"device: GPU {number} of {len(found)}"


def choose_strategy(gpu: int | None, devices: str, tf_config: str = "") -> tuple[tf.distribute.Strategy, str]:
    """Return the strategy that a run is trained under, and a line that describes its devices.

    Call it before anything else of TensorFlow. With several workers, it returns when all of them have called it.

    Args:
      gpu: as in `choose_device`; must be None if `devices` is given.
      devices: "all" GPUs of this machine, some of them by number ("0,1"), or "cpu:2" for two devices that share the
        CPU, to try several devices without GPUs; "" is one device, `gpu`.
      tf_config: value of the variable TF_CONFIG: the workers that train together, and which of them this process is; ""
        is this process alone.

    Returns:
      TensorFlow's default strategy for one device, MirroredStrategy for several devices of one machine, and
      MultiWorkerMirroredStrategy for several workers, with the devices of each.

    Raises:
      UserError: if an argument is malformed, names a missing device, or cannot be combined with another.
    """
    check_flags(gpu, devices, tf_config)
    cluster = Cluster.read(tf_config)
    if devices.startswith("cpu:"):
        return _logical(devices, cluster)
    numbers, line = _gpus(devices) if devices else ([], choose_device(gpu))
    if cluster and len(cluster.workers) > 1:
        _log.info(f"{line}; waiting for the {len(cluster.workers)} workers")
        return tf.distribute.MultiWorkerMirroredStrategy(), cluster.description()
    if len(numbers) > 1:
        # After set_visible_devices, GPUs are counted anew.
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(len(numbers))]), line
    return tf.distribute.get_strategy(), line


def has_gpu() -> bool:
    """Return whether this process computes on GPUs."""
    return bool(tf.config.get_visible_devices("GPU"))


def allow_tf32(allowed: bool) -> None:
    """Let GPUs with tensor cores round the factors of float32 products to TF32, 11 significant bits, or forbid it.

    TensorFlow allows it by default; here it is forbidden, so that scores do not depend on the device, but
    for a training with `training.precision=tf32`. Other devices compute in float32 in either case.
    """
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


def count_gpus() -> int:
    """Return the number of GPUs that TensorFlow finds."""
    return len(tf.config.list_physical_devices("GPU"))


def has_bfloat16() -> bool:
    """Return whether the device in use has bfloat16 instructions: assumed of any GPU, read from the flags of a CPU."""
    if has_gpu():
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace").split()
    except OSError:  # not Linux
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def _gpus(devices: str) -> tuple[list[int], str]:
    """Restrict this process to the GPUs that `devices` names; return their numbers, and a line on them."""
    found = tf.config.list_physical_devices("GPU")
    numbers = list(range(len(found))) if devices == "all" else gpu_numbers(devices)
    if not found:
        return [], f"device: CPU (no GPU found; --devices={devices} has no effect)"
    if missing := [number for number in numbers if number >= len(found)]:
        raise UserError(f"`devices` must be from 0 to {len(found) - 1}. Received: {devices}, with {missing[0]}")
    _restrict_to([found[number] for number in numbers])
    plural = "s" if len(numbers) > 1 else ""
    return numbers, f"device{plural}: GPU{plural} {', '.join(map(str, numbers))} of {len(found)}"


def _logical(devices: str, cluster: Cluster | None) -> tuple[tf.distribute.Strategy, str]:
    """Divide the CPU into several devices. They compute what GPUs would, but no faster than one device."""
    number = int(devices.removeprefix("cpu:"))
    if cluster and len(cluster.workers) > 1:
        raise UserError(f"`devices=cpu:N` is for one machine: a worker has one CPU device. Received: {devices}")
    tf.config.set_visible_devices([], "GPU")
    if number == 1:
        return tf.distribute.get_strategy(), "device: CPU (--devices=cpu:1)"
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
    names = [f"CPU:{index}" for index in range(number)]
    return tf.distribute.MirroredStrategy(names), f"devices: {number} that share the CPU"


def _restrict_to(gpus: list[tf.config.PhysicalDevice]) -> None:
    """Restrict this process to these GPUs, their memory allocated as needed, their float32 products exact."""
    tf.config.set_visible_devices(gpus[0] if len(gpus) == 1 else gpus, "GPU")
    allow_tf32(False)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
