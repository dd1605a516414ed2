"""A run: what one working directory holds, as `experiment.json` stores it."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from affwildnet.experiments import field_values, overrides
from affwildnet.experiments.config import Experiment, Stage
from affwildnet.runs.folds import Fold
from tfrecords_tools.files import folder_at

# Fields of training that may change within a run, as they do not make it another experiment.
_FREE = (
    *("steps", "log_steps", "checkpoint_steps", "checkpoint_minutes", "keep_checkpoints"),
    *("jit_compile", "cache_gb"),
)
# By field and value: the value that it is as good as. A cache that rounds nothing is as good as none.
_AS_GOOD_AS = {("cache", "float32"): "off"}


@dataclass(frozen=True)
class Run:
    """An experiment on a packed corpus; or one of its stages, or one fold of a cross-validation.

    Training, evaluation, prediction and export are given a run, or the working directory that holds it.

    Attributes:
      experiment: what is trained, and how it is scored.
      data_dir: folder of the packed corpus.
      stage: the one stage that this run trains, see `of_stage`; None for a run in one go or with all its stages.
      fold: whose splits are used; None uses the splits that the videos were packed in.

    Example:
      >>> run = Run(experiments.get("sample/affwildnet"), Path("data/sample"))
      >>> run.summary()
      'sample/affwildnet on data/sample'
    """

    experiment: Experiment
    data_dir: Path
    stage: Stage | None = None
    fold: Fold | None = None

    def __post_init__(self):
        object.__setattr__(self, "data_dir", folder_at(self.data_dir))  # a str is as good

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that are trained one after the other; empty for a run in one go."""
        return self.experiment.training.stages

    def of_stage(self, stage: Stage) -> "Run":
        """Return the run of one stage: without further stages, with the stage's learning rate and steps."""
        training = self.experiment.training
        own = replace(training, stages=(), learning_rate=stage.learning_rate, steps=stage.steps or training.steps)
        return replace(self, experiment=replace(self.experiment, training=own), stage=stage)

    def summary(self) -> str:
        """Return a line that names the run."""
        stage = f", stage {self.stage.name}" if self.stage else ""
        fold = f", fold {self.fold.number} of {self.fold.count}" if self.fold else ""
        return f"{self.experiment.name}{stage}{fold} on {self.data_dir}"

    def differences(self, wanted: "Run") -> list[str]:
        """Return what makes another run a different one, in a few words each; empty if it may go on from this one.

        The corpus may have moved, and a run may become longer or save its checkpoints at other times.
        """
        return (
            _of_experiments(self.experiment, wanted.experiment)
            or _of_stages(self.stage, wanted.stage)
            or _of_folds(self.fold, wanted.fold)
        )

    def to_json(self) -> dict:
        """Return the run as what `json` can write; `stage` and `fold` only where it has one."""
        parts = {name: asdict(part) for name, part in (("stage", self.stage), ("fold", self.fold)) if part}
        return {"experiment": overrides.to_json(self.experiment), "data_dir": str(self.data_dir.resolve()), **parts}

    @classmethod
    def from_json(cls, fields: dict) -> "Run":
        """Return the run that `to_json` wrote, in this version or an earlier one; other fields are ignored.

        Raises:
          UserError: if the experiment has a field that this version does not know, or a value that it cannot have.
          KeyError, TypeError, AttributeError: if `fields` are not those of a run.
        """
        stage, fold = fields.get("stage"), fields.get("fold")
        experiment = overrides.from_json(fields["experiment"])
        field_values.check_all(experiment.evaluation, "evaluation")
        return cls(
            experiment,
            folder_at(fields["data_dir"]),
            overrides.from_json(stage, Stage) if stage else None,
            Fold.from_json(fold) if fold else None,
        )


def _of_experiments(held: Experiment, wanted: Experiment) -> list[str]:
    if held.name != wanted.name:
        return [f"it holds {held.name}, this run {wanted.name}"]
    found = []
    for part in ("model", "training"):
        before, now = vars(getattr(held, part)), vars(getattr(wanted, part))
        for field in now:
            if field not in (*_FREE, "stages") and _as_good(field, before[field]) != _as_good(field, now[field]):
                found.append(f"{part}.{field} is {before[field]} there, not {now[field]}")
    # What differs within a stage is found in its own working directory.
    before, now = (", ".join(stage.name for stage in each.training.stages) for each in (held, wanted))
    if bool(before) != bool(now):
        found.append(f"training.stages is {before or 'empty'} there, not {now or 'empty'}")
    return found


def _as_good(field: str, value: object) -> object:
    return _AS_GOOD_AS.get((field, value), value) if field == "cache" else value


def _of_stages(held: Stage | None, wanted: Stage | None) -> list[str]:
    if not held or not wanted:
        before, now = (f"the stage {stage.name}" if stage else "no stage" for stage in (held, wanted))
        return [f"it holds {before}, this run {now}"] if before != now else []
    before, now = vars(held), vars(wanted)
    return [
        f"the stage's {field} is {before[field]} there, not {now[field]}"
        for field in now
        if before[field] != now[field] and field not in _FREE
    ]


def _of_folds(held: Fold | None, wanted: Fold | None) -> list[str]:
    before, now = (f"fold {fold.number} of {fold.count}" if fold else "no fold" for fold in (held, wanted))
    if before != now:
        return [f"it holds {before}, this run {now}"]
    if held == wanted:
        return []
    moved = sorted(key for key in held.parts | wanted.parts if held.parts.get(key) != wanted.parts.get(key))
    return [f"other videos are in its folds ({len(moved)}, such as {moved[0]})"]
