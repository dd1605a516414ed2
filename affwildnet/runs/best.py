"""The best checkpoints of a training: copies in `best/` that the trainer never touches."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError

# By validation CCC; the mean is what the challenge ranked by (ijcv2019 section 4.1). Classes of expression have a best
# mean alone, by total accuracy.
BEST = ("mean", "valence", "arousal")


def ranking(line: dict) -> dict[str, float]:
    """Return what a line of `metrics.jsonl` ranks by, by name of `BEST`; empty for what was passed over."""
    return line.get("ranking") or line.get("ccc") or {}  # lines from before there were protocols have no ranking


def hold(path: Path, workdir: Workdir) -> Path:
    """Return another name of a checkpoint, under which it outlives the trainer's clearing up.

    Raises:
      FileNotFoundError: if it is gone already.
    """
    workdir.best.mkdir(parents=True, exist_ok=True)
    held = workdir.best / f".held-{path.name}"
    _second_name(path, held)
    return held


def release_all(workdir: Workdir) -> None:
    """Remove what a watcher that was killed held."""
    for held in workdir.best.glob(".held-*"):
        held.unlink()


def _second_name(path: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(path, name)


def keep(held: Path, scored: dict, earlier: list[dict], workdir: Workdir) -> list[str]:
    """Put a held checkpoint in the place of each best one that it beats; return which.

    Args:
      held: as `hold` returns it; it is gone afterwards.
      scored: the checkpoint's line of `metrics.jsonl`.
      earlier: the lines before it.
    """
    beaten = []
    own = ranking(scored)
    for name in (name for name in BEST if name in own):
        if all(own[name] > ranking(line)[name] for line in earlier if ranking(line)):
            path = workdir.best / f"best_{name}.keras"
            partial = workdir.best / f".partial-{path.name}"
            _second_name(held, partial)
            write_json(checkpoints.state_path(path), scored)
            os.replace(partial, path)
            partial.unlink(missing_ok=True)  # a rename between two names of one file leaves both
            beaten.append(name)
    held.unlink()
    return beaten


def find(workdir: Workdir, checkpoint: str) -> Path:
    """Return the path of `best_mean`, `best_valence`, `best_arousal`, `latest`, or of a file.

    Raises:
      UserError: if there is no such checkpoint.
    """
    if checkpoint == "latest":
        found = checkpoints.listed(workdir.checkpoints)
        if not found:
            raise UserError(f"{workdir.checkpoints}: no checkpoint yet. Run train.py, or wait for its first one.")
        return found[-1]
    named = [f"best_{name}" for name in BEST]
    path = workdir.best / f"{checkpoint}.keras" if checkpoint in named else Path(checkpoint)
    if not path.is_file():
        rule = f"`--checkpoint` must be one of {', '.join(named)}, latest, or a .keras file. Received: {checkpoint}"
        hint = " which is not there yet: `evaluate.py --watch` chooses it." if checkpoint in named else "."
        raise UserError(f"{rule}{',' if checkpoint in named else ''}{hint}")
    return path


def model_file(model: Path) -> Path:
    """Return the `.keras` file that a `--model` means: itself, or a working directory's best checkpoint or its latest.

    Of a training in stages it is that of the last stage that has one.

    Raises:
      UserError: if there is none.
    """
    if model.is_file():
        return model
    workdir = Workdir(model)
    if not workdir.begun:
        what = "a folder without experiment.json or saved_model.pb" if model.is_dir() else "which is not there"
        raise UserError(
            "`--model` must be a .keras file, a working directory of train.py or, to predict with, a SavedModel. "
            f"Received: {model}, {what}."
        )
    stages = workdir.open()[0].training.stages
    for place in [workdir.stage(stage.name) for stage in reversed(stages)] or [workdir]:
        for checkpoint in ("best_mean", "latest"):
            with suppress(UserError):
                return find(place, checkpoint)
    raise UserError(f"{model}: no checkpoint yet. Run train.py, or wait for its first one.")
