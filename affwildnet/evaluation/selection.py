"""What is to be scored: a checkpoint of a run, and its data; found without Keras, so that errors come at once."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.data.corpus import Corpus
from affwildnet.experiments import window_rules
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import override
from affwildnet.runs import best, checkpoint_files, record_files, rehearsals, report_names, training_data
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import folder_at, regular

if TYPE_CHECKING:
    import tensorflow as tf

# With fewer, a 95 % interval leaves out less than one resample at each end, and no difference can be significant.
LEAST_RESAMPLES = 40
MOST_RESAMPLES = 1_000_000  # more take hours and tens of GB, and change no digit that is shown


@dataclass(frozen=True)
class Choices:
    """What a user may choose when a run is scored.

    Attributes:
      split: what is scored.
      checkpoint: see `best.find`.
      data_dir: the packed corpus; None is the one that the network was trained on.
      settings: overridden fields of `EvaluationConfig`, such as "evaluation.overlap=40".
      resamples: of the bootstrap, see `check_resamples`; 0 leaves intervals out.
      strategy: the devices to compute on; None is TensorFlow's current strategy.
    """

    split: str = "validation"
    checkpoint: str = best.MEAN
    data_dir: Path | None = None
    settings: Sequence[str] = ()
    resamples: int = 1000
    strategy: "tf.distribute.Strategy | None" = None

    def label(self, trained_on: Path) -> str:
        """Return what is chosen other than by default, as names of files may have it: "latest-overlap=40", or "".

        Args:
          trained_on: folder of the corpus that the network was trained on.
        """
        other = None if self.data_dir is None else folder_at(self.data_dir).resolve()
        corpus = "" if other in (None, trained_on.resolve()) else other.name
        return report_names.label(self.checkpoint, self.settings, corpus)


class Selected:
    """One checkpoint of a run, and the corpus that it is scored on.

    In a run in stages it is the checkpoint of the last stage that has one of that name.

    Attributes:
      workdir: in which the checkpoint lies.
      run: that of `workdir`, with what the user has chosen.
      checkpoint: the `.keras` file.
      trained_on: folder of the corpus that the network was trained on.
    """

    workdir: Workdir
    run: Run
    checkpoint: Path
    trained_on: Path

    def __init__(self, workdir: Workdir, choices: Choices):
        """Raise a `UserError` if there is no such run or checkpoint, or a setting is not one of evaluation."""
        run = workdir.open()
        if run.stages:
            workdir = _stage_with(workdir, choices.checkpoint)
            run = workdir.open()
        if strange := [setting for setting in choices.settings if not setting.startswith("evaluation.")]:
            raise UserError(f"`set` must name a field of evaluation here. Received: {', '.join(strange)}")
        _check_settings(choices.settings)
        self.workdir = workdir
        experiment = override(run.experiment, list(choices.settings))
        window_rules.check(experiment.evaluation)
        self.run = replace(run, experiment=experiment, data_dir=choices.data_dir or run.data_dir)
        self.checkpoint = best.find(workdir, choices.checkpoint)
        self.trained_on = run.data_dir
        self._other_data = choices.data_dir is not None
        self._corpora: dict[str, Corpus] = {}

    @property
    def experiment(self) -> Experiment:
        """That of the run."""
        return self.run.experiment

    @cached_property
    def configured(self) -> Experiment:
        """That of the run, with all its stages where one of them is scored."""
        experiment, stage = self.run.experiment, self.run.stage
        above = Workdir(self.workdir.path.parent)
        if stage is None or not above.begun:
            return experiment
        whole = above.open().experiment
        if stage.name not in [each.name for each in whole.training.stages]:
            return experiment
        return replace(experiment, training=whole.training)

    @property
    def rehearsal(self) -> tuple[str, ...]:
        """Why the run is a rehearsal of a paper's; empty where it is none."""
        return rehearsals.of_checkpoint(self.checkpoint, self.experiment)

    @cached_property
    def training_data(self) -> TrainingData | None:
        """What the network was trained on; None for a run of an earlier version."""
        return training_data.stored(self.workdir)

    @property
    def step(self) -> int | None:
        """The training step of the checkpoint; None for a file from elsewhere."""
        try:
            return json.loads(regular(checkpoint_files.state_path(self.checkpoint)).read_text("utf-8"))["step"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def corpus(self, split: str) -> Corpus:
        """Return a split, opened once; raise a `UserError` if it cannot be."""
        if split not in self._corpora:
            self._corpora[split] = corpus = Corpus.of_run(self.run, split)
            known = None
            if not self._other_data:
                known = self.training_data = trained_on_now(self.workdir, self.run, split)
            record_files.check(corpus.folder, corpus.videos, known and known.files)
        return self._corpora[split]


def trained_on_now(workdir: Workdir, run: Run, split: str) -> TrainingData | None:
    """Return what a run was trained on, if its corpus still has it; None where that is not known.

    Args:
      workdir: of the run.
      run: with its own corpus.
      split: that is to be scored, for the message.

    Raises:
      UserError: if the corpus has been packed again with other training videos since.
    """
    stored, kept = training_data.stored(workdir), workdir.trained_on
    if stored is None and kept is None:
        return None
    train = Corpus.of_run(run, "train")
    now = TrainingData.of(train.manifest, train.folder, train.videos)
    if stored is not None:
        difference = stored.difference(now)
    elif now.fingerprint == kept:
        difference, stored = "", now  # their note is gone, but these are they
    else:
        difference = f"the training videos are others; {workdir.training_data.name}, which named them, is gone"
    if difference:
        raise UserError(
            f"{run.data_dir}: must hold the videos that the run in {workdir.path} was trained on, to score its split "
            f"{split}. Received: a corpus where {difference}. To score it on what is there now all the same, name that "
            "corpus with `data_dir`."
        )
    return stored


def check_resamples(number: int) -> None:
    """Raise a `UserError` for a number of resamples that makes no interval: 0 leaves them out."""
    if number and not LEAST_RESAMPLES <= number <= MOST_RESAMPLES:
        raise UserError(
            f"`resamples` must be from {LEAST_RESAMPLES} to {MOST_RESAMPLES:,}, so that a 95 % interval leaves out at "
            f"least one at each end, or 0 for no intervals. Received: {number}"
        )


def checked(workdir: Workdir, choices: Choices) -> Selected:
    """Return what is to be scored of a run.

    Raises:
      UserError: for whatever can be known to keep it from being scored, before its network is loaded.
    """
    selected = Selected(workdir, choices)
    checkpoint_files.check_archive(selected.checkpoint)
    selected.corpus(choices.split)
    return selected


def folds_in(workdir: Workdir) -> list[Workdir]:
    """Return the working directory of each fold of a cross-validation, in order.

    Raises:
      UserError: if there is none, or one has not been trained.
    """
    begun = sorted(path for path in workdir.path.glob("fold-*") if Workdir(path).begun)
    if not begun:
        raise UserError(f"{workdir.path}: no fold was trained here. Train them with `train.py --fold=1` and so on.")
    fold = Workdir(begun[0]).open().fold
    if fold is None:
        raise UserError(f"{begun[0]}: must hold a fold. Received: a run without folds. Use another working directory.")
    missing = [number for number in range(1, fold.count + 1) if not workdir.of_fold(number).begun]
    if missing:
        raise UserError(
            f"{workdir.path}: all {fold.count} folds must be trained. Missing: {', '.join(map(str, missing))}. "
            f"Train {'it' if len(missing) == 1 else 'the first'} with `train.py --fold={missing[0]}`."
        )
    return [workdir.of_fold(number) for number in range(1, fold.count + 1)]


def _check_settings(settings: Sequence[str]) -> None:
    """Raise a `UserError` for a field that is given two values, or that scoring makes no use of."""
    values: dict[str, str] = {}
    for name, _, value in (setting.partition("=") for setting in settings):
        if name == "evaluation.patience":
            raise UserError(
                f"`{name}` would have no effect: it is for watching. Leave it out, or give `patience` with `watch`."
            )
        if values.setdefault(name, value) != value:
            raise UserError(f"`{name}` must have one value. Received: {values[name]} and {value}")


def check_against(other: Workdir, workdir: Workdir) -> None:
    """Raise a `UserError` if a run is to be compared with itself."""
    if other.path.resolve() == workdir.path.resolve():
        raise UserError(f"`against` must be another run. Received: {other.path}, the one that is scored.")


def check_fusion(workdirs: Sequence[Workdir], into: Workdir, checkpoint: str) -> None:
    """Raise a `UserError` for runs that cannot be fused, or a run that was trained where the result goes.

    Args:
      checkpoint: that each run is to have, see `best.find`; a file is of one run, and the fused network's is another.
    """
    places = [each.path.resolve() for each in workdirs]
    if len(workdirs) < 2:
        raise UserError(f"`fuse` must name at least two working directories. Received: {len(workdirs)}")
    if len(set(places)) < len(places):
        raise UserError(f"`fuse` must name each run once. Received: {', '.join(str(each.path) for each in workdirs)}")
    if checkpoint not in (*best.NAMES, best.LATEST):
        names = ", ".join((*best.NAMES, best.LATEST))
        raise UserError(f"`checkpoint` must be one of {names} with `fuse`. Received: {checkpoint}")
    trained = checkpoint_files.listed(into.checkpoints)
    if trained or into.path.resolve() in places:
        raise UserError(f"`workdir` must be a new one for the fused network. Received: {into.path}, a trained run's.")


def check_members(members: Sequence[Selected]) -> None:
    """Raise a `UserError` if networks are of different kinds or corpora, and cannot be fused."""
    for member in members:
        if member.experiment.model.head != "valence_arousal":
            raise UserError(
                f"Fused networks must predict valence and arousal. Received: {member.checkpoint}: expressions"
            )
    runs = [member.run for member in members]
    for what, values in (
        ("on one corpus", {str(run.data_dir) for run in runs}),
        ("on one fold", {str(run.fold and run.fold.number) for run in runs}),
        ("for one protocol", {run.experiment.protocol for run in runs}),
    ):
        if len(values) > 1:
            raise UserError(f"Fused networks must be trained {what}. Received: {', '.join(sorted(values))}")


def check_same_videos(own: Sequence[Corpus], others: Sequence[Corpus]) -> None:
    """Raise a `UserError` if two runs cannot be compared; the frames are compared when they are scored.

    Args:
      own, others: the corpus of each run, or of each of its folds.
    """
    first, second = ({entry.video for corpus in corpora for entry in corpus.videos} for corpora in (own, others))
    if odd := sorted(first ^ second):
        raise UserError(
            f"`against` must be scored on the same videos. Received: {others[0].folder}, whose split "
            f"{others[0].split} differs from that of {own[0].folder} in {len(odd)} videos, such as {odd[0]}. Name one "
            "corpus with `data_dir`."
        )


def protocol_of_folds(protocol: str) -> str:
    """Return how folds are scored together: frames by "folds"; utterances and videos as what they are."""
    return "folds" if protocol == "frames" else protocol


def _stage_with(workdir: Workdir, checkpoint: str) -> Workdir:
    """Return the working directory of the last stage that has such a checkpoint; for a file, the one it lies in."""
    stages = [workdir.of_stage(stage.name) for stage in reversed(workdir.open().stages)]
    file = Path(checkpoint).resolve()
    for stage in (stage for stage in stages if stage.begun):
        with suppress(UserError):
            best.find(stage, checkpoint)
            if not file.is_file() or file.is_relative_to(stage.path.resolve()):
                return stage
    return workdir  # which has none, or the file is from elsewhere
