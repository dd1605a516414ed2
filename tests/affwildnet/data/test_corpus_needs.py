"""A corpus that is not what an experiment asks for ends training with the command that packs one, or is let through."""

from dataclasses import replace

import pytest

from affwildnet import experiments
from affwildnet.data import corpus_needs
from affwildnet.experiments.overrides import override
from affwildnet.runs.run import Run
from affwildnet.training import train
from tests.helpers.corpora import make_corpus
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import LAYOUTS


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("needs") / "corpus", [{"frames": 4}])


def needs(name, packed, *overrides):
    corpus_needs.check(override(experiments.get(name), list(overrides)), packed, "data/mine")


def test_a_corpus_that_fits_is_let_through(packed):
    needs("ijcv2019/affwildnet_vggface", packed)
    needs("sample/affwildnet", replace(packed, layout="csv"))  # asks for nothing
    needs("omg2019/cnn_3rnn", replace(packed, layout="omg", alignment="procrustes"))


def test_the_message_has_the_command_that_packs_and_the_fields_that_go_on(packed):
    with pytest.raises(UserError) as raised:
        needs("omg2019/cnn_3rnn", packed)
    message = str(raised.value)
    assert message.startswith(
        "data/mine: omg2019/cnn_3rnn needs a corpus of the layout omg and faces with the alignment"
    )
    assert "Received: layout aff_wild and alignment crop." in message
    packing = "python -m tfrecords_tools pack --layout=omg --alignment=procrustes --size=96 --source=DIR --output=DIR"
    assert packing in message
    (_, fields), *_ = [message.split("--set ")]
    needs("omg2019/cnn_3rnn", packed, *fields.split(", which")[0].split())


def test_one_field_alone_does_not_let_the_other_through(packed):
    with pytest.raises(UserError, match=r"needs faces with the alignment procrustes\. Received: alignment crop"):
        needs("omg2019/cnn_3rnn", packed, "data.layout=aff_wild")


@pytest.mark.parametrize(
    ("selected", "chosen", "single"),
    [
        ({}, {}, None),
        ({"v0": {"valence": ["anna"], "arousal": ["ben"]}}, {}, True),
        ({"v0": {"valence": ["anna", "ben"], "arousal": ["ben"]}}, {}, False),
        ({}, {"train": {"valence": ["anna"], "arousal": ["ben"]}}, True),
        ({}, {"train": {"valence": ["anna"]}}, None),
        ({}, {"test": {"valence": ["anna"], "arousal": ["ben"]}}, None),
        ({"v0": {"valence": ["anna", "ben"], "arousal": ["ben"]}}, {"train": {"valence": ["anna"]}}, True),
    ],
)
def test_labels_of_one_annotator(selected, chosen, single, packed):
    packed = replace(packed, selected=selected, annotators_chosen=chosen)
    assert packed.one_annotator("train") is single
    if single:
        needs("ijcv2019/vggface_one_annotator", packed)
        return
    with pytest.raises(UserError, match=r"needs the labels of one annotator.*=nearest.*--set data.labels=,"):
        needs("ijcv2019/vggface_one_annotator", packed)


def test_every_layout_and_alignment_that_is_asked_for_exists():
    for experiment in experiments.EXPERIMENTS.values():
        assert experiment.data.layout in ("", *LAYOUTS)
        assert experiment.data.alignment in ("", "crop", "procrustes")
        assert experiment.data.labels in ("", corpus_needs.ONE_ANNOTATOR)
        assert (experiment.data.alignment == "procrustes") == experiment.name.startswith("omg2019/")


def test_training_checks_before_anything_is_written(tiny_folder, tmp_path):
    experiment = override(TINY, ["data.alignment=procrustes"])
    with pytest.raises(UserError, match="tests/tiny needs faces with the alignment procrustes"):
        train(Run(experiment, tiny_folder), tmp_path / "run")
    assert not (tmp_path / "run").exists()
