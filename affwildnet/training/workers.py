"""The processes that train together, one on each machine, and what only the chief does, worker 0."""

import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import replicas
from tfrecords_tools.errors import UserError


class Workers:
    """This process among those that train together; a single process exchanges nothing.

    Everything that decides how training goes on is exchanged, so that all decide alike: a worker that went another way
    would leave the others waiting. All workers must call the methods that exchange in the same order.

    Attributes:
      number: of workers.
      index: of this worker; 0 is the chief.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.index, self.number = _place(strategy.cluster_resolver)
        self._compiled = tf.function(self._exchange, input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
        if self.number > 1:
            alone(_save_something)

    @property
    def chief(self) -> bool:
        return self.index == 0

    def gathered(self, values: Sequence[int]) -> np.ndarray:
        """Return (workers, values) int64, the values of each worker; wait for all of them."""
        given = np.array(values, np.int64)
        return given[None] if self.number == 1 else self._compiled(given).numpy()

    def of_chief(self, value: int) -> int:
        """Return the value that the chief passes."""
        return int(self.gathered([value])[0, 0])

    def wait(self) -> None:
        """Return when all workers have called this."""
        self.gathered([0])

    def check_same(self, value: int, what: str) -> None:
        """Raise a `UserError`, on all workers, unless all pass the same value."""
        if len(set(self.gathered([value])[:, 0])) > 1:
            raise UserError(
                f"All workers must {what}. Received: they differ. Their --workdir must be one folder on a file system "
                "that they share; if it is, start all of them again, a few seconds later."
            )

    def agreed(
        self, folder: Path, make: Callable[[], tuple[keras.Model, TrainingState]]
    ) -> tuple[keras.Model, TrainingState]:
        """Call `make` on all workers and return its network; raise a `UserError` unless all have the same, bit for bit.

        Args:
          folder: the folder of the checkpoints that `make` may load.
        """
        if self.number == 1:
            return make()
        found = [(path.name, path.stat().st_size) for path in checkpoints.listed(folder)]
        self.check_same(zlib.crc32(repr(found).encode()), f"see the same checkpoints in {folder}")
        model, state = make()
        self.check_same(fingerprint(model, state), "start with the same weights")
        return model, state

    def shared(self, workdir: Workdir) -> Workdir:
        """Return the working directory with its notes written by the chief alone."""
        return workdir if self.number == 1 else SharedWorkdir(workdir.path, self)

    def _exchange(self, values: tf.Tensor) -> tf.Tensor:
        found = self._strategy.run(lambda values: replicas.gathered(values[None])[0], args=(values,))
        local = self._strategy.num_replicas_in_sync // self.number
        return self._strategy.experimental_local_results(found)[0][::local]


def alone(function: Callable, *arguments) -> object:
    """Call a function outside of the strategy's scope, and return what it returns.

    Inside, each new variable is sent from the chief to the other workers. What one worker does by itself must not make
    any, and saving does.
    """
    with ThreadPoolExecutor(1) as thread:  # a scope is its thread's
        return thread.submit(function, *arguments).result()


def _save_something() -> None:
    # Keras makes optimizers and random generators to learn their attributes, once in a process, when it first saves or
    # loads one. Done now by all, a chief that has saved loads like the others.
    entrance = keras.Input((1,))
    model = keras.Model(entrance, keras.layers.Dropout(0.5)(keras.layers.Dense(1)(entrance)))
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")


@dataclass(frozen=True)
class SharedWorkdir(Workdir):
    """A working directory in which several workers train. The chief writes its notes; no worker runs ahead of them."""

    workers: Workers

    def of_stage(self, name: str) -> Workdir:
        return SharedWorkdir(super().of_stage(name).path, self.workers)

    def of_fold(self, number: int) -> Workdir:
        return SharedWorkdir(super().of_fold(number).path, self.workers)

    def start(self, run: Run) -> None:
        """As `Workdir.start`; raise a `UserError` also where a worker does not see what the chief has written."""
        if self.workers.chief:
            super().start(run)
        else:
            self.check(run)
        self.workers.wait()
        stored = self.experiment_json.read_bytes() if self.begun else b""
        self.workers.check_same(zlib.crc32(stored), f"see the same {self.experiment_json}")

    def finish(self, step: int, reason: str) -> None:
        self.workers.wait()  # until no worker can delete it any more
        if self.workers.chief:
            super().finish(step, reason)
        self.workers.wait()


def fingerprint(model: keras.Model, state: TrainingState) -> int:
    """Return a number that differs if weights, optimizer, random states or position do."""
    found = zlib.crc32(repr((state.step, state.epoch, state.window)).encode())
    for variable in [*model.weights, *checkpoints.random_variables(model), *model.optimizer.variables]:
        found = zlib.crc32(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data, found)
    return found


def _place(resolver: tf.distribute.cluster_resolver.ClusterResolver | None) -> tuple[int, int]:
    """Return the index of this worker, the chief being 0, and the number of workers."""
    if resolver is None:
        return 0, 1
    jobs = resolver.cluster_spec().as_dict()
    chiefs, workers = (len(jobs.get(job, [])) for job in ("chief", "worker"))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0), chiefs + workers
