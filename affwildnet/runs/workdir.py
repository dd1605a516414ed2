"""What lies where in a working directory, and the notes that trainer and evaluator leave each other in it.

experiment.json           what runs: the experiment, the corpus, its fold, the versions
checkpoints/              the trainer's: step-00001234.keras, step-00001234.json
best/                     the evaluator's: best_mean.keras, best_valence.keras, best_arousal.keras, a .json beside each
training.jsonl            a line per logged step
metrics.jsonl             a line per scored checkpoint
tensorboard/              event files
stop.json                 from the evaluator: stop training
finished.json             from the trainer: no more checkpoints will come
report-<split>.*          from the evaluator

A training in stages has experiment.json and finished.json here, and a folder for each stage with all of the above.
The training of fold i has all that in the folder fold-i.
"""

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from affwildnet.experiments.config import Experiment, Stage
from affwildnet.experiments.overrides import from_json, to_json
from affwildnet.runs.folds import Fold
from affwildnet.runs.json_files import write_json
from tfrecords_tools.errors import UserError

# These may change between two runs in one working directory without making it another experiment.
_FREE_TRAINING = ("steps", "log_steps", "checkpoint_steps", "checkpoint_minutes", "keep_checkpoints")


@dataclass(frozen=True)
class Workdir:
    """A working directory; `path` need not exist yet."""

    path: Path

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

    def stage(self, name: str) -> "Workdir":
        """Return the working directory of a stage of the training that runs here."""
        return Workdir(self.path / name)

    def of_fold(self, number: int) -> "Workdir":
        """Return the working directory of a fold, counted from 1, of the cross-validation that runs here."""
        return Workdir(self.path / f"fold-{number}")

    @property
    def begun(self) -> bool:
        """Whether a training was started here."""
        return (self.path / "experiment.json").exists()

    def finish(self, step: int, reason: str) -> None:
        """Leave the note that no more checkpoints will come after that of `step`."""
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

    def tensorboard(self, name: str) -> str:
        return str(self.path / "tensorboard" / name)

    def open(self) -> tuple[Experiment, Path]:
        """Return the experiment that runs here and the folder of its corpus.

        Raises:
          UserError: if no training was started here.
        """
        path = self.path / "experiment.json"
        try:
            stored = json.loads(path.read_text("utf-8"))
            return from_json(stored["experiment"]), Path(stored["data_dir"])
        except FileNotFoundError:
            raise UserError(f"{self.path}: no training was started here (no experiment.json). Run train.py.") from None
        except UserError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not a readable experiment ({error}). Use a new --workdir.") from None

    def fold(self) -> Fold | None:
        """Return the fold that is trained here; None where the corpus's own splits are used.

        Raises:
          UserError: if no training was started here.
        """
        self.open()
        stored = self._stored("fold")
        try:
            return Fold(**stored) if stored else None
        except TypeError as error:
            path = self.path / "experiment.json"
            raise UserError(f"{path}: `fold` is not readable ({error}). Use a new --workdir.") from None

    def start(
        self, experiment: Experiment, data_dir: Path, stage: Stage | None = None, fold: Fold | None = None
    ) -> None:
        """Make the directory this experiment's, or checks that it is. Without a checkpoint it is nobody's yet.

        Args:
          stage: the one that has this directory; `experiment` is then what is trained in it.
          fold: the one that is trained in it.

        Raises:
          UserError: as `check`.
        """
        self.check(experiment, stage, fold)
        # A training in stages has its checkpoints in theirs.
        (self.path if experiment.training.stages else self.checkpoints).mkdir(parents=True, exist_ok=True)
        what = {"experiment": to_json(experiment), "data_dir": str(data_dir.resolve()), "versions": versions()}
        parts = {name: asdict(part) for name, part in (("stage", stage), ("fold", fold)) if part}
        write_json(self.path / "experiment.json", {**what, **parts})

    def check(self, experiment: Experiment, stage: Stage | None = None, fold: Fold | None = None) -> None:
        """Raise a `UserError` that names the fields that differ, if another experiment has a checkpoint here."""
        if not self._has_checkpoint():
            return
        stored, _ = self.open()
        differing = (
            _differences(stored, experiment)
            or _other_stage(self._stored("stage"), stage)
            or _other_fold(self.fold(), fold)
        )
        if differing:
            raise UserError(
                f"{self.path}: belongs to another experiment: {'; '.join(differing)}. Use another --workdir."
            )

    def _has_checkpoint(self) -> bool:
        if not self.begun:
            return False
        if any(self.checkpoints.glob("step-*.keras")):
            return True
        try:
            stages = self.open()[0].training.stages
        except UserError:
            return False
        return any(self.stage(stage.name)._has_checkpoint() for stage in stages)

    def _stored(self, part: str) -> dict | None:
        return json.loads((self.path / "experiment.json").read_text("utf-8")).get(part)


def _differences(stored: Experiment, wanted: Experiment) -> list[str]:
    if stored.name != wanted.name:
        return [f"it holds {stored.name}, asked for is {wanted.name}"]
    found = []
    for part in ("model", "training"):
        before, now = vars(getattr(stored, part)), vars(getattr(wanted, part))
        for field in now:
            if before[field] != now[field] and field not in (*_FREE_TRAINING, "stages"):
                found.append(f"{part}.{field} is {before[field]} there, asked for is {now[field]}")
    # What differs within a stage is told where it has its checkpoints.
    before, now = (", ".join(stage.name for stage in each.training.stages) for each in (stored, wanted))
    if bool(before) != bool(now):
        found.append(f"training.stages is {before or 'empty'} there, asked for is {now or 'empty'}")
    return found


def _other_stage(stored: dict | None, wanted: Stage | None) -> list[str]:
    before, now = stored or {}, json.loads(json.dumps(asdict(wanted))) if wanted else {}
    if not before or not now:
        what = [f"the stage {fields['name']}" if fields else "no stage" for fields in (before, now)]
        return [f"it holds {what[0]}, asked for is {what[1]}"] if before != now else []
    return [
        f"the stage's {field} is {before.get(field)} there, asked for is {value}"
        for field, value in now.items()
        if before.get(field) != value and field not in _FREE_TRAINING
    ]


def _other_fold(stored: Fold | None, wanted: Fold | None) -> list[str]:
    before, now = (f"fold {fold.number} of {fold.count}" if fold else "no fold" for fold in (stored, wanted))
    if before != now:
        return [f"it holds {before}, asked for is {now}"]
    if stored == wanted:
        return []
    moved = sorted(key for key in stored.parts | wanted.parts if stored.parts.get(key) != wanted.parts.get(key))
    return [f"other videos are in its folds ({len(moved)}, such as {moved[0]})"]


def versions() -> dict[str, str]:
    """Return the versions of what decides a result."""
    found = {"python": platform.python_version()}
    for package in ("affwildnet", "tensorflow", "tensorflow-cpu", "keras", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
