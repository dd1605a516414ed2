"""Overridden fields and rehearsals: what a run says of itself beside a published number."""

import pytest

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.departures import RANDOM_WEIGHTS, overridden, rehearsal
from affwildnet.experiments.overrides import override

NAME = "ijcv2019/affwildnet_vggface"


def changed(name, *fields):
    return override(EXPERIMENTS[name], list(fields)), EXPERIMENTS[name]


def test_every_overridden_field_of_network_training_evaluation_and_corpus_is_listed():
    fields = ("model.hidden=2000", "training.window=40", "evaluation.overlap=8", "data.layout=csv", "protocol=folds")
    found = overridden(*changed(NAME, *fields))
    assert {each.field for each in found} == {field.partition("=")[0] for field in fields}
    assert str(found[0]) == "model.hidden is 2000, in the experiment 4096"


def test_what_is_of_the_run_alone_is_not_listed():
    fields = ("training.init=a.keras", "training.log_steps=1", "training.checkpoint_steps=7", "evaluation.batch_size=1")
    assert overridden(*changed(NAME, *fields)) == []


@pytest.mark.parametrize(
    ("name", "fields", "reasons"),
    [
        (NAME, ("training.init=a.keras",), ()),
        (NAME, (), ("random weights in place of those of VGG-Face",)),
        (NAME, ("model.width=0.5", "training.init=a.keras"), ("a network 0.5 as wide",)),
        (NAME, ("model.width=2", "training.init=a.keras"), ()),
        ("omg2019/cnn_3rnn_scratch", (), ()),  # the paper's own start
        ("omg2019/cnn_3rnn_scratch", ("model.width=0.1",), ("a network 0.1 as wide",)),
        ("sample/affwildnet", (), ()),  # it is an eighth as wide by itself
    ],
)
def test_a_rehearsal_is_a_narrow_network_or_random_weights_in_place_of_published_ones(name, fields, reasons):
    assert rehearsal(*changed(name, *fields)) == reasons


def test_a_file_of_random_weights_is_no_published_one():
    found = rehearsal(*changed(NAME, "training.init=a.keras"), RANDOM_WEIGHTS)
    assert found == ("random weights in place of those of VGG-Face",)
