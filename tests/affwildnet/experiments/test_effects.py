"""Every field of every experiment changes the run, or is refused: none is silently without effect.

A run is known by its fingerprint: the network that is built, the training windows and how they are augmented, the
optimizer, the loss, the windows of an evaluation and what is scored of fixed predictions. Backbones are small stand-ins
with the taps of the real ones, as it is the fields' way to the layers that is tested.
"""

import dataclasses
import importlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from keras import layers

from affwildnet import losses, models
from affwildnet.data import augmentation, windows
from affwildnet.evaluation.scoring import postprocessing, protocols
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments import EXPERIMENTS, get
from affwildnet.experiments.config import Experiment, scaled
from affwildnet.experiments.effects import NORMALISED, check, without_effect
from affwildnet.experiments.overrides import names, names_of_stages, override
from affwildnet.models.backbones import BACKBONES
from affwildnet.models.cloning import weightless
from affwildnet.models.frozen_part import boundary
from affwildnet.training import patterns
from affwildnet.training import step as training_step
from affwildnet.training.freezing import held_weights, mark
from tests.affwildnet.data.test_windows import corpus_of
from tests.helpers.networks import DEEP
from tfrecords_tools.errors import UserError

# Another value of each field, and a second one for where the first is the experiment's own.
OTHER = {
    "protocol": ("utterances", "frames"),
    "corpus": ("another", "yet another"),
    "training.pretrained": ("VGG-Face", "ImageNet"),
    "model.backbone": ("cnn_m", "vgg16"),
    "model.image_size": ("64", "96"),
    "model.width": ("0.3", "0.5"),
    "model.landmarks": ("true", "false"),
    "model.landmarks_join": ("2", "1"),
    "model.landmark_encoder": ("64", "32"),
    "model.standardise_landmarks": ("true", "false"),
    "model.hidden": ("64", "48,32"),
    "model.dropout": ("0.2", "0.3"),
    "model.dropout_layers": ("all", "first"),
    "model.recurrent": ("lstm", "gru"),
    "model.recurrent_units": ("64,64", "48"),
    "model.recurrent_dropout": ("0.3", "0.25"),
    "model.recurrent_dropout_is": ("keep", "rate"),
    "model.output_dropout": ("0.2", "0.1"),
    "model.attention": ("5", "0"),
    "model.reset_after": ("true", "false"),
    "model.rnn_inputs": ("pool2,pool5", "pool5"),
    "model.joined_hidden": ("64", "48"),
    "model.separate": ("true", "false"),
    "model.fusion": ("decision", "model"),
    "model.normalisation_momentum": ("0.9", "0.95"),
    "model.pixel_mean": ("1,2,3", "3,2,1"),
    "model.pixel_scale": ("0.1,0.2,0.3", "0.3,0.2,0.1"),
    "model.head": ("expression", "valence_arousal"),
    "training.batch_size": ("3", "5"),
    "training.window": ("6", "7"),
    "training.max_gap": ("3", "4"),
    "training.window_rule": ("first_to_last", "padded"),
    "training.steps": ("7", "8"),
    "training.init": ("a.keras", "b.keras"),
    "training.init_skip": ("fc*", "conv*"),
    "training.loss": ("mse", "ccc"),
    "training.learning_rate": ("0.02", "0.03"),
    "training.epsilon": ("1e-3", "1e-4"),
    "training.decay_rate": ("0.5", "0.6"),
    "training.decay_steps": ("7", "8"),
    "training.l2": ("0.1", "0.2"),
    "training.clip_norm": ("0.5", "0.6"),
    "training.balance": ("0.4,0.3,0.2,0.1", "0.25,0.25,0.25,0.25"),
    "training.distinct_videos": ("true", "false"),
    "training.flip": ("true", "false"),
    "training.colour_jitter": ("0.3", "0.4"),
    "training.landmark_jitter": ("0.3", "0.4"),
    "training.precision": ("mixed_bfloat16", "tf32"),
    "training.jit_compile": ("true", "false"),
    "training.cache": ("float16", "float32"),
    "training.cache_gb": ("3", "4"),
    "training.seed": ("3", "4"),
    "training.log_steps": ("7", "8"),
    "training.checkpoint_steps": ("7", "8"),
    "training.checkpoint_minutes": ("7", "8"),
    "training.keep_checkpoints": ("7", "8"),
    "stages.NAME.trainable": ("attention", "*"),
    "stages.NAME.starts": ("*:random", "*:init"),
    "stages.NAME.learning_rate": ("0.02", "0.03"),
    "stages.NAME.steps": ("7", "8"),
    "stages.NAME.frozen_normalisation": ("training", "inference"),
    "evaluation.batch_size": ("3", "5"),
    "evaluation.window": ("6", "7"),
    "evaluation.overlap": ("2", "3"),
    "evaluation.carry_state": ("true", "false"),
    "evaluation.window_rule": ("first_to_last", "consecutive"),
    "evaluation.max_gap": ("3", "4"),
    "evaluation.sequence": ("5", "6"),
    "evaluation.aggregation": ("mean", "median"),
    "evaluation.post_process": ("median_filter", "median_filter,smoothing"),
    "evaluation.patience": ("3", "4"),
}
# What the trainer and the watcher read as it is: their own tests hold that they obey.
AS_IT_IS = (
    *("steps", "clip_norm", "precision", "jit_compile", "log_steps", "checkpoint_steps"),
    *("checkpoint_minutes", "keep_checkpoints"),
)


def test_every_field_has_another_value():
    assert set(OTHER) == {*names(), *names_of_stages()} - {name for name in names() if name.startswith("data.")}


def stand_in(taps, normalised):
    """A backbone of one convolution, with batch normalisation where the real one has it."""

    def backbone(images, width=1.0):
        x = layers.Conv2D(scaled(8, width), 1, strides=8, name="conv1")(images)
        if normalised:
            x = layers.BatchNormalization(name="conv1_bn")(x)
        found = {tap: layers.Activation("linear", name=f"{tap}_tap")(x) for tap in taps}
        found["features"] = layers.Flatten(name="features")(x)
        return found

    return backbone


@pytest.fixture(scope="module", autouse=True)
def stand_ins():
    taps = {
        "vgg16": [*(f"conv{i}" for i in range(1, 14)), *(f"pool{i}" for i in range(1, 6))],
        "cnn_m": [*(f"conv{i}" for i in range(1, 6)), *(f"pool{i}" for i in range(1, 4))],
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in BACKBONES:
            patch.setitem(BACKBONES, name, stand_in(taps.get(name, ["conv1", "pool1"]), name in NORMALISED))
        yield


def test_backbones_with_batch_normalisation_are_known():
    for name in ("cnn_m", "densenet", "resnet50", "resnet50_slim", "vgg"):
        module = importlib.import_module(f"affwildnet.models.backbones.{name}")
        source = Path(module.__file__).read_text("utf-8")
        own = [name for name in BACKBONES if hasattr(module, name)]
        assert own
        assert {name in NORMALISED for name in own} == {"BatchNormalization" in source}
    assert set(DEEP) <= set(NORMALISED)


FRAMES = [list(range(1, 40)), [*range(1, 20), *range(22, 60)], [*range(1, 30), *range(33, 50), *range(90, 130)]]


class Quadrants(type(corpus_of([[1]]))):
    """A corpus without files whose labels lie in the four quadrants in turn."""

    @property
    def record_quadrants(self):
        return np.arange(self.first_record[-1]) // 7 % 4


def corpus():
    plain = corpus_of(FRAMES)
    return Quadrants(plain.folder, plain.split, plain.manifest, plain.videos)


@cache
def network(model, window):
    """The configuration of a network's layers and how they are joined, without the names that Keras counts."""
    built = weightless(lambda: models.build(replace(model, width=0.1 * model.width), min(window, 9)))
    tensors = [[tensor.name, *tensor.shape] for tensor in built.inputs]
    described = json.dumps([built.name, tensors, built.get_config()["layers"]], default=str, sort_keys=True)
    inputs = tuple(tensor.name for tensor in built.inputs)
    return described, inputs, tuple(layer.name for layer in built.layers if layer.weights)


def training_windows(training):
    plans = [windows.training_plan(corpus(), training, epoch) for epoch in range(3)]
    return [[training.batch_size, training.window], *[plan.tolist() for plan in plans]]


def augmented(experiment, inputs):
    training, frames = experiment.training, np.arange(2 * 4 * 4 * 3, dtype="uint8").reshape(2, 4, 4, 3)
    example = {"frames": frames, "landmarks": np.full((2, 68, 2), 0.5, "float32")}
    settings = (training.flip, training.colour_jitter, training.landmark_jitter)
    changed = [augmentation.augment(example, (training.seed, 0, window), *settings) for window in range(3)]
    return [[np.asarray(each[name]).tolist() for name in inputs] for each in changed]


def loss_of(training):
    labels, predictions = np.random.default_rng(0).uniform(0, 1, (2, 1, 4, 2)).astype("float32")
    return float(losses.get(training.loss)(labels, predictions, None))


def trained(experiment, penalised=True):
    """What a run of an experiment, or of one stage, trains with; `penalised` if it trains what the penalty is on."""
    training = experiment.training
    training_step.check(training)
    if (experiment.model.head == "expression") != (training.loss == "cross_entropy"):
        raise UserError("as `stages.train` says")
    optimizer = training_step.make_optimizer(training).get_config()
    del optimizer["name"]  # Keras counts them
    start = (training.init, training.init_skip) if training.init else None
    return [
        optimizer,
        training.l2 if penalised else 0,
        start,
        loss_of(training),
        *(getattr(training, field) for field in AS_IT_IS),
    ]


def cached(experiment, stage):
    """What of a stage's frozen layers is kept on the disk, and how."""
    training, model = experiment.training, experiment.model
    if training.cache == "off" or training.flip or training.colour_jitter:
        return []
    built = weightless(lambda: models.build(replace(model, width=0.1 * model.width), min(training.window, 9)))
    mark(built, stage, [layer.name for layer in built.layers if layer.weights])
    shapes = [] if held_weights(built, stage) else [list(tensor.shape) for tensor in boundary(built)]
    return shapes and [shapes, training.cache, training.cache_gb]


def staged(experiment, weighted):
    found = []
    from affwildnet.runs.run import Run

    for stage in experiment.training.stages:
        own = Run(experiment, "data").of_stage(stage)
        sources = patterns.sources_of(list(weighted), own)
        which = patterns.trained_by(stage, list(weighted))
        bn = stage.frozen_normalisation if any(name.endswith("_bn") and name not in which for name in weighted) else ""
        penalised = any(name.startswith(("conv", "fc")) and "gru" not in name for name in which)
        found.append([
            stage.name, sources, which, bn, trained(own.experiment, penalised), cached(experiment, stage)
        ])  # fmt: skip
    return found


def evaluation_of(outputs):
    """Predictions of three utterances of one source video, with labels that are constant in each."""
    rng, videos = np.random.default_rng(0), []
    for number in range(7):
        frames = np.arange(1, 30 + number)
        # Labels that rise slowly, and predictions off by the utterance and by the frame: smoothing and a filter help.
        label = np.tile(np.eye(7)[number] if outputs == 7 else [number / 7, 0.5 - number / 7], (len(frames), 1))
        noise = rng.normal(0, 0.4, label.shape) * rng.choice([1, 5], (len(frames), 1), p=[0.9, 0.1])
        noise += rng.normal(0, 0.3, (1, outputs))
        values = (label.astype("float32"), (label + noise).astype("float32"))
        videos.append(VideoPredictions(f"u{number}", "source", frames, frames / 30, *values))
    return Evaluation.of("validation", videos)


@cache
def scored(protocol, config):
    outputs = 7 if protocol == "videos" else 2
    evaluation = evaluation_of(outputs)
    processed = postprocessing.choose(evaluation, protocol, config).apply(evaluation)
    return protocols.score(processed, protocol, config, resamples=0).scores


def fingerprint(experiment):
    """Everything that a run does, as text."""
    model, training, evaluation = experiment.model, experiment.training, experiment.evaluation
    described, inputs, weighted = network(model, training.window)
    remembers = any(name.endswith("1") and ("gru" in name or "rnn" in name or "lstm" in name) for name in weighted)
    carries = evaluation.carry_state and (remembers or "attention" in weighted)
    plan = windows.sequence_plan if carries else windows.evaluation_plan
    if evaluation.carry_state and evaluation.overlap:
        raise UserError("as `evaluation_batches` says")
    wanted = {"valence_arousal": ("frames", "utterances", "folds"), "expression": ("videos",)}[model.head]
    if experiment.protocol not in wanted:
        raise UserError("as `protocols.score` says")
    found = [
        described,
        training_windows(training),
        augmented(experiment, inputs),
        staged(experiment, weighted) or trained(experiment),
        plan(corpus(), evaluation).tolist(),
        scored(experiment.protocol, replace(evaluation, window=1, batch_size=1, overlap=0)),
        [experiment.protocol, evaluation.patience],
        # What a report compares the run with, and when it calls it a rehearsal.
        [experiment.corpus, training.pretrained],
    ]
    return json.dumps(found, default=str, sort_keys=True)


def with_short_windows(experiment):
    """The experiment with windows that the small corpus holds; everything else is as it is."""
    training, evaluation = experiment.training, experiment.evaluation
    training = replace(training, window=min(training.window, 8), batch_size=min(training.batch_size, 4), balance=())
    if training.stages:  # a file to start from, or the stages' starts are errors
        training = replace(training, init="file.keras")
    stages = tuple(replace(stage, starts=(("*", "init"),), trainable=("*",)) for stage in training.stages)
    model = replace(experiment.model, image_size=32)
    if stages and experiment.training.stages[0].trainable != ("*",):
        only = "attention" if model.attention else f"*{model.recurrent}*"
        stages = (replace(stages[0], trainable=(only,)), *stages[1:])
    training = replace(training, stages=stages)
    return replace(experiment, model=model, training=training, evaluation=replace(evaluation, window=8))


# One of each kind, whose fields differ most in what they need; all of them take minutes.
QUICK = (
    "ijcv2019/affwildnet_vggface",
    "cvprw2017/vggface",
    "omg2019/cnn_3rnn_conv6_conv7_conv8",
    "omg2019/model_fusion_fc",
    "thesis2018/vggface_attention_c3",
    "ijcv2019/emotiw_vgg16",
)


def kind(experiment):
    """What decides which fields have an effect; sizes, backbones with the same parts and initial weights do not."""
    model, training = experiment.model, experiment.training
    members = tuple(replace(member, backbone="") for member in model.members)
    model = replace(model, members=members, hidden=(1,) * len(model.hidden), backbone=model.backbone in NORMALISED)
    model = replace(model, recurrent_units=(1,) * len(model.recurrent_units), image_size=0, landmark_encoder=0)
    taps = tuple("fc" if "fc" in entry else "tap" for entry in model.rnn_inputs)
    stages = tuple(replace(stage, name="", starts=(), learning_rate=0.0) for stage in training.stages)
    training = replace(training, pretrained="", window=min(training.window, 2), stages=stages, learning_rate=0.0)
    return replace(model, rnn_inputs=taps), training, experiment.evaluation.post_process, experiment.protocol


KINDS = {kind(get(name)): name for name in [*EXPERIMENTS, *QUICK]}
ALL = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in KINDS.values()]
)


@ALL
def test_no_field_is_silently_without_effect(name):
    experiment = with_short_windows(get(name))
    before = fingerprint(experiment)
    for field, (value, second) in OTHER.items():
        if "NAME" in field:
            if not experiment.training.stages:
                continue
            field = field.replace("NAME", experiment.training.stages[0].name)
        try:
            changed = override(experiment, [f"{field}={value}"])
            if changed == experiment:
                changed = override(experiment, [f"{field}={second}"])
            after = fingerprint(changed)
        except UserError:
            continue
        assert after != before, f"{field}={value} changes nothing"


@ALL
def test_what_is_refused_has_no_effect_indeed(name):
    """The other way round: changing such a field behind the rules' back leaves the run as it is."""
    experiment = with_short_windows(get(name))
    before = fingerprint(experiment)
    for field in without_effect(experiment):
        part, _, own = field.partition(".")
        if field == "model.landmarks" or (experiment.model.members and own in ("separate", "rnn_inputs")):
            continue  # an input that nothing reads; and what `checks` refuses
        value = OTHER[field][0]
        plain = override(Experiment("tests/plain", "plain"), []) if not part else experiment
        config = getattr(plain, part)
        typed = getattr(_typed(part, own, value), own)
        try:
            after = fingerprint(replace(experiment, **{part: replace(config, **{own: typed})}))
        except UserError:
            continue
        assert after == before, f"{field} has an effect, and is refused"


def _typed(part, own, value):
    """The part of a configuration in which the field has an effect, with the value."""
    from affwildnet.experiments.overrides import _replaced

    return getattr(_replaced(Experiment("tests/plain", "plain"), [part, own], value, f"{part}.{own}"), part)


def test_the_fingerprint_sees_each_part():
    """And nothing else: two of the same run are equal, and names and notes do not count."""
    experiment = with_short_windows(get("sample/affwildnet"))
    before = fingerprint(experiment)
    assert fingerprint(with_short_windows(get("sample/affwildnet"))) == before
    assert fingerprint(replace(experiment, notes="other", title="other")) == before
    for field in dataclasses.fields(experiment.evaluation):
        if field.name in ("patience", "batch_size"):
            changed = replace(experiment.evaluation, **{field.name: 9})
            assert fingerprint(replace(experiment, evaluation=changed)) != before
    with pytest.raises(UserError, match=r"^`model\.fusion` would have no effect: the network has no `members`\."):
        check(experiment, "model.fusion")
