"""What a stage's frozen layers compute, kept on the disk: whether that is possible, and what the log says of it."""

import logging
import math
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.data.feature_cache import OFF
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.experiments import effects
from affwildnet.experiments.config import Experiment
from affwildnet.models.frozen_part import boundary
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training.freezing import held_weights, mark
from tfrecords_tools.errors import UserError, room

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 60.0


def check(experiment: Experiment, devices: int = 1) -> None:
    """Raise a `UserError` if a training cannot read features from a cache, but its settings say so."""
    if experiment.training.cache == OFF:
        return
    effects.check(experiment, "training.cache")
    if devices > 1:
        raise UserError(
            f"`training.cache` must be {OFF} on several devices. Received: {experiment.training.cache}, on {devices}. "
            "With it one device is the faster for most networks, as the frozen layers are computed once."
        )


def check_stages(model: keras.Model, runs: list[Run], names: list[str]) -> None:
    """Raise a `UserError` if features are to be cached, and no stage has any.

    Args:
      model: the network; which of its layers are trainable is changed.
      runs: those of the stages.
      names: the layers of the network with weights.
    """
    if runs[0].experiment.training.cache == OFF:
        return
    for run in runs:
        mark(model, run.stage, names)
        if _can_cache(model, run):
            return
    which = "; ".join(f"{run.stage.name} trains {', '.join(run.stage.trainable)}" for run in runs)
    raise UserError(
        "`training.cache` needs a stage that freezes the first layers, up to some layer, and normalises batches by the "
        f"moving statistics there. Received: {which}. Leave it out, or change `trainable` of a stage."
    )


def of_run(run: Run, corpus: Corpus, workdir: Workdir, model: keras.Model) -> FrozenFeatures | None:
    """Return the cached features that a run trains from; None where it computes the whole network in each step."""
    config = run.experiment.training
    if config.cache == OFF:
        _suggest(run, corpus, model)
        return None
    found = FrozenFeatures.of(model, corpus, workdir.features(corpus.split), config) if _can_cache(model, run) else None
    if found is None:
        _log.info(f"stage {run.stage.name} freezes no first layers, whose features could be cached")
    else:
        _log.info(found.cache.summary())
    return found


def fill(features: FrozenFeatures, run: Run, go_on: Callable[[], bool]) -> None:
    """Compute the features that the windows of an epoch left out, if they are few; log it.

    Args:
      go_on: False ends it.
    """
    said = time.monotonic()

    def still() -> bool:
        nonlocal said
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            _log.info("computing the features of the frames that no window has held so far")
        return go_on()

    if number := features.fill(run.experiment.training, still):
        _log.info(f"features of {number:,} more frames, which no window has held so far, are cached")


def _can_cache(model: keras.Model, run: Run) -> bool:
    # Frozen layers that normalise by the batch's statistics have weights that are held.
    return run.stage is not None and not held_weights(model, run.stage) and bool(boundary(model))


def _suggest(run: Run, corpus: Corpus, model: keras.Model) -> None:
    training = run.experiment.training
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    if several or training.flip or training.colour_jitter or not _can_cache(model, run):
        return
    values = sum(math.prod(tensor.shape[1:]) for tensor in boundary(model))
    frames = int(corpus.first_record[-1])
    _log.info(
        "the frozen layers are computed anew in every epoch; --set training.cache=float32 computes them once, with the "
        f"same results, and keeps {room.shown(4 * values * frames)} beside the run (float16: half of that)"
    )
