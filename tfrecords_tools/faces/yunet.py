"""Find faces with YuNet, a small network that OpenCV runs from a model file of the user."""

import os
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box, box_of_points, crop_around

WHERE = "Give a YuNet file such as face_detection_yunet_2023mar.onnx of OpenCV's model zoo"


class YuNetDetector:
    """Find faces with YuNet; their boxes are as dlib's, from which the landmarks start."""

    COLUMNS = 15  # for each face: left, top, width, height, x and y of five points, score
    REACH = 2.0  # side of the region that is searched around a box, in sides of the box

    def __init__(self, model: str | os.PathLike, min_score: float = 0.7):
        """Load a model.

        Args:
          model: path of the ONNX file.
          min_score: least score of a face, in [0, 1].

        Raises:
          UserError: if there is no such file, or it is no YuNet.
        """
        path = Path(model)
        if not path.is_file():
            raise UserError(f"{path}: the YuNet model must be a file. Received: no such file. {WHERE}.")
        try:
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), min_score)
            self._detect(np.zeros((320, 320, 3), np.uint8))
        except (cv2.error, ValueError, SystemError) as error:
            raise UserError(
                f"{path}: must be a YuNet model. Received: a file that OpenCV cannot run as one "
                f"({str(error).strip().splitlines()[-1][:120]}). {WHERE}."
            ) from None

    def detect(self, image: np.ndarray) -> list[Box]:
        """Return the faces of a frame, (height, width, 3) uint8 RGB, the surest first."""
        faces = self._detect(image)
        return [box_of_points(face[4:14].reshape(5, 2)) for face in faces[np.argsort(-faces[:, 14], kind="stable")]]

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        """Return the faces in and around `box`, the surest first."""
        region, left, top = crop_around(image, box, self.REACH)
        if min(region.shape[:2]) < 2:
            return []
        return [found.moved(left, top) for found in self.detect(np.ascontiguousarray(region))]

    def _detect(self, image: np.ndarray) -> np.ndarray:
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        _, faces = self._detector.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if faces is None:
            return np.zeros((0, self.COLUMNS), np.float32)
        if faces.ndim != 2 or faces.shape[1] != self.COLUMNS:
            raise ValueError(f"its faces have shape {faces.shape}, not (n, {self.COLUMNS})")
        return faces
