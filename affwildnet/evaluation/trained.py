"""A run opened to be scored: the network of one checkpoint, its data, its predictions."""

import logging
from functools import cached_property

import keras
import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.scoring import postprocessing
from affwildnet.evaluation.scoring.postprocessing import PostProcessing
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.selection import Choices, Selected
from affwildnet.runs import checkpoints
from affwildnet.runs.workdir import Workdir

_log = logging.getLogger(__name__)


class Trained(Selected):
    """The network of one checkpoint of a run, loaded.

    Attributes:
      model: the network.
    """

    model: keras.Model

    def __init__(self, workdir: Workdir, choices: Choices):
        """Raise a `UserError` as `Selected`, or if the checkpoint is not whole."""
        super().__init__(workdir, choices)
        if self.workdir != workdir:
            _log.info(f"stage {self.workdir.path.name}")
        self._strategy = choices.strategy or tf.distribute.get_strategy()
        with self._strategy.scope():
            self.model = checkpoints.load(self.checkpoint)

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
        evaluator = Evaluator(self.corpus(split), self.experiment.evaluation, self._strategy, self._features)
        return evaluator(self.model)

    def _features(self, model: keras.Model, corpus: Corpus) -> FrozenFeatures | None:
        """Return what the watcher has kept of the frozen layers; not where that is rounded, which moves the scores."""
        training = self.experiment.training
        if training.cache != "float32":
            return None
        found = FrozenFeatures.of(model, corpus, self.workdir.features(corpus.split), training, writes=False)
        if found is not None:
            _log.info(f"features of the frozen layers are read from {found.cache.folder}")
        return found
