"""The devices that this process computes on, and the strategy by which several of them train together."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)
FORMS = "all, numbers of GPUs such as 0,1, or cpu:2 for that many devices on the CPU"
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


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
    if gpu is not None and devices:
        raise UserError(f"`gpu` and `devices` exclude each other. Received: gpu={gpu} and devices={devices}")
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


def has_bfloat16() -> bool:
    """Return whether the device in use has bfloat16 instructions: assumed of any GPU, read from the flags of a CPU."""
    if tf.config.get_visible_devices("GPU"):
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace").split()
    except OSError:  # not Linux
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


@dataclass(frozen=True)
class Cluster:
    """The workers that train together, as TF_CONFIG lists them.

    Attributes:
      workers: addresses of all workers, the chief first.
      index: which of them this process is.
    """

    workers: tuple[str, ...]
    index: int

    @classmethod
    def read(cls, text: str) -> "Cluster | None":
        """Return the cluster that a value of TF_CONFIG describes; None if it is empty.

        Raises:
          UserError: if it is not a value that TensorFlow and this package can use; the message says why.
        """
        if not text.strip():
            return None
        try:
            config = json.loads(text)
        except ValueError as error:
            raise _bad_cluster(f"which is not JSON ({error})", text) from None
        parts = config if isinstance(config, dict) else {}
        for part in ("cluster", "task"):
            if not isinstance(parts.get(part), dict):
                raise _bad_cluster(f"without an object `{part}`", text)
        jobs, task = parts["cluster"], parts["task"]
        if strange := sorted(set(jobs) - {"chief", "worker"}):
            raise _bad_cluster(f"with the job {strange[0]}; the jobs are worker and chief", text)
        for job, addresses in jobs.items():
            if not isinstance(addresses, list) or not all(map(_is_address, addresses)):
                raise _bad_cluster(f"where `cluster.{job}` is not a list of host:port", text)
        chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
        if not (workers or chiefs) or len(chiefs) > 1:
            raise _bad_cluster("where `cluster` has no worker, or several chiefs", text)
        own, index = jobs.get(str(task.get("type")), []), task.get("index")
        if type(index) is not int or not 0 <= index < len(own):
            raise _bad_cluster("where `task` has no `type` and `index` of one in `cluster`", text)
        return cls((*chiefs, *workers), index + (len(chiefs) if task["type"] == "worker" else 0))

    def description(self) -> str:
        """Return a line that says which of the workers this process is."""
        role = "the chief, which writes checkpoints and logs" if self.index == 0 else f"the chief is {self.workers[0]}"
        return f"worker {self.index + 1} of {len(self.workers)}, {self.workers[self.index]}: {role}"


def _bad_cluster(what: str, text: str) -> UserError:
    return UserError(f"TF_CONFIG must be as {EXAMPLE}. Received: one {what}: {' '.join(text.split())[:200]}")


def _is_address(value: object) -> bool:
    host, _, port = str(value).rpartition(":")
    return isinstance(value, str) and bool(host) and port.isdecimal()


def _gpus(devices: str) -> tuple[list[int], str]:
    """Restrict this process to the GPUs that `devices` names; return their numbers, and a line on them."""
    found = tf.config.list_physical_devices("GPU")
    numbers = list(range(len(found))) if devices == "all" else _numbers(devices)
    if not found:
        return [], f"device: CPU (no GPU found; --devices={devices} has no effect)"
    if missing := [number for number in numbers if number >= len(found)]:
        raise UserError(f"`devices` must be from 0 to {len(found) - 1}. Received: {devices}, with {missing[0]}")
    _restrict_to([found[number] for number in numbers])
    plural = "s" if len(numbers) > 1 else ""
    return numbers, f"device{plural}: GPU{plural} {', '.join(map(str, numbers))} of {len(found)}"


def _numbers(devices: str) -> list[int]:
    parts = devices.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"`devices` must be {FORMS}. Received: {devices}")
    return [int(part) for part in parts]


def _logical(devices: str, cluster: Cluster | None) -> tuple[tf.distribute.Strategy, str]:
    """Divide the CPU into several devices. They compute what GPUs would, but no faster than one device."""
    count = devices.removeprefix("cpu:")
    if not count.isdecimal() or int(count) < 1:
        raise UserError(f"`devices` must be {FORMS}. Received: {devices}")
    if cluster and len(cluster.workers) > 1:
        raise UserError(f"`devices=cpu:N` is for one machine: a worker has one CPU device. Received: {devices}")
    tf.config.set_visible_devices([], "GPU")
    number = int(count)
    if number == 1:
        return tf.distribute.get_strategy(), "device: CPU (--devices=cpu:1)"
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
    names = [f"CPU:{index}" for index in range(number)]
    return tf.distribute.MirroredStrategy(names), f"devices: {number} that share the CPU"


def _restrict_to(gpus: list[tf.config.PhysicalDevice]) -> None:
    """Restrict this process to these GPUs, their memory allocated as needed."""
    tf.config.set_visible_devices(gpus[0] if len(gpus) == 1 else gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
