"""Which devices this process computes on, and how several of them, on one machine or on more, train together."""

import json
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from tfrecords_tools.errors import UserError

FORMS = "all, numbers of GPUs such as 0,1, or cpu:2 for that many devices on the CPU"
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


def choose_device(gpu: int | None) -> str:
    """Leave this process one GPU, its memory taken as needed, and return a line that says what it computes on.

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
    _take([found[number]])
    return f"device: GPU {number} of {len(found)}"


def choose_strategy(gpu: int | None, devices: str, tf_config: str = "") -> tuple[tf.distribute.Strategy, str]:
    """Return the strategy that a training runs under, and a line that says what it computes on.

    Call it before anything else of TensorFlow. With several workers it returns when all of them have.

    Args:
      gpu: as `choose_device`; must be None where `devices` is given.
      devices: "all" GPUs of this machine, some by their numbers ("0,1"), or "cpu:2" for two devices that share the CPU,
        to try things out without GPUs; empty is one device, `gpu`.
      tf_config: of the variable TF_CONFIG: the workers that train together, and which of them this is; empty is this
        process alone.

    Returns:
      TensorFlow's default strategy for one device; MirroredStrategy for several of one machine;
      MultiWorkerMirroredStrategy for several workers, with the devices of each.

    Raises:
      UserError: if an argument is malformed, names a device that is not there, or does not go with another.
    """
    if gpu is not None and devices:
        raise UserError(f"`--gpu` and `--devices` exclude each other. Received: --gpu={gpu} and --devices={devices}")
    cluster = Cluster.read(tf_config)
    if devices.startswith("cpu:"):
        return _logical(devices, cluster)
    numbers, line = _gpus(devices) if devices else ([], choose_device(gpu))
    if cluster and len(cluster.workers) > 1:
        print(f"{line}; waiting for the {len(cluster.workers)} workers", flush=True)
        return tf.distribute.MultiWorkerMirroredStrategy(), cluster.told()
    if len(numbers) > 1:
        # After set_visible_devices, GPUs are counted anew.
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(len(numbers))]), line
    return tf.distribute.get_strategy(), line


def has_bfloat16() -> bool:
    """Return whether the device in use has bfloat16 instructions: any GPU is taken to, a CPU says so itself."""
    if tf.config.get_visible_devices("GPU"):
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace").split()
    except OSError:  # no Linux
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


@dataclass(frozen=True)
class Cluster:
    """What TF_CONFIG says.

    Attributes:
      workers: addresses of all, the chief first.
      index: which of them this process is.
    """

    workers: tuple[str, ...]
    index: int

    @classmethod
    def read(cls, text: str) -> "Cluster | None":
        """Read TF_CONFIG; None where it is empty.

        Raises:
          UserError: if it is not as TensorFlow and this project need it; the message says what is wrong.
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
            raise _bad_cluster(f"with the job {strange[0]}; there are worker and chief", text)
        for job, addresses in jobs.items():
            if not isinstance(addresses, list) or not all(map(_is_address, addresses)):
                raise _bad_cluster(f"where `cluster.{job}` is no list of host:port", text)
        chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
        if not (workers or chiefs) or len(chiefs) > 1:
            raise _bad_cluster("where `cluster` has no worker, or several chiefs", text)
        own, index = jobs.get(str(task.get("type")), []), task.get("index")
        if type(index) is not int or not 0 <= index < len(own):
            raise _bad_cluster("where `task` has no `type` and `index` of one in `cluster`", text)
        return cls((*chiefs, *workers), index + (len(chiefs) if task["type"] == "worker" else 0))

    def told(self) -> str:
        """Return a line on which of the workers this process is."""
        role = "the chief, which writes checkpoints and logs" if self.index == 0 else f"the chief is {self.workers[0]}"
        return f"worker {self.index + 1} of {len(self.workers)}, {self.workers[self.index]}: {role}"


def _bad_cluster(what: str, text: str) -> UserError:
    return UserError(f"TF_CONFIG must be as {EXAMPLE}. Received: one {what}: {' '.join(text.split())[:200]}")


def _is_address(value: object) -> bool:
    host, _, port = str(value).rpartition(":")
    return isinstance(value, str) and bool(host) and port.isdecimal()


def _gpus(devices: str) -> tuple[list[int], str]:
    """Leave this process the GPUs that `devices` names; return their numbers, none on a machine without."""
    found = tf.config.list_physical_devices("GPU")
    numbers = list(range(len(found))) if devices == "all" else _numbers(devices)
    if not found:
        return [], f"device: CPU (no GPU found; --devices={devices} has no effect)"
    if missing := [number for number in numbers if number >= len(found)]:
        raise UserError(f"`--devices` must be from 0 to {len(found) - 1}. Received: {devices}, with {missing[0]}")
    _take([found[number] for number in numbers])
    plural = "s" if len(numbers) > 1 else ""
    return numbers, f"device{plural}: GPU{plural} {', '.join(map(str, numbers))} of {len(found)}"


def _numbers(devices: str) -> list[int]:
    parts = devices.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"`--devices` must be {FORMS}. Received: {devices}")
    return [int(part) for part in parts]


def _logical(devices: str, cluster: Cluster | None) -> tuple[tf.distribute.Strategy, str]:
    """Divide the CPU into devices. What they compute is as with GPUs, but no faster than on one."""
    count = devices.removeprefix("cpu:")
    if not count.isdecimal() or int(count) < 1:
        raise UserError(f"`--devices` must be {FORMS}. Received: {devices}")
    if cluster and len(cluster.workers) > 1:
        raise UserError(f"`--devices=cpu:N` is for one machine: a worker has one CPU device. Received: {devices}")
    tf.config.set_visible_devices([], "GPU")
    number = int(count)
    if number == 1:
        return tf.distribute.get_strategy(), "device: CPU (--devices=cpu:1)"
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
    names = [f"CPU:{index}" for index in range(number)]
    return tf.distribute.MirroredStrategy(names), f"devices: {number} that share the CPU"


def _take(gpus: list[tf.config.PhysicalDevice]) -> None:
    """Leave this process these GPUs, their memory taken as needed."""
    tf.config.set_visible_devices(gpus[0] if len(gpus) == 1 else gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
