"""Two public-domain portraits, cut out and with landmarks.

They come with installed packages: Eileen Collins (NASA) from scikit-image and Grace Hopper (US Navy) from matplotlib.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.sample.canvas import CANVAS, EYE_DISTANCE, EYES

# The outline of head and bust in pixels of the photograph, found with GrabCut and simplified.
COLLINS_OUTLINE = (
    *((277, 32), (247, 18), (223, 17), (201, 23), (186, 37), (158, 56), (153, 68), (156, 101), (172, 125), (182, 135)),
    *((182, 145), (179, 148), (157, 150), (139, 159), (132, 166), (120, 189), (121, 197), (62, 250), (41, 291)),
    *((26, 343), (22, 400), (283, 400), (298, 366), (333, 356), (362, 349), (356, 303), (341, 264), (331, 253)),
    *((304, 233), (289, 203), (276, 189), (256, 173), (256, 164), (264, 149), (266, 140), (292, 114), (300, 92)),
    *((299, 73), (295, 56), (288, 43)),
)
HOPPER_OUTLINE = (
    *((219, 31), (209, 44), (195, 51), (182, 63), (174, 84), (156, 101), (149, 102), (145, 106), (146, 193)),
    *((152, 201), (160, 226), (171, 263), (177, 268), (192, 267), (202, 299), (203, 314), (174, 339), (123, 359)),
    *((108, 362), (48, 394), (37, 415), (27, 459), (17, 526), (11, 720), (508, 720), (508, 437), (493, 395)),
    *((488, 390), (466, 378), (420, 365), (363, 341), (337, 321), (329, 311), (330, 300), (336, 287), (339, 271)),
    *((343, 268), (354, 267), (360, 262), (367, 236), (368, 201), (373, 189), (368, 181), (371, 134), (369, 103)),
    *((361, 87), (352, 83), (346, 68), (336, 57), (319, 46), (302, 42), (281, 27), (270, 24), (249, 23)),
)


@dataclass(frozen=True)
class Portrait:
    """A head and bust on a canvas.

    Attributes:
      image: (460, 560, 4) uint8, RGB and opacity.
      landmarks: (68, 2) float64 x, y in canvas pixels.
      rest: coefficients of the expression axes that make the portrait look neutral, by name.
      collar: how far below the eyes only clothes are left, in eye distances.
    """

    image: np.ndarray
    landmarks: np.ndarray
    rest: dict[str, float]
    collar: float


@dataclass(frozen=True)
class Photograph:
    """What a portrait is made from: pixels and outline of a photograph, and `rest` and `collar` of the portrait."""

    load: Callable[[], np.ndarray]
    outline: tuple[tuple[int, int], ...]
    rest: dict[str, float]
    collar: float


def _collins() -> np.ndarray:
    import skimage.data  # optional

    return skimage.data.astronaut()


def _hopper() -> np.ndarray:
    import matplotlib.cbook  # optional

    path = Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


PHOTOGRAPHS = (
    Photograph(_collins, COLLINS_OUTLINE, {"smile": -0.75, "open": -0.35}, collar=1.5),
    Photograph(_hopper, HOPPER_OUTLINE, {}, collar=2.0),
)


def load_portraits(landmark_model: Path | str | None = None) -> list[Portrait]:
    """Return the two portraits.

    Args:
      landmark_model: path of dlib's 68-point model; None lets `find_model` look for it.

    Raises:
      UserError: if scikit-image, matplotlib, dlib or the landmark model is missing.
    """
    model = find_model(landmark_model)
    try:
        predictor, detector = LandmarkPredictor(model), FaceDetector()
        images = [(photograph, photograph.load()) for photograph in PHOTOGRAPHS]
    except ImportError as error:
        raise UserError(
            "The sample corpus needs dlib, scikit-image and matplotlib. "
            f"Received: no module {error.name}. Get it with `pip install dlib-bin scikit-image matplotlib`."
        ) from error
    return [_portrait(photograph, image, predictor, detector) for photograph, image in images]


def _portrait(
    photograph: Photograph, image: np.ndarray, predictor: LandmarkPredictor, detector: FaceDetector
) -> Portrait:
    landmarks = _steady_landmarks(image, predictor, detector)
    left_eye, right_eye = landmarks[36], landmarks[45]
    scale = EYE_DISTANCE / np.linalg.norm(right_eye - left_eye)
    offset = np.array(EYES) - scale * (left_eye + right_eye) / 2
    place = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    canvas = cv2.warpAffine(image, place, CANVAS, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outline = np.array(photograph.outline) * scale + offset
    opacity = np.zeros(CANVAS[::-1], np.uint8)
    cv2.fillPoly(opacity, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    # Shrunk and feathered so that no seam of the old background shows.
    opacity = cv2.GaussianBlur(cv2.erode(opacity, np.ones((3, 3), np.uint8)), (0, 0), 1.2)
    return Portrait(np.dstack([canvas, opacity]), landmarks * scale + offset, photograph.rest, photograph.collar)


def _steady_landmarks(image: np.ndarray, predictor: LandmarkPredictor, detector: FaceDetector) -> np.ndarray:
    """Return (68, 2) landmarks, the median over scales and box positions: single ones are off by several pixels."""
    found = []
    for scale in (0.6, 0.7, 0.8, 1.0, 1.2):
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for box in detector.detect(scaled)[:1]:
            step = 0.05 * (box.right - box.left)
            for x in (-step, 0, step):
                for y in (-step, 0, step):
                    moved = Box(box.left + x, box.top + y, box.right + x, box.bottom + y)
                    found.append(predictor.predict(scaled, moved).astype(np.float64) / scale)
    return np.median(found, axis=0)
