"""A network gets faces and landmarks of the kind that it was trained on, unless others are asked for."""

import pytest

from affwildnet.predict import Predictor
from affwildnet.predict.network_faces import described, finder_for
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.predict_networks import SIZE, small_network
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.face_finder import FaceFinder


@pytest.mark.parametrize(
    ("card", "expected", "says"),
    [
        (
            Card(96, detector="blaze", landmarks="mesh"),
            ("blaze", "mesh"),
            "detector blaze, landmarks mesh, as in the corpus",
        ),
        (
            Card(96, detector="dlib", landmarks="dlib"),
            ("dlib", "dlib"),
            "dlib, as in the corpus",
        ),
        (
            Card(96, detector="given", landmarks="given"),
            ("blaze", "dlib"),
            "in place of those that came with its",
        ),
        (Card(96), ("dlib", "dlib"), "as in earlier versions, since the card does not say"),
        (None, ("blaze", "dlib"), "detector blaze, landmarks dlib, assumed"),
    ],
)
def test_as_the_card_says(card, expected, says):
    finder, parts = finder_for(card)
    assert (finder.detector_name, finder.landmarks_name) == expected
    assert says in described(parts)


def test_others_only_as_asked_for():
    card = Card(96, detector="blaze", landmarks="mesh")
    finder, parts = finder_for(card, FaceFinder(landmarks="dlib", upsample=1))
    assert (finder.detector_name, finder.landmarks_name, finder.upsample) == ("blaze", "dlib", 1)
    assert "landmarks dlib, as asked for (mesh: as in the corpus that it was trained on)" in described(parts)


def test_yunet_needs_its_model(tmp_path):
    card = Card(96, detector="yunet", landmarks="dlib")
    with pytest.raises(UserError, match="found by yunet, which needs its model"):
        finder_for(card)
    assert finder_for(card, FaceFinder(yunet_model=tmp_path / "y.onnx"))[0].detector_name == "yunet"
    assert finder_for(card, FaceFinder("dlib"))[0].detector_name == "dlib"


def test_a_predictor_takes_the_cards(tmp_path):
    path = tmp_path / "model.keras"
    write_model(small_network(), path, Card(SIZE, detector="blaze", landmarks="mesh"))
    predictor = Predictor.load(path)
    assert (predictor.finder.detector_name, predictor.finder.landmarks_name) == ("blaze", "mesh")
    faces = f"{SIZE}x{SIZE}, crop, margin 0.1, detector blaze, landmarks mesh, as in the corpus that it was trained on"
    assert predictor.description == f"model: {path}\nfaces: {faces}"
