"""Fields overridden from a command line: their types, and suggestions for wrong names."""

import pytest

from affwildnet.experiments.config import Experiment, ModelConfig
from affwildnet.experiments.overrides import override
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
        ("title=a title = with signs", "a title = with signs"),
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
