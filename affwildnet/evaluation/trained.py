"""A run opened to be scored: the network of one checkpoint, its data, its predictions."""

import json
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.scoring import postprocessing
from affwildnet.evaluation.scoring.postprocessing import PostProcessing
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import override
from affwildnet.runs import best, checkpoints, training_data
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choices:
    """What a user may choose when a run is scored.

    Attributes:
      split: what is scored.
      checkpoint: see `best.find`.
      data_dir: the packed corpus; None is the one that the network was trained on.
      settings: overridden fields of `EvaluationConfig`, such as "evaluation.overlap=40".
      resamples: of the bootstrap; 0 leaves intervals out.
      strategy: the devices to compute on; TensorFlow's current strategy by default.
    """

    split: str = "validation"
    checkpoint: str = best.MEAN
    data_dir: Path | None = None
    settings: Sequence[str] = ()
    resamples: int = 1000
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)

    def label(self, trained_on: Path) -> str:
        """Return what is chosen other than by default, as names of files may have it: "latest-overlap=40", or "".

        Args:
          trained_on: folder of the corpus that the network was trained on.
        """
        parts = [] if self.checkpoint == best.MEAN else [Path(self.checkpoint).stem]
        other = None if self.data_dir is None else Path(self.data_dir).resolve()
        parts += [] if other in (None, trained_on.resolve()) else [f"on-{other.name}"]
        parts += [setting.removeprefix("evaluation.") for setting in self.settings]
        return re.sub(r"[^\w.=,+-]+", "_", "-".join(parts))[:150]


class Trained:
    """The network of one checkpoint of a run.

    In a run in stages it is the checkpoint of the last stage that has one of that name.

    Attributes:
      workdir: in which the checkpoint lies.
      run: that of `workdir`, with what the user has chosen.
      checkpoint: the `.keras` file.
      trained_on: folder of the corpus that the network was trained on.
      model: the network.
    """

    workdir: Workdir
    run: Run
    checkpoint: Path
    trained_on: Path
    model: keras.Model

    def __init__(self, workdir: Workdir, choices: Choices):
        """Raise a `UserError` if there is no such run or checkpoint, or a setting is not one of evaluation."""
        run = workdir.open()
        if run.stages:
            workdir = _stage_with(workdir, choices.checkpoint)
            run = workdir.open()
        if strange := [setting for setting in choices.settings if not setting.startswith("evaluation.")]:
            raise UserError(f"`set` must name a field of evaluation here. Received: {', '.join(strange)}")
        self.workdir = workdir
        experiment = override(run.experiment, list(choices.settings))
        self.run = replace(run, experiment=experiment, data_dir=choices.data_dir or run.data_dir)
        self.checkpoint = best.find(workdir, choices.checkpoint)
        self.trained_on = run.data_dir
        self._other_data = choices.data_dir is not None
        self._strategy = choices.strategy
        self._corpora: dict[str, Corpus] = {}
        with choices.strategy.scope():
            self.model = checkpoints.load(self.checkpoint)

    @property
    def experiment(self) -> Experiment:
        """That of the run."""
        return self.run.experiment

    @cached_property
    def training_data(self) -> TrainingData | None:
        """What the network was trained on; None for a run of an earlier version."""
        return training_data.stored(self.workdir)

    @property
    def step(self) -> int | None:
        """The training step of the checkpoint; None for a file from elsewhere."""
        try:
            return json.loads(checkpoints.state_path(self.checkpoint).read_text("utf-8"))["step"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def corpus(self, split: str) -> Corpus:
        """Return a split, opened once; raise a `UserError` if it cannot be."""
        if split not in self._corpora:
            self._corpora[split] = Corpus.of_run(self.run, split)
            self._check_training_videos(split)
        return self._corpora[split]

    def _check_training_videos(self, split: str) -> None:
        """Raise a `UserError` if the run's own corpus has been packed again with other training videos since."""
        if self.training_data is None or self._other_data:
            return
        train = Corpus.of_run(self.run, "train")
        now = TrainingData.of(train.manifest, train.folder, train.videos)
        if difference := self.training_data.difference(now):
            raise UserError(
                f"{self.run.data_dir}: must hold the videos that the run in {self.workdir.path} was trained on, to "
                f"score its split {split}. Received: a corpus where {difference}. To score it on what is there now all "
                "the same, name that corpus with `data_dir`."
            )

    def predictions(self, split: str) -> Evaluation:
        """Run the network over a split, without post-processing."""
        return self._validation if split == "validation" else self._predictions(split)

    @cached_property
    def post_processing(self) -> PostProcessing:
        """The experiment's post-processing, chosen on the validation split."""
        config = self.experiment.evaluation
        if not config.post_process:
            return postprocessing.none()
        _log.info("choosing the post-processing on the validation split")
        return postprocessing.choose(self._validation, self.experiment.protocol, config)

    @cached_property
    def _validation(self) -> Evaluation:
        return self._predictions("validation")

    def _predictions(self, split: str) -> Evaluation:
        return Evaluator(self.corpus(split), self.experiment.evaluation, self._strategy)(self.model)


def _stage_with(workdir: Workdir, checkpoint: str) -> Workdir:
    """Return the working directory of the last stage that has such a checkpoint; for a file, the one it lies in."""
    stages = [workdir.of_stage(stage.name) for stage in reversed(workdir.open().stages)]
    file = Path(checkpoint).resolve()
    for stage in (stage for stage in stages if stage.begun):
        with suppress(UserError):
            best.find(stage, checkpoint)
            if not file.is_file() or file.is_relative_to(stage.path.resolve()):
                _log.info(f"stage {stage.path.name}")
                return stage
    return workdir  # which has none, or the file is from elsewhere
