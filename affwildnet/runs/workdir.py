"""A working directory: what lies where in it, and the notes that trainer and evaluator leave each other.

    experiment.json           the run: experiment, corpus, stage and fold; and the versions of packages
    training_data.json        the videos that it was trained on, see `runs.training_data`
    checkpoints/              from the trainer: step-00001234.keras, step-00001234.json
    best/                     from the evaluator: best_mean.keras, best_valence.keras, best_arousal.keras, with a .json
    training.jsonl            a line per logged step
    metrics.jsonl             a line per scored checkpoint
    tensorboard/              event files
    features/<split>/         from the trainer and the evaluator: what frozen layers compute of each frame
    stop.json                 from the evaluator: stop training
    finished.json             from the trainer: no more checkpoints will come
    report-<split>.*          from the evaluator
    set-aside-<i>/            what an earlier run left here whose checkpoints are gone
    .trainer.lock, ...        who trains or watches here at the moment

A run in stages has experiment.json and finished.json here, and a folder for each stage with all of the above.
The run of fold i has all of it in the folder fold-i.
"""

import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from affwildnet.runs.json_files import read_json, read_lines, write_json
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import local_path, regular
from tfrecords_tools.files.locks import check_free, hold

_log = logging.getLogger(__name__)

_TRAINED_ON = "trained_on"  # a field of experiment.json
_DOES = {"trainer": "trains in", "watcher": "watches"}


@dataclass(frozen=True)
class Workdir:
    """A working directory; `path` need not exist yet."""

    path: Path

    def __post_init__(self):
        object.__setattr__(self, "path", local_path(self.path))  # a str is as good

    @classmethod
    def at(cls, place: "Workdir | Path | str") -> "Workdir":
        """Return the working directory at a path; one that is given comes back as it is."""
        return place if isinstance(place, Workdir) else cls(place)

    @property
    def experiment_json(self) -> Path:
        return self.path / "experiment.json"

    @property
    def training_data(self) -> Path:
        return self.path / "training_data.json"

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

    def features(self, split: str) -> Path:
        """Return the folder for the features of a split's frames. It may be deleted whenever nobody trains here."""
        return self.path / "features" / split

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
            return Run.from_json(json.loads(regular(self.experiment_json).read_text("utf-8")))
        except FileNotFoundError:
            raise UserError(f"{self.path}: no run was started here (no experiment.json). Run train.py.") from None
        except NotADirectoryError:
            raise UserError(f"{self.path}: must be a working directory. Received: a file. Name its folder.") from None
        except IsADirectoryError:
            raise UserError(
                f"{self.experiment_json}: must be a file. Received: a folder. Move it away, or use a new --workdir."
            ) from None
        except (UserError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
        self._set_aside()
        # The checkpoints of a run in stages are in the stages' directories.
        (self.path if run.stages else self.checkpoints).mkdir(parents=True, exist_ok=True)
        kept = {_TRAINED_ON: self.trained_on} if self._has_checkpoint() and self.trained_on else {}
        write_json(self.experiment_json, {**run.to_json(), "versions": versions(), **kept})

    @property
    def trained_on(self) -> str | None:
        """The fingerprint of the data that the run here is trained on, see `training_data`; None where it has none."""
        found = (read_json(self.experiment_json) or {}).get(_TRAINED_ON)
        return found if isinstance(found, str) else None

    def note_trained_on(self, fingerprint: str) -> None:
        """Keep the fingerprint of the data, so that they are known without their own note too."""
        fields = read_json(self.experiment_json)
        if fields and fields.get(_TRAINED_ON) != fingerprint:
            write_json(self.experiment_json, {**fields, _TRAINED_ON: fingerprint})

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
        found = read_json(self.finished)
        if found is None:
            return None
        if not (isinstance(found.get("step"), int) and isinstance(found.get("reason"), str)):
            raise UserError(
                f"{self.finished}: must hold a step and a reason. Received: other contents. Delete it: the trainer "
                "writes it again."
            )
        return found[field]

    def check_scores(self) -> None:
        """Raise a `UserError` if scores are here of a run whose checkpoints are gone: they are not the next one's."""
        if not self._has_checkpoint() and read_lines(self.metrics):
            raise UserError(
                f"{self.metrics}: must be of the checkpoints in {self.checkpoints}. Received: none there; they were of "
                "an earlier run. Start train.py first: it sets aside what that has left."
            )

    def _set_aside(self) -> None:
        """Move away what is left of a run whose checkpoints are gone: nothing of it belongs to the one that begins."""
        left = read_lines(self.metrics) or self.stop.exists() or any(self.best.glob("*.keras"))
        if self._has_checkpoint() or not left:
            return
        try:
            self.check_free("watcher")
        except UserError as error:
            raise UserError(
                f"{self.path}: a training that begins anew needs a watcher that does. {error} End it, and start it "
                "again once the training runs."
            ) from None
        number = 1 + sum(1 for _ in self.path.glob("set-aside-*"))
        aside = self.path / f"set-aside-{number}"
        aside.mkdir()
        named = (self.best, self.metrics, self.training_log, self.stop, self.finished, self.training_data)
        for path in (*named, self.path / "tensorboard", *self.path.glob("report-*")):
            if path.exists():
                os.replace(path, aside / path.name)
        _log.info(
            f"{self.path} held no checkpoint of a training, but what an earlier run has left: it is now in {aside}"
        )

    @contextmanager
    def locked(self, role: str) -> Iterator[None]:
        """Hold this directory as its one trainer or watcher while the block runs.

        Raises:
          UserError: if another process does, naming it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with hold(self.path / f".{role}.lock", f"{_DOES[role]} {self.path}"):
            yield

    def check_free(self, role: str) -> None:
        """Raise a `UserError` if another process is this directory's trainer or watcher."""
        check_free(self.path / f".{role}.lock", f"{_DOES[role]} {self.path}")

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
