"""The devices that a user names, and TF_CONFIG, by their form: whether they are there is asked of TensorFlow later."""

from dataclasses import dataclass

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import json_text

FORMS = "all, numbers of GPUs such as 0,1, or cpu:2 for that many devices on the CPU"
MOST_ON_A_CPU = 64  # TensorFlow takes minutes to make thousands
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


def check_flags(gpu: int | None, devices: str, tf_config: str = "") -> None:
    """Raise a `UserError` if an argument of `devices.choose_strategy` is malformed, or contradicts another."""
    if gpu is not None and devices:
        raise UserError(f"`gpu` and `devices` exclude each other. Received: gpu={gpu} and devices={devices}")
    Cluster.read(tf_config)
    if devices.startswith("cpu:"):
        count = devices.removeprefix("cpu:")
        if not count.isdecimal() or int(count) < 1:
            raise UserError(f"`devices` must be {FORMS}. Received: {devices}")
        if int(count) > MOST_ON_A_CPU:
            raise UserError(f"`devices` must be at most cpu:{MOST_ON_A_CPU}. Received: {devices}")
    elif devices not in ("", "all"):
        gpu_numbers(devices)


def gpu_numbers(devices: str) -> list[int]:
    """Return the numbers of GPUs in a text such as "0,1"; raise a `UserError` for another text, or a number twice."""
    parts = devices.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"`devices` must be {FORMS}. Received: {devices}")
    return [int(part) for part in parts]


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
            config = json_text.loads(text)
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
