"""Which fields of an experiment have an effect: overriding one that has none is an error, never silence."""

from collections.abc import Callable, Iterator

from affwildnet.experiments.config import Experiment, ModelConfig, TrainingConfig
from tfrecords_tools.errors import UserError

# Backbones with batch normalisation.
NORMALISED = ("cnn_m", "densenet121", "densenet169", "resnet50", "resnet50_slim")
# What of a fused network is in its members.
OF_MEMBERS = (
    "backbone",
    "landmarks",
    "landmarks_join",
    "landmark_encoder",
    "standardise_landmarks",
    "hidden",
    "dropout",
    "dropout_layers",
    "rnn_inputs",
    "separate",
    "normalisation_momentum",
)


class NoEffect(UserError):
    """A field that has no effect on an experiment is overridden.

    Attributes:
      field: its name, as it was given.
    """

    def __init__(self, message: str, field: str):
        super().__init__(message)
        self.field = field


def check(experiment: Experiment, name: str, called: str = "") -> None:
    """Raise a `NoEffect` if a field has no effect on a run of an experiment.

    Args:
      experiment: as it is after all overrides.
      name: of the field that was overridden, such as `model.dropout`.
      called: the name of the field in the message; empty is `name`.
    """
    needs = _NEEDS.get(name)
    if needs and (missing := needs(experiment)):
        raise _no_effect(called or name, missing)


def check_stage(experiment: Experiment, name: str, field: str) -> None:
    """Raise a `NoEffect` if a field of a stage has none, as it is after all overrides."""
    if field != "frozen_normalisation":
        return
    called = f"stages.{name}.{field}"
    check(experiment, "model.normalisation_momentum", called)
    stage = next(stage for stage in experiment.training.stages if stage.name == name)
    if "*" in stage.trainable:
        raise _no_effect(called, "the stage trains all layers")


def _no_effect(field: str, missing: str) -> NoEffect:
    return NoEffect(f"`{field}` would have no effect: {missing}. Leave it out, or change that too.", field)


def without_effect(experiment: Experiment) -> Iterator[str]:
    """Yield the names of the fields that `check` refuses."""
    for name, needs in _NEEDS.items():
        if needs(experiment):
            yield name


Needs = Callable[[Experiment], str]


def _model(needs: Callable[[ModelConfig], str]) -> Needs:
    return lambda experiment: needs(experiment.model)


def _training(needs: Callable[[TrainingConfig], str]) -> Needs:
    return lambda experiment: needs(experiment.training)


def _unless(holds: object, otherwise: str) -> str:
    return "" if holds else otherwise


def _reads_hidden(model: ModelConfig) -> bool:
    """Whether anything is computed from the hidden layers, and so from the landmarks."""
    return not model.rnn_inputs or any("fc" in entry.split("+") for entry in model.rnn_inputs)


def _hidden(model: ModelConfig) -> str:
    return _unless(_reads_hidden(model), f"`model.rnn_inputs` {','.join(model.rnn_inputs)} reads no hidden layer")


def _landmarks(model: ModelConfig) -> str:
    networks = model.members or (model,)
    reading = any(network.landmarks and _reads_hidden(network) for network in networks)
    return _unless(reading, "the network reads no landmarks")


def _dropout(model: ModelConfig) -> str:
    return _hidden(model) or _unless(model.hidden, "the network has no hidden layers")


def _dropout_layers(model: ModelConfig) -> str:
    if missing := _dropout(model):
        return missing
    return _unless(len(model.hidden) > 1 and model.dropout, "it needs two hidden layers and a `model.dropout` above 0")


def _recurrent(model: ModelConfig) -> str:
    return _unless(model.recurrent != "none", "the network is not recurrent")


def _between_layers(model: ModelConfig) -> str:
    return _recurrent(model) or _unless(len(model.recurrent_units) > 1, "there is one recurrent layer")


def _dropout_is(model: ModelConfig) -> str:
    halves = "half of the units are dropped either way, with `model.recurrent_dropout` 0.5"
    return _between_layers(model) or _unless(model.recurrent_dropout != 0.5, halves)


def _remembered(experiment: Experiment) -> str:
    recurrent = any(network.recurrent != "none" for network in (experiment.model, *experiment.model.members))
    return _unless(recurrent, "the network is not recurrent")


def _scored_by(experiment: Experiment, protocol: str) -> str:
    return _unless(experiment.protocol == protocol, f"it is for the protocol {protocol}, not {experiment.protocol}")


def _post_process(experiment: Experiment) -> str:
    if experiment.protocol == "videos":
        return "the protocol videos has nothing to post-process"
    return _scored_by(experiment, "utterances") if "smoothing" in experiment.evaluation.post_process else ""


def _scored_rule(experiment: Experiment) -> str:
    return _unless(not experiment.evaluation.carry_state, "`evaluation.carry_state` goes across gaps")


def _scored_gap(experiment: Experiment) -> str:
    consecutive = experiment.evaluation.window_rule != "first_to_last"
    return _scored_rule(experiment) or _unless(consecutive, "`evaluation.window_rule` first_to_last goes across gaps")


def _trained_gap(training: TrainingConfig) -> str:
    rule = _unless(training.window_rule != "first_to_last", "`training.window_rule` first_to_last goes across gaps")
    return rule or _unless(training.window > 1, "a window has one frame")


def _steps(training: TrainingConfig) -> str:
    if not training.stages or not all(stage.steps for stage in training.stages):
        return ""
    return f"every stage has steps of its own, such as `stages.{training.stages[0].name}.steps`"


def _init(training: TrainingConfig) -> str:
    unused = training.stages and not any(s == "init" for stage in training.stages for _, s in stage.starts)
    return _unless(not unused, "no stage starts from it")


def _l2(experiment: Experiment) -> str:
    """Whether convolutions or hidden layers are trained, by the patterns of the stages."""
    cell = experiment.model.recurrent
    rest = (f"{cell}*", f"*{cell}*", "attention", experiment.model.head)
    stages = experiment.training.stages
    trained = not stages or any(pattern not in rest for stage in stages for pattern in stage.trainable)
    return _unless(trained, "no stage trains a convolution or a hidden layer")


def _cache(experiment: Experiment) -> str:
    """Why no stage can read what its frozen layers compute from a cache; "" if one may."""
    training = experiment.training
    for field in ("flip", "colour_jitter"):
        if getattr(training, field):
            return f"`training.{field}` changes the pixels in every epoch, and so what is computed of them"
    freezing = [stage for stage in training.stages if "*" not in stage.trainable]
    if not freezing:
        return "all layers are trained; it is for experiments with a stage that freezes the backbone"
    by_batch = all(stage.frozen_normalisation == "training" for stage in freezing)
    if by_batch and experiment.model.backbones & set(NORMALISED):
        return (
            "the frozen layers normalise by each batch's statistics, so that what they compute of a frame depends on "
            f"the others; `stages.{freezing[0].name}.frozen_normalisation` inference does not"
        )
    return ""


def _cache_gb(experiment: Experiment) -> str:
    return _unless(experiment.training.cache != "off", "`training.cache` is off")


def _momentum(model: ModelConfig) -> str:
    return _unless(model.backbone in NORMALISED, f"the backbone {model.backbone} has no batch normalisation")


# By the name of a field: what is missing for it to have an effect, or "". Fields that are not here always have one.
_NEEDS: dict[str, Needs] = {
    "model.landmarks": _model(_hidden),
    "model.landmarks_join": _model(_landmarks),
    "model.landmark_encoder": _model(_landmarks),
    "model.standardise_landmarks": _model(_landmarks),
    "model.hidden": _model(_hidden),
    "model.dropout": _model(_dropout),
    "model.dropout_layers": _model(_dropout_layers),
    "model.recurrent_units": _model(_recurrent),
    "model.recurrent_dropout": _model(_between_layers),
    "model.recurrent_dropout_is": _model(_dropout_is),
    "model.output_dropout": _model(_recurrent),
    "model.reset_after": _model(lambda model: _unless(model.recurrent == "gru", "the network has no GRU")),
    "model.fusion": _model(lambda model: _unless(model.members, "the network has no `members`")),
    "model.normalisation_momentum": _model(_momentum),
    "training.max_gap": _training(_trained_gap),
    "training.window_rule": _training(lambda training: _unless(training.window > 1, "a window has one frame")),
    "training.steps": _training(_steps),
    "training.init": _training(_init),
    "training.init_skip": _training(lambda training: _unless(training.init, "there is no `training.init`")),
    "training.decay_steps": _training(lambda training: _unless(training.decay_rate != 1, "`training.decay_rate` is 1")),
    "training.l2": _l2,
    "training.cache": _cache,
    "training.cache_gb": _cache_gb,
    "training.distinct_videos": _training(lambda training: _unless(training.batch_size > 1, "a batch has one window")),
    "training.landmark_jitter": _model(_landmarks),
    "evaluation.window_rule": _scored_rule,
    "evaluation.max_gap": _scored_gap,
    "evaluation.carry_state": _remembered,
    "evaluation.sequence": lambda experiment: _scored_by(experiment, "utterances"),
    "evaluation.aggregation": lambda experiment: _scored_by(experiment, "utterances"),
    "evaluation.post_process": _post_process,
}


def _of_members(needs: Needs | None) -> Needs:
    def missing(experiment: Experiment) -> str:
        if experiment.model.members:
            return "the networks that are fused have it, each its own"
        return needs(experiment) if needs else ""

    return missing


_NEEDS |= {f"model.{field}": _of_members(_NEEDS.get(f"model.{field}")) for field in OF_MEMBERS}
