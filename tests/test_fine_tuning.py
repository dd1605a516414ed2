"""Fine-tuning on RECOLA, AFEW-VA and AFEW from a network of Aff-Wild (ijcv2019 section 5), with the start given alone.

Small corpora with the fields of each dataset first; then the datasets' own trees of files, packed.
"""

import json
import shutil

import cv2
import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.data import Corpus, evaluation_batches
from affwildnet.experiments import get
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints, folds
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, train, weight_copies
from affwildnet.training.start import begin
from affwildnet.training.step import TrainStep
from tests.helpers.corpora import make_corpus
from tests.helpers.layout_trees import lay
from tests.helpers.networks import numpy
from tests.helpers.small_network import same, save_with_weights_of_its_own, weights
from tests.helpers.trainings import learnable, tiny_model
from tfrecords_tools import cli
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.reader import read_records

TUNED = {"recola": "recola_affwildnet", "afew_va": "afew_va_affwildnet", "afew": "emotiw_affwildnet"}
TINY = [
    "model.backbone=cnn_m",
    "model.image_size=32",
    "model.width=0.02",
    "model.hidden=400",
    "training.window=6",
    "training.batch_size=4",
    "training.log_steps=1",
]


def corpus_of(folder, layout):
    """Three training clips and one more, with the labels that the layout's records have."""
    videos = []
    for index in range(4):
        video = {"frames": 24, "subject": f"s{index}", "labels": learnable(index, range(1, 25))}
        if layout == "afew":
            video |= {"labels": np.full((24, 2), np.nan), "classes": [(3, 5)[frame // 12] for frame in range(24)]}
        videos.append({**video, "split": "train" if index < 3 else "validation"})
    make_corpus(folder, videos, layout=layout)
    return folder


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return {name: corpus_of(tmp_path_factory.mktemp(name) / "packed", name) for name in ("aff_wild", "recola", "afew")}


ON_AFF_WILD = override(get("ijcv2019/affwildnet_vggface"), [*TINY, "training.balance="])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """AffWildNet as the trainer saves it, with its optimizer, of weights that no seed gives."""
    path = tmp_path_factory.mktemp("given") / "model.keras"
    save_with_weights_of_its_own(tiny_model(ON_AFF_WILD), path)
    return path


@pytest.fixture(scope="module")
def trained(corpora, tmp_path_factory):
    """AffWildNet after a short training on a corpus like Aff-Wild."""
    workdir = Workdir(tmp_path_factory.mktemp("aff_wild_run"))
    assert train(Run(override(ON_AFF_WILD, ["training.steps=2"]), corpora["aff_wild"]), workdir) == 0
    return checkpoints.path_of(workdir.checkpoints, 2)


def tuned(layout, given, *settings):
    """The experiment with the start given alone, but for sizes that fit a test."""
    return override(get(f"ijcv2019/{TUNED[layout]}"), [*TINY, *settings, f"training.init={given}"])


def built(experiment):
    keras.utils.set_random_seed(experiment.training.seed)
    return models.build(experiment.model)


def assert_begun(model, experiment, given):
    """Assert that every layer but an output layer that does not fit has the file's weights, that one the seed's."""
    source, drawn = weight_copies.load(given, "the test"), built(experiment)
    names = list(weight_copies.weighted_layers(model))
    anew = {"expression"} & set(names)
    assert anew == ({"expression"} if experiment.model.head == "expression" else set())
    for name in names:
        assert same(weights(model, name), weights(drawn if name in anew else source, name)), name
        if name not in anew:
            assert not same(weights(drawn, name), weights(source, name)), f"{name} could be from either"
    assert len(names) == len(weight_copies.weighted_layers(source))


@pytest.mark.parametrize("layout", ["recola", "afew"])  # AFEW-VA's network is RECOLA's
def test_training_init_alone_is_enough(layout, corpora, given, shown):
    experiment = tuned(layout, given)
    model = built(experiment)
    shown()
    run = Run(experiment, corpora[layout])
    begin(model, run, Corpus.of_run(run, "train"))
    assert_begun(model, experiment, given)
    printed = shown()
    left = "left out: valence_arousal\n"
    assert (left in printed) == ("random: expression\n" in printed) == (layout == "afew")
    assert "The paper starts from" not in printed


class Noted(TrainStep):
    """A training step that keeps a copy of the network that it begins with."""

    began = None

    def __init__(self, model, *arguments):
        super().__init__(model, *arguments)
        Noted.began = keras.models.clone_model(model)
        Noted.began.set_weights([numpy(weight).copy() for weight in model.get_weights()])


@pytest.mark.slow
def test_fine_tuning_lowers_the_loss(corpora, trained, tmp_path, monkeypatch):
    layout = "afew"  # with an output layer of its own
    monkeypatch.setattr(loop.training_step, "TrainStep", Noted)
    settings = ["training.steps=60", "training.learning_rate=0.01", "model.dropout=0", "model.recurrent_dropout=0"]
    experiment, workdir = tuned(layout, trained, *settings), Workdir(tmp_path)
    assert train(Run(experiment, corpora[layout]), workdir) == 0
    assert_begun(Noted.began, experiment, trained)
    losses = [line["loss"] for line in read_lines(workdir.training_log)]
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:3])
    model, _ = checkpoints.resume(workdir.checkpoints)
    assert all(not same(weights(model, n), weights(Noted.began, n)) for n in weight_copies.weighted_layers(model))
    assert_evaluated(model, Corpus.of_run(Run(experiment, corpora[layout]), "validation"), experiment)


def assert_evaluated(model, corpus, experiment):
    """Assert that the network predicts every labelled frame, as many numbers as the labels have."""
    frames = 0
    names = [tensor.name for tensor in model.inputs]
    for batch in evaluation_batches(corpus, experiment.evaluation):
        predictions = numpy(model({name: batch[name] for name in names}))
        assert predictions.shape == batch["labels"].shape
        assert np.isfinite(predictions).all()
        frames += int(batch["mask"].numpy().sum())
    assert frames == corpus.frames_labelled > 0


# From the datasets' own files.

REAL = [
    "model.backbone=cnn_m",
    "model.width=0.02",
    "model.hidden=400",
    "training.window=6",
    "training.batch_size=2",
    "training.steps=3",
    "training.log_steps=1",
    "training.learning_rate=1e-3",
]


@pytest.fixture(scope="module")
def real_given(packed_sample, tmp_path_factory):
    """As `trained`, on faces of 96 pixels."""
    workdir = Workdir(tmp_path_factory.mktemp("real_run"))
    experiment = override(get("ijcv2019/affwildnet_vggface"), [*REAL, "training.balance=", "training.steps=1"])
    assert train(Run(experiment, packed_sample), workdir) == 0
    return checkpoints.path_of(workdir.checkpoints, 1)


def videos_of(sample_clips):
    """The three clips of the sample, of the splits train, validation and test."""
    return [next((sample_clips / "videos" / split).glob("*.mp4")) for split in schema.SPLITS]


def recola_tree(folder, sample_clips, packed_sample):
    """Two participants with the six raters' tables."""
    raters = "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3\n"
    for name, video in zip(("P16", "P19"), videos_of(sample_clips), strict=False):
        for sign, dimension in ((1, "valence"), (-1, "arousal")):
            rows = (";".join([f"{0.04 * i:.2f}", *[f"{sign * (i % 9 - 4) / 5}"] * 6]) for i in range(26))
            lay(folder, {f"{dimension}/{name}.csv": raters + "\n".join(rows) + "\n"})
        shutil.copy(video, folder / f"{name}.mp4")


def afew_tree(folder, sample_clips, packed_sample):
    """A clip a split, and two classes."""
    for place, video in zip(("Train/Happy/1", "Val/Sad/1"), videos_of(sample_clips), strict=False):
        path = folder / f"{place}.mp4"
        path.parent.mkdir(parents=True)
        shutil.copy(video, path)


def afew_va_tree(folder, sample_clips, packed_sample):
    """A clip of each of three actors: images from 0 on, and landmarks in their pixels."""
    packed = manifest.load(packed_sample)
    for number, (video, split) in enumerate(zip(videos_of(sample_clips), schema.SPLITS, strict=True), start=1):
        (entry,) = packed.split(split)
        name, frames = f"{number:03d}", {}
        reader = cv2.VideoCapture(str(video))
        for record in read_records(packed_sample, entry):
            read, image = reader.read()
            assert read
            left, top, right, bottom = record["box"]
            side = round(max(right - left, bottom - top) * 1.2)
            corner = round((left + right - side) / 2), round((top + bottom - side) / 2)
            index = f"{record['frame'] - 1:05d}"
            valence, arousal = (int(value) for value in np.round(10 * record["label"]))
            points = (record["landmarks"] * side + corner - 0.5).tolist()
            frames[index] = {"landmarks": points, "valence": valence, "arousal": arousal}
            lay(folder, {f"{name}/{index}.png": cv2.imencode(".png", image)[1].tobytes()})
        lay(folder, {f"{name}/{name}.json": json.dumps({"actor": f"actor {number}", "frames": frames})})


def assert_the_same_landmarks(packed, expected):
    """Assert that the first clips of two packings have the same landmarks, in shares of their different crops' sides.

    The boxes differ, as one is around the landmarks: faces are compared by the landmarks' distances from each other.
    """
    shapes = []
    for folder in (packed, expected):
        entry = next(entry for entry in manifest.load(folder).videos if entry.split == "train")
        points = np.array([record["landmarks"] for record in read_records(folder, entry)], np.float64)
        centred = points - points.mean(1, keepdims=True)
        shapes.append(centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(*shapes, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "tree"), [("recola", recola_tree), ("afew", afew_tree), ("afew_va", afew_va_tree)])
def test_from_the_datasets_files_to_a_fine_tuned_network(
    layout, tree, sample_clips, packed_sample, real_given, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop.training_step, "TrainStep", Noted)
    source, packed = tmp_path / "source", tmp_path / "packed"
    tree(source, sample_clips, packed_sample)
    assert cli.main(["pack", f"--layout={layout}", f"--source={source}", f"--output={packed}", "--workers=1"]) == 0
    fold = None
    if layout == "afew_va":
        path = packed / "folds.json"
        assert cli.main(["partition", str(packed), "--folds=3", f"--output={path}"]) == 0
        fold = folds.read(packed, 2)
        assert_the_same_landmarks(packed, packed_sample)
    experiment = override(get(f"ijcv2019/{TUNED[layout]}"), [*REAL, f"training.init={real_given}"])
    workdir = Workdir(tmp_path / "run")
    assert train(Run(experiment, packed, fold=fold), workdir) == 0
    assert_begun(Noted.began, experiment, real_given)
    assert all(np.isfinite(line["loss"]) for line in read_lines(workdir.training_log))
    model, state = checkpoints.resume(workdir.checkpoints)
    assert state.step == 3
    run = workdir.open()
    assert_evaluated(model, Corpus.of_run(run, "validation"), run.experiment)
