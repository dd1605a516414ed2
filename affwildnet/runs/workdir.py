"""A working directory: what lies where in it, and the notes that trainer and evaluator leave each other.

    experiment.json           the run: experiment, corpus, stage and fold; and the versions of packages
    checkpoints/              from the trainer: step-00001234.keras, step-00001234.json
    best/                     from the evaluator: best_mean.keras, best_valence.keras, best_arousal.keras, with a .json
    training.jsonl            a line per logged step
    metrics.jsonl             a line per scored checkpoint
    tensorboard/              event files
    stop.json                 from the evaluator: stop training
    finished.json             from the trainer: no more checkpoints will come
    report-<split>.*          from the evaluator

A run in stages has experiment.json and finished.json here, and a folder for each stage with all of the above.
The run of fold i has all of it in the folder fold-i.
"""

import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from affwildnet.runs.json_files import write_json
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError


@dataclass(frozen=True)
class Workdir:
    """A working directory; `path` need not exist yet."""

    path: Path

    def __post_init__(self):
        object.__setattr__(self, "path", Path(self.path))  # a str is as good

    @classmethod
    def at(cls, place: "Workdir | Path | str") -> "Workdir":
        """Return the working directory at a path; one that is given comes back as it is."""
        return place if isinstance(place, Workdir) else cls(place)

    @property
    def experiment_json(self) -> Path:
        return self.path / "experiment.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def training_log(self) -> Path:
        return self.path / "training.jsonl"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def stop(self) -> Path:
        return self.path / "stop.json"

    @property
    def finished(self) -> Path:
        return self.path / "finished.json"

    def tensorboard(self, name: str) -> str:
        return str(self.path / "tensorboard" / name)

    def of_stage(self, name: str) -> "Workdir":
        """Return the working directory of one stage of the run that is here."""
        return Workdir(self.path / name)

    def of_fold(self, number: int) -> "Workdir":
        """Return the working directory of one fold, counted from 1, of the cross-validation that is here."""
        return Workdir(self.path / f"fold-{number}")

    @property
    def begun(self) -> bool:
        """Whether a run was started here."""
        return self.experiment_json.exists()

    def open(self) -> Run:
        """Return the run that is here.

        Raises:
          UserError: if none was started here, or `experiment.json` cannot be read.
        """
        try:
            return Run.from_json(json.loads(self.experiment_json.read_text("utf-8")))
        except FileNotFoundError:
            raise UserError(f"{self.path}: no run was started here (no experiment.json). Run train.py.") from None
        except (UserError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{self.experiment_json}: not a readable run ({error}). Use a new --workdir.") from None

    def check(self, run: Run) -> None:
        """Raise a `UserError` that names what differs, if another run has a checkpoint here."""
        if not self._has_checkpoint():
            return
        if differences := self.open().differences(run):
            raise UserError(f"{self.path}: belongs to another run: {'; '.join(differences)}. Use another --workdir.")

    def start(self, run: Run) -> None:
        """Make the directory this run's, or check that it is. One without a checkpoint belongs to no run yet.

        Raises:
          UserError: as `check`.
        """
        self.check(run)
        # The checkpoints of a run in stages are in the stages' directories.
        (self.path if run.stages else self.checkpoints).mkdir(parents=True, exist_ok=True)
        write_json(self.experiment_json, {**run.to_json(), "versions": versions()})

    def finish(self, step: int, reason: str) -> None:
        """Leave the note that no checkpoint will come after that of `step`."""
        write_json(self.finished, {"step": step, "reason": reason})

    def reason_finished(self) -> str | None:
        """Return why the trainer has finished; None while it has not."""
        return self._finished("reason")

    def step_finished(self) -> int | None:
        """Return the step at which the trainer has finished; None while it has not."""
        return self._finished("step")

    def _finished(self, field: str):
        try:
            return json.loads(self.finished.read_text("utf-8"))[field]
        except FileNotFoundError:
            return None

    def _has_checkpoint(self) -> bool:
        if not self.begun:
            return False
        if any(self.checkpoints.glob("step-*.keras")):
            return True
        try:
            stages = self.open().stages
        except UserError:
            return False
        return any(self.of_stage(stage.name)._has_checkpoint() for stage in stages)


def versions() -> dict[str, str]:
    """Return the versions of what decides a result."""
    found = {"python": platform.python_version()}
    for package in ("affwildnet", "tensorflow", "tensorflow-cpu", "keras", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
