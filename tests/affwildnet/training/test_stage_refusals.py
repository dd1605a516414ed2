"""Stages that do not fit the network, the file, or each other: what is said, and when."""

from dataclasses import replace

import pytest

from affwildnet.experiments import get
from affwildnet.runs import checkpoints
from affwildnet.runs.run import Run
from affwildnet.training import stages, train
from tests.helpers.staged import C0, C2, C3, FROM_INIT, HEAD, begun, with_stages
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trainable": ("gru*",)}, r"Stage c0: `trainable` must match layers.*Received: gru\*\. The nearest layers: "),
        ({"trainable": ()}, r"Stage c0: `trainable` must name layers"),
        ({"trainable": ("features",)}, r"Stage c0: `trainable` must match layers with weights\. Received: features"),
        ({"starts": (*FROM_INIT, ("cnv2", "init"))}, r"Stage c0: `starts` must.*cnv2\. The nearest layers: conv2, "),
        ({"starts": FROM_INIT[1:]}, r"Stage c0: `starts` must match every layer .*: conv1, conv1_bn, conv2, "),
        ({"starts": (("*", "c2"),)}, r"`starts of stage c0` must be one of random, init\. Received: c2"),
        ({"starts": (("*", "c0"),)}, r"`starts of stage c0` must be one of random, init\. Received: c0"),
        (
            {"starts": (*FROM_INIT, ("conv2*", "random"))},
            r"c0: `starts` must take the whole backbone .* for 2 of its 4 layers; not matched are conv2, conv2_bn",
        ),
        ({"frozen_normalisation": "off"}, r"`stages\.c0\.frozen_normalisation` must be one of inference, training"),
        ({"learning_rate": 0.0}, r"`training\.learning_rate` must be above 0"),
        ({"steps": -1}, r"`training\.steps` must be at least 1"),
        ({"name": "init"}, r"A stage's name must .* Received: 'init'"),
        ({"name": "c3"}, r"A stage's name must .* Received: 'c3'"),
        ({"name": "../c0"}, r"A stage's name must "),
    ],
)
def test_a_stage_that_does_not_fit_is_found_beforehand(changed, message, staged, tiny_folder, workdir, small):
    with pytest.raises(UserError, match=message) as caught:
        train(Run(with_stages(staged, replace(C0, **changed), C2, C3), tiny_folder), workdir)
    assert "\n" not in str(caught.value)
    assert not workdir.path.exists()


def test_layers_without_trainable_weights_are_refused(staged, tiny_folder):
    with pytest.raises(UserError, match=r"must match layers that can be trained.*standardise_landmarks"):
        begun(staged, replace(C0, trainable=("standardise_*",)), tiny_folder)


def test_the_weights_that_the_paper_starts_from_are_asked_for(staged, tiny_folder, workdir, small):
    none = replace(staged, training=replace(staged.training, init="", pretrained="VGG-Face"))
    with pytest.raises(
        UserError,
        match=r"c0 starts from the weights of a file; the paper's are VGG-Face\..*'stages\.c0\.starts=\*:random'",
    ):
        train(Run(none, tiny_folder), workdir)
    with pytest.raises(UserError, match=r"must be a \.keras file\. Received: no\.keras, which is not there"):
        train(Run(replace(none, training=replace(none.training, init="no.keras")), tiny_folder), workdir)
    assert not workdir.path.exists()


def test_a_stage_cannot_start_from_one_that_was_not_run(staged, tiny_folder, workdir, quick):
    with pytest.raises(UserError, match=r"c2: stage c2, .*has no checkpoint\. Train it first, with --stage=c2"):
        train(Run(staged, tiny_folder), workdir, stage="c3")


def test_a_stage_may_start_from_an_unfinished_one(staged, workdir, shown):
    folder = workdir.of_stage("c2").checkpoints
    folder.mkdir(parents=True)
    checkpoints.path_of(folder, 4).touch()
    assert stages._checkpoint_of(workdir, "c2").path == checkpoints.path_of(folder, 4)
    assert "stage c2 has not finished; the next one starts from what it has so far" in shown()


def test_an_unknown_stage_is_refused(staged, tiny_folder, workdir, small):
    with pytest.raises(UserError, match=r"`stage` must be one of c0, c2, c3\. Received: c1\."):
        train(Run(staged, tiny_folder), workdir, stage="c1")
    with pytest.raises(UserError, match=r"needs an experiment with stages\. Received: c1; tests/tiny has none"):
        train(Run(TINY, tiny_folder), workdir, stage="c1")


def test_a_stage_that_was_changed_is_refused(staged, tiny_folder, workdir, quick):
    train(Run(staged, tiny_folder), workdir, stage="c2")
    with pytest.raises(UserError, match=r"c2: belongs to another.*stage's trainable is \('\*',\) there, not \('fc"):
        train(Run(with_stages(staged, C0, replace(C2, trainable=HEAD), C3), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"training\.learning_rate is 0\.02 there, not 1\.0"):
        train(Run(with_stages(staged, C0, replace(C2, learning_rate=1.0), C3), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"training\.stages is c0, c2, c3 there, not empty"):
        train(Run(with_stages(staged), tiny_folder), workdir)
    with pytest.raises(UserError, match=r"it holds the stage c2, this run no stage"):
        train(replace(Run(staged, tiny_folder).of_stage(C2), stage=None), workdir.of_stage("c2"))
    assert train(Run(with_stages(staged, C0, replace(C2, steps=3), C3), tiny_folder), workdir, stage="c2") == 0


def test_a_fusion_of_decisions_is_not_trained(tiny_folder, workdir):
    with pytest.raises(UserError, match=r"not trained: its members are.*Received: omg2019/decision_fusion\..*--fuse="):
        train(Run(get("omg2019/decision_fusion"), tiny_folder), workdir)
    assert not workdir.path.exists()
