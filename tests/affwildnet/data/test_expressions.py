"""Expressions as the target: which frames count, what the batches hold, what is refused, and that a network learns."""

import shutil
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from affwildnet.data import Corpus, evaluation_batches, training_batches
from affwildnet.data.windows import training_plan
from affwildnet.experiments import EXPERIMENTS, get
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tests.helpers.corpora import identity_of, label_of, make_corpus, write_version_1
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema

NAN = np.full((1, 2), np.nan)
# As AFEW: a class a clip and no valence; then a clip whose class is not known, and one of which a part is.
CLASSES = {0: [3] * 14, 1: [0] * 9, 2: [-1] * 12, 3: [6, 6, -1, -1, 5, 5, 5, -1, -1, -1, -1, -1], 4: [2] * 10}
VIDEOS = [
    {
        "frames": len(classes),
        "classes": classes,
        "labels": np.repeat(NAN, len(classes), axis=0),
        "split": "validation" if index == 4 else "train",
    }
    for index, classes in CLASSES.items()
]
TRAINING = TrainingConfig(batch_size=2, window=4, seed=3)


@pytest.fixture(scope="module")
def afew_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("afew")
    make_corpus(path, VIDEOS, layout="afew")
    return path


@pytest.fixture(scope="module")
def afew_corpus(afew_folder):
    return Corpus.open(afew_folder, "train", 32, "expression")


def expected(video, frame):
    """The labels of a frame by its video's index and its number: a list of seven, and whether its class is known."""
    label = [0.0] * 7
    known = CLASSES[video][frame - 1]
    if known >= 0:
        label[known] = 1.0
    return label, known >= 0


def test_the_order_of_the_classes_is_that_of_the_networks_outputs():
    assert schema.EXPRESSIONS[3] == "happiness"
    assert len(schema.EXPRESSIONS) == 7


def test_a_frame_with_a_class_is_labelled_though_it_has_no_valence(afew_corpus, afew_folder):
    assert afew_corpus.record_classes.tolist() == [*CLASSES[0], *CLASSES[1], *CLASSES[2], *CLASSES[3]]
    assert afew_corpus.frames_labelled == 14 + 9 + 5
    assert afew_corpus.record_labelled.sum() == afew_corpus.frames_labelled
    assert Corpus.open(afew_folder, "validation", target="expression").frames_labelled == 10
    assert Corpus.open(afew_folder, "train").frames_labelled == 0  # of valence and arousal
    assert not Corpus.open(afew_folder, "train").record_labelled.any()


def test_windows_are_those_with_a_class(afew_corpus, afew_folder):
    seen = set()
    for epoch in range(12):
        plan = training_plan(afew_corpus, TrainingConfig(window=4), epoch)
        seen |= {(video, first) for video, first, *_ in plan.tolist()}
        for video, first, length in plan.tolist():
            assert max(CLASSES[video][first : first + length]) >= 0
    assert {video for video, _ in seen} == {0, 1, 3}
    assert max(first for video, first in seen if video == 3) == 6  # its frame 7 is the last with a class
    with pytest.raises(UserError, match="must hold a labelled window of 4"):
        training_plan(Corpus.open(afew_folder, "train"), TrainingConfig(window=4), 0)


def assert_labels(batch):
    """Every frame of a batch has the class that it was packed with, and the mask says where that is known."""
    for faces, frames, labels, mask in zip(*(batch[k] for k in ("frames", "frame", "labels", "mask")), strict=True):
        for face, frame, label, counts in zip(faces, frames, labels, mask, strict=True):
            if frame:
                video, number = identity_of(face)
                assert number == frame
                assert (label.tolist(), bool(counts)) == expected(video, number)
            else:
                assert counts == 0


def test_training_batches_hold_each_frames_own_class(afew_corpus):
    classes = np.zeros(7)
    for batch in islice(training_batches(afew_corpus, TRAINING).as_numpy_iterator(), 12):
        assert batch["labels"].shape == (2, 4, 7)
        assert batch["labels"].dtype == batch["mask"].dtype == np.float32
        assert_labels(batch)
        classes += batch["labels"].sum((0, 1))
    assert (classes > 0).tolist() == [True, False, False, True, False, True, True]


def test_evaluation_batches_count_every_class_once(afew_folder):
    for split in ("train", "validation"):
        corpus = Corpus.open(afew_folder, split, 32, "expression")
        batches = list(evaluation_batches(corpus, EvaluationConfig(batch_size=3, window=5)).as_numpy_iterator())
        for batch in batches:
            assert_labels(batch)
        assert sum(batch["mask"].sum() for batch in batches) == corpus.frames_labelled
        totals = sum((batch["labels"] * batch["mask"][..., None]).sum((0, 1)) for batch in batches)
        packed = [label for index, video in enumerate(VIDEOS) if video["split"] == split for label in CLASSES[index]]
        assert totals.tolist() == [packed.count(label) for label in range(7)]


def test_valence_and_arousal_of_such_records_stay_what_they_are(tmp_path):
    make_corpus(tmp_path, [{"frames": 12, "classes": [4] * 6 + [-1] * 6, "unlabelled": [2]}], layout="omg")
    corpus = Corpus.open(tmp_path, "train")
    assert corpus.frames_labelled == 11
    (batch,) = islice(training_batches(corpus, replace(TRAINING, batch_size=1, window=12)).as_numpy_iterator(), 1)
    assert batch["labels"].shape == (1, 12, 2)
    assert batch["mask"][0].tolist() == [frame != 2 for frame in range(1, 13)]
    np.testing.assert_allclose(batch["labels"][0, 6], label_of(0, 7), atol=1e-6)
    assert Corpus.open(tmp_path, "train", target="expression").frames_labelled == 6


# What is refused.


def test_a_corpus_without_classes_is_refused_with_the_layouts_that_have_them(tmp_path):
    make_corpus(tmp_path, [{"frames": 5}])
    with pytest.raises(UserError, match=r"layouts afew, omg, and csv .*Received: layout aff_wild, without them\.$"):
        Corpus.open(tmp_path, "train", target="expression")
    with pytest.raises(UserError, match=r"must be one of valence_arousal, expression\. Received: expresion"):
        Corpus.open(tmp_path, "train", target="expresion")


@pytest.mark.parametrize("wrong", [7, -2])
def test_a_class_that_is_none_is_named_with_its_file(wrong, tmp_path):
    packed = make_corpus(tmp_path, [{"frames": 3, "classes": [0, wrong, 1]}])
    with pytest.raises(UserError, match=r"`expression` of index\.npy cannot be"):
        Corpus.open(tmp_path, "train", target="expression")
    write_version_1(tmp_path, packed)
    with pytest.raises(UserError, match=rf"{packed.videos[0].file}: .* from -1 to 6\. Received: {wrong}\. "):
        _ = Corpus.open(tmp_path, "train", target="expression").frames_labelled


def test_the_file_of_a_class_must_be_there(afew_folder, tmp_path):
    copy = shutil.copytree(afew_folder, tmp_path / "copy")
    corpus = Corpus.open(copy, "train", target="expression")
    (copy / corpus.videos[1].file).write_bytes(b"")
    with pytest.raises(UserError, match=r"must have \d+ bytes, as the manifest says\. Received: 0\."):
        _ = corpus.record_classes


@pytest.mark.parametrize(
    ("head", "loss", "balance", "message"),
    [
        ("expression", "ccc", "", r"goes with `training\.loss` cross_entropy.* Received: expression with ccc\. "),
        ("expression", "mse", "", "Received: expression with mse"),
        ("valence_arousal", "cross_entropy", "", "Received: valence_arousal with cross_entropy"),
        ("expression", "cross_entropy", "0.4,0.2,0.2,0.2", r"`training\.balance` .*Received: 0\.4, 0\.2, 0\.2, 0\.2"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_opened(head, loss, balance, message, tmp_path):
    settings = [f"model.head={head}", f"training.loss={loss}", f"training.balance={balance}"]
    with pytest.raises(UserError, match=message) as caught:
        train(Run(override(TINY, settings), tmp_path / "no corpus"), Workdir(tmp_path / "workdir"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "workdir").exists()


@pytest.mark.parametrize("name", [name for name, e in EXPERIMENTS.items() if e.model.head == "expression"])
def test_every_experiment_of_expressions_goes_together(name, tmp_path):
    assert name.startswith("ijcv2019/emotiw_")
    experiment = get(name)
    with pytest.raises(UserError, match="not a packed corpus"):  # all that comes before has passed
        train(Run(experiment, tmp_path), Workdir(tmp_path / "workdir"))
    # Only the output is that of expressions; whatever the start is, it does not fit there.
    assert experiment.training.init_skip == ("*normalise", "expression")


# Learning.


@pytest.mark.slow
def test_a_network_of_the_experiment_learns_the_classes(tmp_path):
    """Each third of a video has a class of its own, which the landmarks show.

    The backbone has no batch normalisation, whose moving statistics need far more steps than these few frames do.
    """
    frames = 36
    classes = {index: [(0, 3, 5)[frame // 12] for frame in range(frames)] for index in range(2)}
    videos = [{"frames": frames, "classes": own, "labels": np.repeat(NAN, frames, 0)} for own in classes.values()]
    make_corpus(tmp_path / "corpus", videos, layout="afew")
    experiment = override(
        get("ijcv2019/emotiw_resnet50"),
        [
            "model.backbone=vgg16", "model.image_size=32", "model.width=0.05", "model.hidden=1200", "model.dropout=0",
            "training.steps=120", "training.batch_size=24", "training.learning_rate=0.003", "training.log_steps=1",
        ],
    )  # fmt: skip
    workdir = Workdir(tmp_path / "workdir")
    assert train(Run(experiment, tmp_path / "corpus"), workdir) == 0
    losses = [line["loss"] for line in read_lines(workdir.training_log)]
    assert losses[0] > 1  # about log(7)
    assert np.mean(losses[-5:]) < 0.5
    model, _ = checkpoints.resume(workdir.checkpoints)
    corpus = Corpus.of_run(Run(experiment, tmp_path / "corpus"), "train")
    right = total = 0
    for batch in evaluation_batches(corpus, experiment.evaluation):
        predictions = model([batch["frames"], batch["landmarks"]])
        np.testing.assert_allclose(np.sum(predictions, -1), 1, atol=1e-5)
        hit = np.argmax(predictions, -1) == np.argmax(batch["labels"], -1)
        right += (hit * batch["mask"]).numpy().sum()
        total += batch["mask"].numpy().sum()
    assert total == 2 * frames
    assert right / total > 0.8
