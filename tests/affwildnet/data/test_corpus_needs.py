"""A corpus that is not what an experiment asks for ends training with the command that packs one, or is let through."""

import shlex
from dataclasses import replace

import pytest

from affwildnet import experiments
from affwildnet.data import corpus_needs
from affwildnet.experiments.overrides import override
from affwildnet.runs.run import Run
from affwildnet.training import train
from tests.helpers.corpora import make_corpus
from tests.helpers.trainings import TINY
from tfrecords_tools.cli import corpus_commands
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import LAYOUTS


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("needs") / "corpus", [{"frames": 4}])


def needs(name, packed, *overrides):
    """Check a corpus whose crops have the experiment's size."""
    experiment = override(experiments.get(name), list(overrides))
    corpus_needs.check(experiment, replace(packed, image_size=experiment.model.image_size), "data/mine")


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


def test_crops_of_another_size_are_named_beside_what_else_does_not_fit(packed):
    experiment, other = experiments.get("ijcv2019/affwildnet_vggface"), replace(packed, alignment="procrustes")
    with pytest.raises(UserError, match=r"faces with the alignment crop and crops of 96 pixels\. Received:") as raised:
        corpus_needs.check(experiment, other, "data/mine")
    assert "pack --layout=aff_wild --alignment=crop --size=96 " in str(raised.value)
    through = override(experiment, ["data.alignment=procrustes", "model.image_size=32"])
    corpus_needs.check(through, other, "data/mine")


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_command_that_is_printed_packs_a_corpus_that_fits(name, packed):
    """It is read by the command's own parser, and what it asks for is what the experiment takes."""
    other = replace(packed, layout="csv", alignment="procrustes" if not name.startswith("omg2019/") else "crop")
    try:
        needs(name, other)
    except UserError as error:
        message = str(error)
    else:
        assert not any(vars(experiments.get(name).data).values())
        return
    line = message.split("`")[1]
    program, *arguments = shlex.split(line)
    assert [program, *arguments[:3]] == ["python", "-m", "tfrecords_tools", "pack"]
    options = corpus_commands._parser("x").parse_args(arguments[2:])
    made = replace(packed, layout=options.layout, alignment=options.alignment, image_size=options.size)
    if options.annotators:
        made = replace(made, annotators_chosen={"train": {"valence": ["ann"], "arousal": ["bob"]}})
    needs(name, made)
    assert made.image_size == experiments.get(name).model.image_size


def test_recola_is_packed_in_the_splits_of_the_paper_and_taken_in_others_too(packed):
    with pytest.raises(UserError, match="pack --layout=recola_46 "):
        needs("ijcv2019/recola_affwildnet", packed)
    for layout in ("recola_46", "recola"):
        needs("ijcv2019/recola_affwildnet", replace(packed, layout=layout))


def test_a_field_that_is_asked_for_without_a_layout_names_that_of_the_corpus(packed):
    with pytest.raises(UserError, match="pack --layout=aff_wild --alignment=procrustes "):
        needs("sample/affwildnet", packed, "data.alignment=procrustes")


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
