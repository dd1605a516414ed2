"""Prediction from crops: frame by frame as at once, from each kind of file, and what is refused."""

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.export import saved_model
from affwildnet.models.precision import with_precision
from affwildnet.predict import Predictor
from affwildnet.predict.loading import load_network
from affwildnet.predict.stateful_networks import KerasNetwork
from affwildnet.runs import checkpoints
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tests.helpers.predict_networks import HEADS, SIZE, at_once, small_network
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner

FRAMES = 7


@pytest.fixture(scope="module")
def plain():
    return small_network()


@pytest.fixture(scope="module")
def sequence():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (FRAMES, 1, 1, 3)) + rng.integers(-99, 99, (FRAMES, SIZE, SIZE, 3))
    return faces.clip(0, 255).astype(np.uint8), rng.random((FRAMES, 68, 2), dtype=np.float32)


@pytest.mark.parametrize("head", HEADS)
def test_one_face_after_the_other_is_the_whole_sequence(head, sequence, monkeypatch):
    monkeypatch.setattr("affwildnet.predict.predictor.CALL", 3)  # a sequence at once goes in pieces as well
    model = small_network(head, landmarks=head != "none")
    expected = at_once(model, *sequence)
    predictor = Predictor(KerasNetwork(model), Aligner(SIZE))
    stepped = [predictor.step_crop(face, points) for face, points in zip(*sequence, strict=True)]
    np.testing.assert_allclose(stepped, expected, atol=1e-5)
    first = [part[0] for part in sequence]
    # Now the states are those after the sequence: unless nothing is recurrent, the prediction must be another one.
    carried = np.abs(predictor.step_crop(*first) - expected[0]).max()
    assert carried < 1e-5 if head == "none" else carried > 1e-3
    predictor.reset()
    np.testing.assert_allclose(predictor.step_crop(*first), expected[0], atol=1e-5)
    np.testing.assert_allclose(predictor.predict(*sequence), expected, atol=1e-5)
    # A sequence of its own does not touch what was remembered.
    np.testing.assert_allclose(predictor.step_crop(*(part[1] for part in sequence)), expected[1], atol=1e-5)


def test_a_frame_alone_is_no_loop(plain):
    network = KerasNetwork(plain)
    graphs = [part.get_concrete_function().graph for part in (network._one, network._many)]
    loops = [any(operation.type.endswith("While") for operation in graph.get_operations()) for graph in graphs]
    assert loops == [False, True]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """(network with two states of one shape in each layer, folder of its SavedModel)"""
    model = small_network("lstm")
    folder = tmp_path_factory.mktemp("lstm") / "saved"
    saved_model.write(model, folder, card=Card(SIZE, "crop", 0.25))
    return model, folder


def test_a_saved_model_continues_where_it_was(saved, sequence):
    model, folder = saved
    expected = at_once(model, *sequence)
    predictor = Predictor.load(folder)
    assert predictor.aligner == Aligner(SIZE, "crop", 0.25)
    for _ in range(2):
        predictor.reset()
        stepped = [predictor.step_crop(*crop) for crop in zip(*sequence, strict=True)]
        np.testing.assert_allclose(stepped, expected, atol=1e-5)


def test_a_saved_model_knows_its_crops(saved, tmp_path):
    folder = tmp_path / "saved"
    shutil.copytree(saved[1], folder)
    assert f"{SIZE}x{SIZE}, crop, margin 0.25, as in the corpus that it was" in load_network(folder).description
    (folder / "assets.extra/affwildnet.json").unlink()
    assert load_network(folder, margin=0.5).aligner == Aligner(SIZE, "crop", 0.5)
    assert "crop, margin 0.1, detector blaze, landmarks dlib, assumed" in load_network(str(folder)).description


@pytest.mark.slow
def test_an_export_gives_what_the_network_gives_and_knows_its_crops(plain, tmp_path, sequence):
    saved_model.write(plain, tmp_path / "saved", card=Card(SIZE, "procrustes", 0.0))
    predictor = Predictor.load(tmp_path / "saved")
    assert predictor.aligner == Aligner(SIZE, "procrustes", 0.0)
    expected = at_once(plain, *sequence)
    stepped = [predictor.step_crop(face, points) for face, points in zip(*sequence, strict=True)]
    np.testing.assert_allclose(stepped, expected, atol=1e-5)
    np.testing.assert_allclose(predictor.predict(*sequence), expected, atol=1e-5)
    with pytest.raises(UserError, match="the precision of a SavedModel is fixed"):
        Predictor.load(tmp_path / "saved", precision="float32")
    (tmp_path / "saved/assets.extra/affwildnet.json").unlink()
    assert "crop, margin 0.1, detector blaze, landmarks dlib, assumed" in load_network(tmp_path / "saved").description


@pytest.mark.slow
def test_an_export_without_states_is_refused(plain, tmp_path):
    archive = keras.export.ExportArchive()
    archive.track(plain)
    archive.add_endpoint("serving_default", lambda *inputs: plain(list(inputs)), [tensor for tensor in plain.inputs])
    archive.write_out(tmp_path / "saved", verbose=False)
    with pytest.raises(UserError, match=r"signature `step`.*Received: serving_default\. Export it again"):
        load_network(tmp_path / "saved")


def test_a_file_says_how_faces_are_cut_out_and_is_not_contradicted(plain, tmp_path):
    path = tmp_path / "model.keras"
    write_model(plain, path, Card(SIZE, "crop", 0.25))
    assert load_network(path).aligner == Aligner(SIZE, "crop", 0.25)
    assert load_network(path, alignment="crop", margin=0.25).aligner == Aligner(SIZE, "crop", 0.25)
    with pytest.raises(UserError, match=r"`margin` must be 0\.25.*Received: 0\.1"):
        load_network(path, margin=0.1)
    write_model(plain, path, Card(2 * SIZE, "crop", 0.25))
    assert load_network(path).aligner.size == SIZE  # what the network takes
    write_model(plain, path)
    loaded = load_network(path, margin=0.3)
    assert loaded.aligner == Aligner(SIZE, "crop", 0.3)
    assert f"faces: {SIZE}x{SIZE}, crop, assumed, since the file does not say it; margin 0.3, as given; detector" in (
        loaded.description
    )
    given = load_network(path, alignment="procrustes", margin=0.0)
    assert given.description.startswith(f"model: {path}\nfaces: {SIZE}x{SIZE}, procrustes, as given; detector blaze,")


def test_a_working_directory_is_its_best_checkpoint_else_the_latest(plain, tmp_path):
    workdir = Workdir(tmp_path / "run")
    workdir.start(Run(TINY, tmp_path))
    with pytest.raises(UserError, match="no checkpoint yet"):
        load_network(workdir.path)
    latest = checkpoints.path_of(workdir.checkpoints, 10)
    write_model(plain, latest)
    write_model(plain, checkpoints.path_of(workdir.checkpoints, 5))
    assert load_network(workdir.path).description.startswith(f"model: {latest}\n")
    best = workdir.best / "best_mean.keras"
    best.parent.mkdir()
    best.write_bytes(latest.read_bytes())
    assert load_network(workdir.path, precision="bfloat16").description.startswith(f"model: {best}, bfloat16\n")


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"separate": True}, {"recurrent": "none", "recurrent_units": ()}])
def test_bfloat16_is_what_the_network_is_when_it_is_built_so(changes, sequence):
    config = replace(TINY.model, width=0.1, standardise_landmarks=True, **changes)
    keras.utils.set_random_seed(1)
    model = models.build(config)
    converted = with_precision(model, "bfloat16")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = models.build(config)
    finally:
        keras.config.set_dtype_policy("float32")
    heavy = {"bfloat16": 0, "float32": 0}
    for new, reference in zip(converted.layers, built.layers, strict=True):
        if isinstance(new, (keras.layers.Conv2D, keras.layers.Dense)) or hasattr(new, "state_shapes"):
            assert new.compute_dtype == reference.compute_dtype, new.name
            heavy[new.compute_dtype] += 1
    assert min(heavy.values()) > 0
    expected, found = at_once(model, *sequence), at_once(converted, *sequence)
    assert 0 < np.abs(found - expected).max() < 0.05 * max(1, np.abs(expected).max())
    back = with_precision(converted, "float32")
    assert {layer.compute_dtype for layer in back.layers} == {"float32"}


def test_networks_that_do_not_predict_valence_and_arousal_are_refused():
    with pytest.raises(UserError, match=r"must predict .*Received: .* to valence_arousal \(None, None, 7\)"):
        KerasNetwork(small_network(outputs=7))
    with pytest.raises(UserError, match=r"must predict `valence_arousal`.*Received: `expression`\. Score networks for"):
        KerasNetwork(small_network(outputs=7, output="expression"))
    entrance = keras.Input((4,), name="x")
    with pytest.raises(UserError, match=r"must take `frames`.*Received: x \(None, 4\)"):
        KerasNetwork(keras.Model(entrance, keras.layers.Dense(2, name="valence_arousal")(entrance)))


def test_files_that_hold_no_network_are_refused(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/saved_model.pb").write_bytes(b"broken")
    for path, message in (
        (tmp_path / "nowhere", "which is not there"),
        (tmp_path, "without experiment.json or saved_model.pb"),
        (tmp_path / "broken.keras", "not a whole checkpoint"),
        (tmp_path / "saved", "not a readable SavedModel"),
    ):
        with pytest.raises(UserError, match=message):
            load_network(path)
    with pytest.raises(UserError, match="Did you mean bfloat16"):
        load_network(tmp_path, precision="bfloat")


def test_faces_of_another_form_are_refused(plain, sequence):
    predictor = Predictor(KerasNetwork(plain), Aligner(SIZE))
    faces, points = sequence
    for arguments, message in (
        ((faces[:, :20], points), rf"`crops` must be uint8 of the shape \({FRAMES}, {SIZE}, {SIZE}, 3\)"),
        ((faces.astype("float32"), points), "Received: float32"),
        ((faces, points[:3]), "as many as the 7 crops. Received: 3"),
        ((faces, points[:, :60]), "`landmarks` must be float32"),
        ((faces, None), "must be given with the crops"),
        ((faces[:0], points[:0]), "at least one crop"),
    ):
        with pytest.raises(UserError, match=message):
            predictor.predict(*arguments)
    with pytest.raises(UserError, match="`frame` must be uint8 RGB"):
        predictor.step(faces[0][..., 0])
