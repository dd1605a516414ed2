"""Detectors: boxes from YuNet's output, and the search near a box against the search of the whole frame."""

import cv2
import dlib
import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box, box_of_points, crop_around
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.yunet import YuNetDetector


@pytest.fixture(scope="module")
def photograph():
    import skimage.data

    return np.ascontiguousarray(skimage.data.astronaut()[:300, 80:380])


def test_the_search_near_a_box_finds_what_the_whole_search_finds(photograph):
    for scale, upsample in ((1.2, 0), (0.5, 1)):
        image = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        detector = FaceDetector(upsample)
        whole = detector.detect(image)[0]
        side = whole.right - whole.left
        moved = Box(whole.left + 0.1 * side, whole.top, whole.right + 0.1 * side, whole.bottom)
        # Boxes lie on a grid of a tenth of their side: one step across and down leaves an overlap of 0.68.
        assert max(box.overlap(whole) for box in detector.detect_near(image, moved)) > 0.65
        away = Box(image.shape[1] - side, image.shape[0] - side, image.shape[1], image.shape[0])
        assert all(box.overlap(whole) == 0 for box in detector.detect_near(image, away))
    assert detector.detect_near(image, Box(-300, -300, -200, -200)) == []


def test_boxes_of_dlib_include_their_last_pixel(monkeypatch):
    detector = FaceDetector()
    monkeypatch.setattr(detector, "_detector", lambda grey, upsample: [dlib.rectangle(10, 20, 29, 49)])
    assert detector.detect(np.zeros((80, 80, 3), np.uint8)) == [Box(10, 20, 30, 50)]


@pytest.mark.parametrize("side", [40, 80, 160, 300])
def test_boxes_near_a_box_are_in_the_pixels_of_the_frame(monkeypatch, side):
    # What fills the lower right quarter of the region that is searched, 1.5 times the box, at whatever scale.
    box = Box(200, 150, 200 + side, 150 + side)
    detector = FaceDetector()

    def quarter(grey, upsample):
        height, width = grey.shape
        return [dlib.rectangle(width // 2, height // 2, width - 1, height - 1)]

    monkeypatch.setattr(detector, "_detector", quarter)
    (found,) = detector.detect_near(np.zeros((700, 800, 3), np.uint8), box)
    x, y = box.centre
    expected = (x, y, x + 0.75 * side, y + 0.75 * side)
    np.testing.assert_allclose((found.left, found.top, found.right, found.bottom), expected, atol=0.02 * side)


def test_a_crop_stays_within_the_image():
    image = np.arange(20 * 30).reshape(20, 30)
    crop, left, top = crop_around(image, Box(24, 2, 34, 8), 2)
    assert (left, top) == (19, 0)
    np.testing.assert_array_equal(crop, image[0:11, 19:30])


def stub(monkeypatch, output):
    """Replace OpenCV's network by `output` of a frame's size; return the frames that it is given."""
    given = []

    class Network:
        def setInputSize(self, size):
            self.size = size

        def detect(self, image):
            assert image.shape[1::-1] == self.size
            given.append(image)
            return 1, output(self.size)

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *arguments: Network())
    return given


def face(x, y, score, size=10.0):
    points = [(x - size, y - size), (x + size, y - size), (x, y), (x - size, y + size), (x + size, y + size)]
    return [x - 20, y - 30, 40, 50, *np.ravel(points), score]


def test_yunet_output_becomes_boxes_the_surest_first(monkeypatch, tmp_path):
    (tmp_path / "yunet.onnx").touch()
    given = stub(monkeypatch, lambda size: np.array([face(50, 60, 0.8), face(200, 90, 0.9)], np.float32))
    detector = YuNetDetector(tmp_path / "yunet.onnx")
    image = np.full((120, 300, 3), (250, 0, 5), np.uint8)
    first, second = detector.detect(image)
    assert first.centre == (200, 90)
    assert second.centre == (50, 60)
    # Four points at a distance of 10 sqrt(2) and one in the middle: sqrt(4 * 200 / 5) = 12.65, times 3.85.
    assert first.right - first.left == first.bottom - first.top == pytest.approx(48.7, abs=0.05)
    assert given[-1][0, 0].tolist() == [5, 0, 250]  # BGR
    (near, _) = detector.detect_near(image, Box(180, 60, 220, 100))
    assert given[-1].shape == (80, 80, 3)
    assert near.centre == (200 + 160, 90 + 40)


def test_yunet_without_faces_gives_none(monkeypatch, tmp_path):
    (tmp_path / "yunet.onnx").touch()
    stub(monkeypatch, lambda size: None)
    assert YuNetDetector(tmp_path / "yunet.onnx").detect(np.zeros((9, 9, 3), np.uint8)) == []


def test_what_is_no_yunet_is_an_error(monkeypatch, tmp_path):
    with pytest.raises(UserError, match=r"gone\.onnx: the YuNet model must be a file"):
        YuNetDetector(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(UserError, match=r"text\.onnx: must be a YuNet model") as error:
        YuNetDetector(tmp_path / "text.onnx")
    assert "\n" not in str(error.value)
    stub(monkeypatch, lambda size: np.zeros((1, 7), np.float32))
    with pytest.raises(UserError, match=r"shape \(1, 7\)"):
        YuNetDetector(tmp_path / "text.onnx")


@pytest.mark.slow
def test_a_box_of_five_points_is_about_the_detected_one(photograph):
    whole = FaceDetector().detect(photograph)[0]
    points = LandmarkPredictor(find_model()).predict(photograph, whole)
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    assert box_of_points(five).overlap(whole) > 0.75
