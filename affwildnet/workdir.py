"""What lies where in a working directory, and the notes that trainer and evaluator leave each other in it.

experiment.json           what runs: the experiment, the corpus, the versions
checkpoints/              the trainer's: step-00001234.keras, step-00001234.json
best/                     the evaluator's: best_mean.keras, best_valence.keras, best_arousal.keras, a .json beside each
training.jsonl            a line per logged step
metrics.jsonl             a line per scored checkpoint
tensorboard/              event files
stop.json                 from the evaluator: stop training
finished.json             from the trainer: no more checkpoints will come
report-<split>.*          from the evaluator
"""

import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import from_json, to_json
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import whole

# These may change between two runs in one working directory without making it another experiment.
_FREE_TRAINING = ("steps", "log_steps", "checkpoint_steps", "checkpoint_minutes", "keep_checkpoints")


def write_json(path: Path, value: dict) -> None:
    """Writes a JSON file whole or not at all."""
    with whole(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def append_line(path: Path, value: dict) -> None:
    """Appends one JSON line in one write, so that a reader sees it whole or without its end."""
    with path.open("a+b") as file:
        # A process that was killed while writing has left half a line.
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        begin = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(begin + json.dumps(value).encode() + b"\n")


def read_lines(path: Path) -> list[dict]:
    """Reads the JSON lines of a file, none where it does not exist; a last line cut off by a crash is passed over."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return []
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                values.append(json.loads(line))
        except ValueError:
            print(f"{path}, line {number}: cut off, passed over")
    return values


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

    def reason_finished(self) -> str | None:
        """Returns why the trainer has finished; None while it has not."""
        try:
            return json.loads(self.finished.read_text("utf-8"))["reason"]
        except FileNotFoundError:
            return None

    def tensorboard(self, name: str) -> str:
        return str(self.path / "tensorboard" / name)

    def open(self) -> tuple[Experiment, Path]:
        """Returns the experiment that runs here and the folder of its corpus.

        Raises:
          UserError: if no training was started here.
        """
        path = self.path / "experiment.json"
        try:
            stored = json.loads(path.read_text("utf-8"))
            return from_json(stored["experiment"]), Path(stored["data_dir"])
        except FileNotFoundError:
            raise UserError(f"{self.path}: no training was started here (no experiment.json). Run train.py.") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not a readable experiment ({error}). Use a new --workdir.") from None

    def start(self, experiment: Experiment, data_dir: Path) -> None:
        """Makes the directory this experiment's, or checks that it is. Without a checkpoint it is nobody's yet.

        Raises:
          UserError: if another experiment has a checkpoint here; the message names the fields that differ.
        """
        if (self.path / "experiment.json").exists() and any(self.checkpoints.glob("step-*.keras")):
            stored, _ = self.open()
            differing = _differences(stored, experiment)
            if differing:
                raise UserError(
                    f"{self.path}: belongs to another experiment: {'; '.join(differing)}. Use another --workdir."
                )
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(
            self.path / "experiment.json",
            {"experiment": to_json(experiment), "data_dir": str(data_dir.resolve()), "versions": versions()},
        )


def _differences(stored: Experiment, wanted: Experiment) -> list[str]:
    if stored.name != wanted.name:
        return [f"it holds {stored.name}, asked for is {wanted.name}"]
    found = []
    for part in ("model", "training"):
        before, now = vars(getattr(stored, part)), vars(getattr(wanted, part))
        for field in now:
            if before[field] != now[field] and field not in _FREE_TRAINING:
                found.append(f"{part}.{field} is {before[field]} there, asked for is {now[field]}")
    return found


def versions() -> dict[str, str]:
    """Returns the versions of what decides a result."""
    found = {"python": platform.python_version()}
    for package in ("affwildnet", "tensorflow", "tensorflow-cpu", "keras", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
