"""A run opened to be scored: the network of one checkpoint, its data, its predictions."""

import json
import logging
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
from affwildnet.runs import best, checkpoints
from affwildnet.runs.run import Run
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


class Trained:
    """The network of one checkpoint of a run.

    In a run in stages it is the checkpoint of the last stage that has one of that name.

    Attributes:
      workdir: in which the checkpoint lies.
      run: that of `workdir`, with what the user has chosen.
      checkpoint: the `.keras` file.
      model: the network.
    """

    workdir: Workdir
    run: Run
    checkpoint: Path
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
        self._strategy = choices.strategy
        self._corpora: dict[str, Corpus] = {}
        with choices.strategy.scope():
            self.model = checkpoints.load(self.checkpoint)

    @property
    def experiment(self) -> Experiment:
        """That of the run."""
        return self.run.experiment

    @property
    def step(self) -> int | None:
        """The training step of the checkpoint; None for a file from elsewhere."""
        try:
            return json.loads(checkpoints.state_path(self.checkpoint).read_text("utf-8"))["step"]
        except (OSError, ValueError, KeyError):
            return None

    def corpus(self, split: str) -> Corpus:
        """Return a split, opened once; raise a `UserError` if it cannot be."""
        if split not in self._corpora:
            self._corpora[split] = Corpus.of_run(self.run, split)
        return self._corpora[split]

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
