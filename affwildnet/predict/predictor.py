"""Prediction in Python: one image in, one prediction out; or the crops of a sequence at once."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from affwildnet.predict import loading
from affwildnet.predict.runners import Network
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.association import Seen, associate, histogram
from tfrecords_tools.faces.boxes import Box, Detector
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.yunet import YuNetDetector
from tfrecords_tools.video.images import IMAGE_FPS

CALL = 64  # frames, the most that one call of the network takes: its memory does not grow with the sequence


@dataclass(frozen=True)
class Prediction:
    """What is told of one image.

    Attributes:
      valence, arousal: the prediction, in the range of the corpus that the network was trained on.
      box: the face, in the image's pixels.
      landmarks: (68, 2) float32, in the image's pixels.
    """

    valence: float
    arousal: float
    box: Box
    landmarks: np.ndarray


class FaceFinder:
    """Finds the faces of images and their landmarks, as packing does; its models are loaded when first needed.

    Args:
      upsample: times an image is doubled before dlib's detector sees it.
      yunet_model: path of a YuNet model to find faces with instead.
      landmark_model: path of the 68-point model, see `landmarks.find_model`.
    """

    def __init__(
        self,
        upsample: int = 0,
        yunet_model: str | os.PathLike | None = None,
        landmark_model: str | os.PathLike | None = None,
    ):
        self._upsample, self._yunet_model, self._landmark_model = upsample, yunet_model, landmark_model

    @cached_property
    def detector(self) -> Detector:
        """Raise a `UserError` if there is no such model, or dlib is not installed."""
        return YuNetDetector(self._yunet_model) if self._yunet_model else _with_dlib(FaceDetector, self._upsample)

    @cached_property
    def predictor(self) -> LandmarkPredictor:
        """Raise a `UserError` if there is no such model, or dlib is not installed."""
        return _with_dlib(LandmarkPredictor, find_model(self._landmark_model))


class Predictor:
    """A network that follows one face from image to image and remembers what it saw.

    Attributes:
      network: as it was loaded.
      aligner: cuts faces out as the packing of its corpus did.
      finder: finds faces and landmarks.
      told: lines that say what was loaded.
    """

    def __init__(
        self, network: Network, aligner: Aligner, finder: FaceFinder | None = None, told: tuple[str, ...] = ()
    ):
        self.network, self.aligner, self.finder, self.told = network, aligner, finder or FaceFinder(), told
        self.reset()

    @classmethod
    def load(
        cls,
        model: str | os.PathLike,
        *,
        alignment: str | None = None,
        margin: float | None = None,
        precision: str | None = None,
        finder: FaceFinder | None = None,
    ) -> "Predictor":
        """Load a `.keras` file, the best checkpoint of a working directory, or a SavedModel; see `loading.load`."""
        loaded = loading.load(Path(model), alignment, margin, precision)
        return cls(loaded.network, loaded.aligner, finder, loaded.told)

    def reset(self) -> None:
        """Forget all that was seen: the next image is the first one of a video."""
        self._states = self.network.initial_states()
        self._seen: Seen | None = None
        self._images = 0

    def step(self, image: np.ndarray) -> Prediction | None:
        """Return the prediction for the next image of a video; None, changing nothing else, if no face is found.

        The face is searched for near where it was, and else in the whole image. Where another one is found than before,
        the largest, the states begin afresh.

        Args:
          image: (height, width, 3) uint8 RGB, upright.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise UserError(
                f"`image` must be uint8 RGB of the shape (height, width, 3). Received: {image.dtype} {image.shape}."
            )
        self._images += 1
        box = self._find(image)
        if box is None:
            return None
        landmarks = self.finder.predictor.predict(image, box)
        valence, arousal = self.step_face(*self.aligner(image, box, landmarks))
        return Prediction(float(valence), float(arousal), box, landmarks)

    def step_face(self, face: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Return (2,) float32 valence and arousal for the next face of a video.

        Args:
          face: (S, S, 3) uint8 RGB, cut out as `aligner` does.
          landmarks: (68, 2) float32 in the crop, divided by its side, where the network looks at them.

        Raises:
          UserError: if they have another shape or type.
        """
        points = None if landmarks is None else np.asarray(landmarks)[None]
        predictions, self._states = self.network.run(np.asarray(face)[None], points, self._states)
        return predictions[0]

    def prediction(self, faces: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Return (T, 2) float32 for a whole sequence, which begins afresh; what `step` remembers is not touched.

        Args:
          faces: (T, S, S, 3) uint8 RGB, cut out as `aligner` does.
          landmarks: (T, 68, 2) float32 in the crops, divided by their side, where the network looks at them.

        Raises:
          UserError: if they have another shape or type, or there is no face.
        """
        if landmarks is not None and len(landmarks) != len(faces):
            raise UserError(f"`landmarks` must be as many as the {len(faces)} faces. Received: {len(landmarks)}.")
        states, found = self.network.initial_states(), []
        for begin in range(0, max(1, len(faces)), CALL):
            part = slice(begin, begin + CALL)
            points = None if landmarks is None else landmarks[part]
            predictions, states = self.network.run(faces[part], points, states)
            found.append(predictions)
        return np.concatenate(found)

    def _find(self, image: np.ndarray) -> Box | None:
        before = [] if self._seen is None else [self._seen]
        detector = self.finder.detector
        found = detector.detect_near(image, before[0].box) if before else []
        same = self._same(image, before, found)
        if same is None:
            found = detector.detect(image)
            same = self._same(image, before, found)
        if same is None:
            if not found:
                return None
            same = self._appearance(image, max(found, key=lambda box: box.area))
            self._states = self.network.initial_states()
        self._seen = same
        return same.box

    def _same(self, image: np.ndarray, before: list[Seen], found: list[Box]) -> Seen | None:
        now = [self._appearance(image, box) for box in found]
        return next((now[index] for index in associate(before, now)), None)

    def _appearance(self, image: np.ndarray, box: Box) -> Seen:
        # Images come without times: 25 of them are taken for a second.
        return Seen(box, histogram(image, box), self._images / IMAGE_FPS)


def _with_dlib(make, *arguments):
    try:
        return make(*arguments)
    except ImportError:
        raise UserError('Finding faces needs dlib: pip install "affwildnet[faces]"') from None
