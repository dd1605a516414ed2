"""Fields overridden from a command line: their types, and suggestions for wrong names."""

import dataclasses

import pytest

from affwildnet.experiments import get
from affwildnet.experiments.config import Experiment, ModelConfig, Stage
from affwildnet.experiments.overrides import names_of_stages, override
from tfrecords_tools.errors import UserError, suggestion

PLAIN = Experiment(name="tests/plain", title="plain")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("training.batch_size=2", 2),
        ("training.seed=3", 3),
        ("training.learning_rate=3e-4", 0.0003),
        ("training.clip_norm=1", 1.0),
        ("training.flip=true", True),
        ("training.flip=False", False),
        ("training.flip=1", True),
        ("model.reset_after=0", False),
        ("model.backbone=resnet50", "resnet50"),
        ("model.hidden=4096,2000", (4096, 2000)),
        ("model.hidden=7", (7,)),
        ("model.hidden=", ()),
        ("model.pixel_mean=129.1863,104.7624,93.594", (129.1863, 104.7624, 93.594)),
        ("evaluation.patience=10", 10),
        ("training.init=a = with signs.keras", "a = with signs.keras"),
    ],
)
def test_values_take_the_type_of_their_field(assignment, value):
    changed = override(PLAIN, [assignment])
    part, _, field = assignment.partition("=")[0].rpartition(".")
    found = getattr(getattr(changed, part) if part else changed, field)
    assert found == value
    assert type(found) is type(value)


def test_nothing_else_changes():
    changed = override(PLAIN, ["model.width=0.5"])
    assert changed.model == ModelConfig(width=0.5)
    assert (changed.training, changed.evaluation, changed.name) == (PLAIN.training, PLAIN.evaluation, PLAIN.name)
    assert PLAIN.model.width == 1.0
    assert override(PLAIN, []) == PLAIN


def test_later_assignments_win():
    changed = override(PLAIN, ["training.steps=1", "training.window=8", "training.steps=5"])
    assert (changed.training.steps, changed.training.window) == (5, 8)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.batchsize=2", r"Received: training.batchsize\. Did you mean training.batch_size\? Fields here: "),
        ("model.widht=2", r"Did you mean model.width\? Fields here: backbone, "),
        ("trainig.steps=2", r"Received: trainig.steps\. Did you mean training.steps\? Fields here: name, title, model"),
        ("batch_size=2", r"Received: batch_size\."),
        ("=2", "must name a field"),
        ("training=2", "must name one field of training"),
        ("model.hidden.first=2", "can be overridden. Received: model.hidden.first"),
        ("name=other", "can be overridden. Received: name"),
        ("published=1", "can be overridden. Received: published"),
        ("training.steps", "must be like training.batch_size=2. Received: training.steps"),
    ],
)
def test_wrong_names_are_refused(assignment, message):
    with pytest.raises(UserError, match=message):
        override(PLAIN, [assignment])


@pytest.mark.parametrize(
    ("assignment", "kind"),
    [
        ("training.batch_size=2.5", "int"),
        ("training.batch_size=", "int"),
        ("training.batch_size=two", "int"),
        ("training.learning_rate=fast", "float"),
        ("training.flip=yes please", "bool"),
        ("training.flip=", "bool"),
        ("model.hidden=4096,x", r"tuple\[int, \.\.\.\]"),
        ("model.hidden=1.5", r"tuple\[int, \.\.\.\]"),
        ("model.pixel_mean=1,2", r"tuple\[float, float, float\]"),
        ("model.pixel_mean=1,2,3,4", r"tuple\[float, float, float\]"),
        ("model.pixel_mean=", r"tuple\[float, float, float\]"),
    ],
)
def test_wrong_types_are_refused(assignment, kind):
    name, _, text = assignment.partition("=")
    with pytest.raises(UserError, match=f"^`{name}` must be of type {kind}. Received: '{text}'$"):
        override(PLAIN, [assignment])


def test_suggestion():
    assert suggestion("windw", ["window", "steps"]) == " Did you mean window?"
    assert suggestion("zzz", ["window", "steps"]) == ""


STAGED = get("thesis2018/vggface_attention_c3")


def rates(*assignments):
    changed = override(STAGED, list(assignments)).training
    return changed.learning_rate, *(stage.learning_rate for stage in changed.stages)


def test_the_learning_rate_is_that_of_every_stage():
    assert [stage.learning_rate for stage in STAGED.training.stages] == [1e-4, 1e-5]
    assert rates("training.learning_rate=1e-3") == (1e-3, 1e-3, 1e-3)
    assert rates("stages.c2.learning_rate=3e-4") == (1e-5, 3e-4, 1e-5)
    assert rates("training.stages.c3.learning_rate=3e-4") == (1e-5, 1e-4, 3e-4)
    for order in (1, -1):  # what is said of one stage counts, wherever it stands
        assignments = ["training.learning_rate=1e-3", "stages.c2.learning_rate=3e-4"][::order]
        assert rates(*assignments) == (1e-3, 3e-4, 1e-3)


def test_every_field_of_a_stage_is_overridden():
    given = ["trainable=conv*,attention", "starts=*:random,conv*:init", "steps=7", "learning_rate=1"]
    changed = override(STAGED, [f"stages.c2.{field}" for field in given])
    c2 = Stage("c2", ("conv*", "attention"), (("*", "random"), ("conv*", "init")), 1.0, 7)
    assert changed.training.stages == (c2, STAGED.training.stages[1])
    resnet = override(get("thesis2018/resnet50_attention_c1"), ["stages.c1.frozen_normalisation=inference"])
    assert resnet.training.stages[0].frozen_normalisation == "inference"
    assert names_of_stages() == [f"stages.NAME.{field.name}" for field in dataclasses.fields(Stage)[1:]]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("stages.c9.steps=1", r"name a stage of the experiment\. Received: stages\.c9\.steps; the .* are c2, c3\."),
        (
            "stages.c2.step=1",
            r"a field of the stage c2\. Received: stages\.c2\.step\. Did you mean steps\? Fields here",
        ),
        ("stages.c2.name=c9", r"a field of the stage c2\. Received: stages\.c2\.name\."),
        ("stages.c2=c9", r"a field of the stage c2\. Received: stages\.c2\."),
        ("stages.c2.steps=-1", r"`stages\.c2\.steps` must be at least 0\. Received: -1"),
        ("stages.c2.learning_rate=0", r"`stages\.c2\.learning_rate` must be above 0"),
        ("stages.c2.learning_rate=fast", r"`stages\.c2\.learning_rate` must be of type float\. Received: 'fast'"),
        ("stages.c2.starts=conv*", r"`stages\.c2\.starts` must be pairs PATTERN:SOURCE, such as .*Received: 'conv\*'"),
        (
            "stages.c2.frozen_normalisation=off",
            r"`stages\.c2\.frozen_normalisation` must be one of inference, training",
        ),
        ("stages.c2.frozen_normalisation=training", r"would have no effect: the backbone vgg16 has no batch norm"),
        ("stages.c3.frozen_normalisation=off", r"`stages\.c3\.frozen_normalisation` must be one of inference"),
    ],
)
def test_wrong_fields_of_stages_are_refused(assignment, message):
    with pytest.raises(UserError, match=message):
        override(STAGED, [assignment])


def test_how_training_cuts_windows_is_how_evaluation_does():
    plain = get("ijcv2019/affwildnet_vggface")
    changed = override(plain, ["training.window_rule=first_to_last"])
    assert (changed.training.window_rule, changed.evaluation.window_rule) == ("first_to_last",) * 2
    assert override(plain, ["training.window_rule=padded"]).evaluation.window_rule == "consecutive"
    assert override(plain, ["training.max_gap=3"]).evaluation.max_gap == 3
    for order in (1, -1):
        apart = override(plain, ["training.max_gap=3", "evaluation.max_gap=2"][::order])
        assert (apart.training.max_gap, apart.evaluation.max_gap) == (3, 2)


def test_a_field_without_effect_is_refused_and_what_is_missing_named():
    with pytest.raises(UserError, match=r"^`model\.dropout` would have no effect: the network has no hidden layers\."):
        override(STAGED, ["model.dropout=0.1"])
    assert override(STAGED, ["model.dropout=0.1", "model.hidden=64"]).model.dropout == 0.1
    assert override(STAGED, [f"model.dropout={STAGED.model.dropout}"]) == STAGED  # nothing is changed


def test_a_stage_that_trains_everything_freezes_no_normalisation():
    experiment, field = get("thesis2018/resnet50_attention_c2"), "stages.c2.frozen_normalisation=training"
    with pytest.raises(
        UserError, match=r"^`stages\.c2\.frozen_normalisation` would have no effect: the stage trains all"
    ):
        override(experiment, [field])
    (stage,) = override(experiment, [field, "stages.c2.trainable=attention"]).training.stages
    assert (stage.trainable, stage.frozen_normalisation) == (("attention",), "training")
