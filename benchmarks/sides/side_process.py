"""Two implementations of one network that take turns, each in a process of its own.

So their threads do not compete, and the memory of each is its own. A side is a class that is made from a `Work` and
whose methods are called by name, with arguments and results that JSON can hold. Its module ends in `serve(Class)`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.networks import NETWORKS

# What Keras computes with in a side's process; PyTorch's reads only descriptions of networks.
BACKENDS = {"step_tensorflow": "tensorflow", "step_jax": "jax", "recurrence_jax": "jax"}


@dataclass(frozen=True)
class Work:
    """What the sides compute.

    Attributes:
      network: a key of `affwildnet.experiments.networks.NETWORKS`.
      precision: "float32", "tf32" or "bfloat16", which is mixed in training.
      batch: windows in a batch.
      frames: in a window.
      width: of the network.
      folder: where the sides leave weights and outputs.
      reset_after: form of the GRU.
      compiled: whether PyTorch compiles the network.
      jit_compile: whether XLA compiles our step, as `training.jit_compile`.
    """

    network: str
    precision: str = "float32"
    batch: int = 4
    frames: int = 80
    width: float = 1.0
    folder: str = "."
    reset_after: bool = True
    compiled: bool = True
    jit_compile: str = "auto"

    @property
    def config(self) -> ModelConfig:
        """The description of the network."""
        return replace(NETWORKS[self.network], width=self.width, reset_after=self.reset_after)

    @property
    def weights(self) -> Path:
        """The file of the weights, which Keras's side writes and PyTorch's reads."""
        return Path(self.folder) / f"{self.network}-{self.precision}-weights.npz"

    def outputs(self, side: str) -> Path:
        """Return the file of a side's outputs."""
        return Path(self.folder) / f"{self.network}-{self.precision}-{side}.npz"

    def inputs(self, batch: int | None = None, frames: int | None = None) -> dict[str, np.ndarray]:
        """Return random `frames`, `landmarks`, `labels` and `mask`, as a batch of training has them."""
        rng = np.random.default_rng(0)
        shape, side = (batch or self.batch, frames or self.frames), self.config.image_size
        return {
            "frames": rng.integers(0, 256, (*shape, side, side, 3), np.uint8),
            "landmarks": rng.random((*shape, 68, 2), np.float32),
            "labels": rng.uniform(-1, 1, (*shape, 2)).astype(np.float32),
            "mask": np.ones(shape, np.float32),
        }


class Side:
    """A process that computes one side's work.

    Attributes:
      facts: what the side said of itself when it was ready.
    """

    def __init__(self, module: str, work: Work, checkout: Path | None = None, **environment: str):
        """Start the process; `wait` returns when it is ready.

        Args:
          module: of `benchmarks.sides`.
          work: what it computes.
          checkout: where its code is; None is here.
          **environment: variables of its own.
        """
        command = [sys.executable, "-m", f"benchmarks.sides.{module}", json.dumps(asdict(work))]
        variables = {**os.environ, "KERAS_BACKEND": BACKENDS.get(module, "numpy"), **environment}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables, cwd=checkout
        )
        self.facts: dict = {}

    def wait(self) -> dict:
        """Return the side's facts when it is ready."""
        self.facts = self._answer()
        return self.facts

    def call(self, method: str, **arguments):
        """Call a method of the side and return what it returns."""
        self._process.stdin.write(json.dumps({"do": method, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("one side ended; see its error above")
        return json.loads(line)


def serve(make: Callable) -> None:
    """Be a side's process: make its object, then call its methods until the standard input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    side = make(Work(**json.loads(sys.argv[1])))
    os.write(answers, json.dumps(side.facts()).encode() + b"\n")
    for line in sys.stdin:
        arguments = json.loads(line)
        found = getattr(side, arguments.pop("do"))(**arguments)
        os.write(answers, json.dumps(found).encode() + b"\n")
