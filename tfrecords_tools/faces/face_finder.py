"""What finds faces and their landmarks, by name: the one place where packing and prediction choose it."""

import importlib
import os
from functools import cached_property
from typing import Any

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.faces import mediapipe_files, recognition
from tfrecords_tools.faces.blaze_detector import BlazeDetector
from tfrecords_tools.faces.boxes import Detector, Landmarks
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.face_settings import LANDMARKS, FaceSettings, detector_for
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.mesh_landmarks import MeshLandmarks
from tfrecords_tools.faces.recognition import FaceRecogniser
from tfrecords_tools.faces.yunet import YuNetDetector


class FaceFinder:
    """Finds faces and their landmarks; its models are loaded when they are first needed.

    Args:
      detector: one of `face_settings.DETECTORS`; None is `yunet` with a `yunet_model`, else `FaceSettings.detector`.
      landmarks: one of `face_settings.LANDMARKS`; None is `FaceSettings.landmarks`.
      upsample: how often a frame, or a part of it, is doubled in size before it is searched.
      yunet_model: path of a YuNet model, for the detector `yunet`.
      landmark_model: path of dlib's 68-point model, see `landmarks.find_model`.

    Raises:
      UserError: if the arguments do not belong together.
    """

    def __init__(
        self,
        detector: str | None = None,
        landmarks: str | None = None,
        *,
        upsample: int = 0,
        yunet_model: str | os.PathLike | None = None,
        landmark_model: str | os.PathLike | None = None,
    ):
        self.asked_detector, self.asked_landmarks = detector, landmarks
        self.detector_name = detector_for(detector, yunet_model)
        self.landmarks_name = FaceSettings.landmarks if landmarks is None else landmarks
        check_choice("landmarks", self.landmarks_name, LANDMARKS)
        self.upsample, self.yunet_model, self.landmark_model = upsample, yunet_model, landmark_model

    def instead_of_default(self, detector: str, landmarks: str) -> "FaceFinder":
        """Return a finder that takes these where this one was not asked for anything."""
        asked = self.asked_detector or (None if self.yunet_model else detector)
        return FaceFinder(
            asked,
            self.asked_landmarks or landmarks,
            upsample=self.upsample,
            yunet_model=self.yunet_model,
            landmark_model=self.landmark_model,
        )

    def settings(self) -> dict[str, Any]:
        """Return how faces are found, as JSON can hold it."""
        models = {"yunet_model": self.yunet_model, "landmark_model": self.landmark_model}
        return {
            "detector": self.detector_name,
            "landmarks": self.landmarks_name,
            "upsample": self.upsample,
            **{name: path and os.fspath(path) for name, path in models.items()},
        }

    @cached_property
    def detector(self) -> Detector:
        """The detector; raises a `UserError` if it, or its model, is not installed."""
        make = {
            "blaze": lambda: BlazeDetector(self.upsample),
            "dlib": lambda: _with_dlib(FaceDetector, self.upsample),
            "yunet": lambda: YuNetDetector(self.yunet_model),
        }
        return make[self.detector_name]()

    @cached_property
    def predictor(self) -> Landmarks:
        """The landmark predictor; raises a `UserError` if it, or its model, is not installed."""
        if self.landmarks_name == "mesh":
            return MeshLandmarks()
        return _with_dlib(LandmarkPredictor, find_model(self.landmark_model))

    @cached_property
    def recogniser(self) -> FaceRecogniser | None:
        """Distinguishes people whom places and colours confuse; None where its model, or dlib, is not installed."""
        if not recognition.is_installed():
            return None
        return FaceRecogniser(recognition.find_model(), lambda image, box: self.predictor.predict(image, box))

    def check_installed(self, detects: bool = True) -> None:
        """Raise a `UserError` unless the models are installed; load none that takes a second.

        Args:
          detects: whether the detector is needed, and not the landmarks alone.
        """
        needed = {self.landmarks_name, *([self.detector_name] if detects else [])}
        if needed & {"blaze", "mesh"}:
            for name in mediapipe_files.SHA256:
                mediapipe_files.find_file(name)
        if self.landmarks_name == "dlib":
            find_model(self.landmark_model)
        if "dlib" in needed:
            _with_dlib(importlib.import_module, "dlib")
        if "yunet" in needed:
            _ = self.detector
        if detects:
            recognition.find_model()  # which is checked if it is there


def _with_dlib(make, *arguments):
    try:
        return make(*arguments)
    except ImportError:
        raise UserError(
            "dlib is not installed. Get it with `pip install dlib-bin`, or take `detector` blaze and `landmarks` mesh."
        ) from None
