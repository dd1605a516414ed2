"""The best checkpoints of a run: copies in `best/` that the trainer never touches."""

import math
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from affwildnet.runs import checkpoint_files
from affwildnet.runs.json_files import write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.errors.room import needing

# By validation CCC; the mean is what the challenge ranked by (ijcv2019 section 4.1). A network for expressions has a
# best mean alone, by total accuracy.
MEASURES = ("mean", "valence", "arousal")
NAMES = tuple(f"best_{measure}" for measure in MEASURES)
MEAN = NAMES[0]
LATEST = "latest"
_HELD = ".held-"


def path_of(workdir: Workdir, name: str = MEAN) -> Path:
    """Return the path of the best checkpoint of one of `NAMES`; the file need not exist yet."""
    return workdir.best / f"{name}.keras"


def ranking(line: dict) -> dict[str, float]:
    """Return what a line of `metrics.jsonl` ranks by, for each of `MEASURES`; empty for a checkpoint not scored."""
    found = line.get("ranking") or line.get("ccc")  # lines from before there were protocols have no ranking
    return found if isinstance(found, dict) else {}


def hold(path: Path, workdir: Workdir) -> Path:
    """Give a checkpoint a second name, under which it outlives the trainer's clean-up; return it.

    Raises:
      FileNotFoundError: if the checkpoint is gone already.
    """
    if path.name.startswith(_HELD):
        return path
    workdir.best.mkdir(parents=True, exist_ok=True)
    second = workdir.best / f"{_HELD}{path.name}"
    _second_name(path, second)
    return second


def held(workdir: Workdir) -> list[Path]:
    """Return the second names that a killed watcher has left: of checkpoints that the trainer may have deleted."""
    return sorted(workdir.best.glob(f"{_HELD}*"))


def step_of(path: Path) -> int:
    """Return the step of a checkpoint by its name or its second name."""
    return checkpoint_files.step_of(path.with_name(path.name.removeprefix(_HELD)))


def _second_name(path: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        with needing(path.stat().st_size):
            shutil.copyfile(path, name)


def keep(
    held: Path, scored: dict, earlier: list[dict], workdir: Workdir, measures: Sequence[str] = MEASURES
) -> list[str]:
    """Replace each best checkpoint that a held one beats; return the measures by which it does.

    Args:
      held: as `hold` returns it; it is for the caller to delete, once the line is in `metrics.jsonl`.
      scored: the checkpoint's line of `metrics.jsonl`.
      earlier: the lines before it.
      measures: those of `MEASURES` by which it is compared.
    """
    beaten = []
    own = ranking(scored)
    for measure, name in zip(MEASURES, NAMES, strict=True):
        if (
            measure in measures
            and measure in own
            and all(own[measure] > ranking(line).get(measure, -math.inf) for line in earlier)
        ):
            path = path_of(workdir, name)
            partial = workdir.best / f".partial-{path.name}"
            _second_name(held, partial)
            write_json(checkpoint_files.state_path(path), {**scored, **checkpoint_files.contents_note(partial)})
            os.replace(partial, path)
            partial.unlink(missing_ok=True)  # a rename between two names of one file leaves both
            beaten.append(measure)
    return beaten


def find(workdir: Workdir, checkpoint: str) -> Path:
    """Return the path of a checkpoint: one of `NAMES`, `LATEST`, or a `.keras` file.

    Raises:
      UserError: if there is no such checkpoint.
    """
    if checkpoint == LATEST:
        found = checkpoint_files.listed(workdir.checkpoints)
        if not found:
            raise UserError(f"{workdir.checkpoints}: no checkpoint yet. Run train.py, or wait for the first one.")
        return found[-1]
    if checkpoint in NAMES:
        path = path_of(workdir, checkpoint)
    else:
        own = [folder / checkpoint for folder in (workdir.checkpoints, workdir.best)]
        path = next((each for each in own if each.is_file()), Path(checkpoint))
    if not path.is_file():
        missing = ", which is not there yet: `evaluate.py --watch` chooses it; latest is the newest"
        hint = missing if checkpoint in NAMES else ""
        raise UserError(
            f"`checkpoint` must be one of {', '.join(NAMES)}, {LATEST}, or a .keras file of the run in {workdir.path}. "
            f"Received: {checkpoint}{hint}."
        )
    if not path.resolve().is_relative_to(workdir.path.resolve()):
        raise UserError(
            f"`checkpoint` must be one of the run in {workdir.path}. Received: {path}, which lies elsewhere: its "
            "scores would stand under this run's name. Name the working directory that it belongs to."
        )
    return path


def model_file(model: Path) -> Path:
    """Return the `.keras` file of a network: the file itself, or a working directory's best checkpoint or its latest.

    In a run in stages it is the checkpoint of the last stage that has one.

    Raises:
      UserError: if there is none.
    """
    if model.is_file() and model.suffix == ".keras":
        return model
    workdir = Workdir(model)
    if not workdir.begun:
        if model.is_dir():
            what = "a folder without experiment.json or saved_model.pb"
        elif model.is_file():
            what = "another file; `python -m affwildnet.weights import` makes one of published weights"
        else:
            what = "which is not there"
        raise UserError(
            "`model` must be a .keras file, a working directory of train.py or, to predict with, a SavedModel. "
            f"Received: {model}, {what}."
        )
    stages = workdir.open().stages
    for place in [workdir.of_stage(stage.name) for stage in reversed(stages)] or [workdir]:
        for checkpoint in (MEAN, LATEST):
            with suppress(UserError):
                return find(place, checkpoint)
    raise UserError(f"{model}: no checkpoint yet. Run train.py, or wait for the first one.")
