"""What training starts from: the latest checkpoint, or a new network with weights from a file or an earlier stage."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from affwildnet import models
from affwildnet.data import START, Corpus
from affwildnet.experiments.config import TrainingConfig
from affwildnet.models import cost
from affwildnet.runs import checkpoints
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.runs.run import Run
from affwildnet.training import step as training_step
from affwildnet.training import weight_copies
from affwildnet.training.freezing import freeze
from affwildnet.training.patterns import INIT, RANDOM, check_skip, matching, sources_of, summary
from affwildnet.training.preconditions import HOW_TO_GIVE
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Earlier:
    """The checkpoint of an earlier stage.

    Attributes:
      path: the `.keras` file.
      title: its name in the log, such as "the best checkpoint of c2, step 1,000".
    """

    path: Path
    title: str


def resumed_or_new(
    run: Run, folder: Path, corpus: Corpus, earlier: Callable[[str], Earlier] | None = None
) -> tuple[keras.Model, TrainingState]:
    """Return the network of the latest whole checkpoint, else a new one, compiled, and the state of its training.

    Args:
      folder: the checkpoints' folder.
      corpus, earlier: see `begin`.

    Raises:
      UserError: as `checkpoints.resume` and `begin`.
    """
    config = run.experiment.training
    if resumed := checkpoints.resume(folder):
        _log.info(f"resumed from {checkpoints.path_of(folder, resumed[1].step)}")
        return resumed
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(training_step.policy(config.precision))
    model = models.build(run.experiment.model, config.window)
    keras.config.set_dtype_policy("float32")
    begin(model, run, corpus, earlier)
    model.compile(optimizer=training_step.make_optimizer(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model, TrainingState(0, START.epoch, START.window, config.seed)


def begin(model: keras.Model, run: Run, corpus: Corpus, earlier: Callable[[str], Earlier] | None = None) -> None:
    """Give a new network the weights that it starts from, log which, and freeze what the run's stage does not train.

    The landmarks' statistics (`standardise_landmarks`) are weights like the others. Where a file is given they are the
    file's, as its other weights were trained with them; where that layer is not taken from a file, the corpus's.

    Args:
      model: newly built, with random weights.
      corpus: the split that the network is trained on.
      earlier: returns the checkpoint of the stage of a name; not needed in a run without stages.

    Raises:
      UserError: for a pattern that matches no layer, and for a file that is bad, lacks a weight, or normalises pixels
        differently.
    """
    config, stage = run.experiment.training, run.stage
    names = list(weight_copies.weighted_layers(model))
    sources = sources_of(names, run)
    check_backbone(model, sources, run)
    fresh = [name for name in names if sources[name] == RANDOM]
    from_random = ", from random ones" if fresh == names else ""
    _log.info(f"{run.experiment.name}: {cost.trainable_weights(model):,} trainable weights{from_random}")
    if statistics := _statistics(model, fresh):
        models.fit_landmarks(model, corpus.landmarks())
        fresh = [name for name in fresh if name not in statistics]
    for source in dict.fromkeys(sources.values()):
        taken = [name for name in names if sources[name] == source]
        if source == INIT:
            _from_file(model, config, taken)
        elif source != RANDOM:
            _from_stage(model, earlier(source), taken)
    if not from_random:
        _log.info(f"random: {summary(fresh)}" + (f"; from the corpus: {summary(statistics)}" if statistics else ""))
    if config.pretrained and not config.init and stage is None:
        _log.info(f"The paper starts from {config.pretrained}, this run from random weights. {HOW_TO_GIVE}")
    if stage:
        freeze(model, stage, names)


def check_backbone(model: keras.Model, sources: dict[str, str], run: Run) -> None:
    """Raise a `UserError` if a backbone would start from the file in part, and in part from random weights.

    Args:
      model: the network.
      sources: what each of its layers with weights starts from, as `patterns.sources_of` returns it.
      run: whose layers in `training.init_skip` are random by choice.
    """
    config, stage = run.experiment.training, run.stage
    backbone = [layer.name for layer in model.layers if isinstance(layer, weight_copies.BACKBONE_LAYERS)]
    backbone = [name for name in backbone if name not in matching(config.init_skip, backbone)]
    taken = [name for name in backbone if sources[name] == INIT]
    random = [name for name in backbone if sources[name] == RANDOM]
    if taken and random:
        where = f"Stage {stage.name}: `starts`" if stage else "`training.init`"
        raise UserError(
            f"{where} must take the whole backbone from the file, or nothing of it. Received: patterns for "
            f"{len(taken)} of its {len(backbone)} layers; not matched are {', '.join(random[:3])}"
            f"{' and others' if len(random) > 3 else ''}. Name what is to stay random in `training.init_skip`."
        )


def _statistics(model: keras.Model, names: list[str]) -> list[str]:
    return [name for name in names if isinstance(model.get_layer(name), keras.layers.Normalization)]


def _from_file(model: keras.Model, config: TrainingConfig, names: list[str]) -> None:
    path = Path(config.init)
    source = weight_copies.load(path, "`training.init`")
    check_skip(config, [*weight_copies.weighted_layers(model), *weight_copies.pixels(model)])
    _check_pixels(source, model, config)
    if wrong := weight_copies.mismatches(source, model, names):
        raise UserError(
            f"`training.init` must have every weight of the network, in its shape. Received: {path}: "
            f"{next(iter(wrong.values()))} (layers that do not fit: {len(wrong)} of {len(names)}). To start what "
            f"does not fit from random weights: --set training.init_skip={','.join([*config.init_skip, *wrong])}"
        )
    weight_copies.copy(source, model, names)
    _log.info(f"from {path}: {summary(names)}")
    if statistics := _statistics(model, names):
        _log.info(f"the landmarks' mean and deviation are those of {path}, not the corpus's: {summary(statistics)}")
    if left := weight_copies.left_out(source, model):
        _log.info(f"left out: {', '.join(left)}")


def _from_stage(model: keras.Model, earlier: Earlier, names: list[str]) -> None:
    source = weight_copies.load(earlier.path, f"{earlier.title[0].upper()}{earlier.title[1:]}")
    if wrong := weight_copies.mismatches(source, model, names):
        raise UserError(f"{earlier.path}: holds another network: {next(iter(wrong.values()))}. Use a new --workdir.")
    weight_copies.copy(source, model, names)
    _log.info(f"from {earlier.title}: {summary(names)}")


def _check_pixels(source: keras.Model, model: keras.Model, config: TrainingConfig) -> None:
    given, skipped = weight_copies.pixels(source), matching(config.init_skip, weight_copies.pixels(model))
    for name, ours in weight_copies.pixels(model).items():
        if name in skipped:
            if name in given and not _alike(ours, given[name]):
                _log.info(
                    f"pixels are {_formula(*ours)}, as the network has them; the file's were {_formula(*given[name])}"
                )
            continue
        if name not in given:
            raise UserError(
                f"`training.init` must normalise pixels in a layer {name}, as the network does. Received: "
                f"{config.init}, which has none. To use the file all the same: "
                f"--set training.init_skip={','.join([*config.init_skip, name])}"
            )
        if not _alike(ours, given[name]):
            mean, scale = (",".join(f"{value:.10g}" for value in values) for values in given[name])
            raise UserError(
                f"`training.init` must normalise pixels as the network does, {_formula(*ours)}. Received: "
                f"{config.init}, {_formula(*given[name])}. To keep the network's pixels, as the papers do with "
                f"published weights: --set training.init_skip={','.join([*config.init_skip, name])}; to normalise as "
                f"the file does: --set model.pixel_mean={mean} model.pixel_scale={scale}"
            )


def _alike(ours: tuple[np.ndarray, np.ndarray], given: tuple[np.ndarray, np.ndarray]) -> bool:
    return np.allclose(ours, given, rtol=1e-6, atol=1e-6)


def _formula(mean: np.ndarray, scale: np.ndarray) -> str:
    mean, scale = (", ".join(f"{value:.6g}" for value in values) for values in (mean, scale))
    return f"(RGB - [{mean}]) * [{scale}]"
