"""Prediction in Python: from one frame of a video after the other, or from the crops of a whole sequence at once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.predict.face_stream import CausalFaces
from affwildnet.predict.frame_faces import Recent
from affwildnet.predict.loading import load_network
from affwildnet.predict.network_faces import settings
from affwildnet.predict.stateful_networks import StatefulNetwork, States
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.tracking import EVERY
from tfrecords_tools.video.images import IMAGE_FPS
from tfrecords_tools.video.reading import Frame

CALL = 64  # frames, the most in one call of the network: memory does not grow with the length of a sequence


@dataclass(frozen=True)
class Prediction:
    """The prediction for the face in one frame.

    Attributes:
      valence: in the range of the corpus that the network was trained on.
      arousal: as valence.
      box: box of the face, in the frame's pixels.
      landmarks: (68, 2) float32, in the frame's pixels.
      track: number of the face in the video, from 1.
    """

    valence: float
    arousal: float
    box: Box
    landmarks: np.ndarray
    track: int = 1


class Predictor:
    """A trained network that follows one face from frame to frame and carries its recurrent states.

    Example:

    ```python
    predictor = affwildnet.Predictor.load("runs/demo")  # or a .keras file, or a SavedModel
    for frame in frames:  # (height, width, 3) uint8 RGB, of one video in order
        prediction = predictor.step(frame)  # None where there is no face
        if prediction is not None:
            print(prediction.valence, prediction.arousal, prediction.box)
    predictor.reset()  # before another video
    ```

    Args:
      network: the network, such as `load_network` returns.
      aligner: cuts out crops as the packing of the network's corpus did.
      finder: finds faces and landmarks; by default as packing does by default.
      description: lines of text on what was loaded.
      path: where the network was loaded from; None for one in memory.
      precision: that it computes in; None is that of its file.
      every: every how many frames `step` searches the whole frame for faces.
    """

    def __init__(
        self,
        network: StatefulNetwork,
        aligner: Aligner,
        finder: FaceFinder | None = None,
        description: str = "",
        path: Path | None = None,
        precision: str | None = None,
        every: int = EVERY,
    ):
        self.network, self.aligner, self.finder = network, aligner, finder or FaceFinder()
        self.description, self.path, self._precision, self._every = description, path, precision, every
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
        every: int = EVERY,
    ) -> "Predictor":
        """Load a network; see `loading.load_network` for the arguments and errors.

        Args:
          model: a `.keras` file, the working directory of a run (its best checkpoint), or the folder of a SavedModel.
          alignment: how crops are cut out, if the file does not say.
          margin: as `alignment`.
          precision: "float32" or "bfloat16"; None keeps that of the file.
          finder: finds faces and landmarks; what it was not asked for is as in the corpus of the network.
          every: every how many frames `step` searches the whole frame for faces.
        """
        loaded = load_network(model, alignment, margin, precision, finder)
        return cls(loaded.network, loaded.aligner, loaded.finder, loaded.description, loaded.path, precision, every)

    def settings(self) -> dict[str, Any]:
        """Return what predictions depend on besides the network's weights and the video, as JSON can hold it."""
        return settings(self.aligner, self.finder, self._precision)

    def for_another_video(self) -> "Predictor":
        """Return a predictor with the same models, and nothing seen yet."""
        return Predictor(
            self.network, self.aligner, self.finder, self.description, self.path, self._precision, self._every
        )

    def reset(self) -> None:
        """Forget everything seen so far: the next frame is the first one of a video."""
        self._states: Recent[int, States] = Recent()
        self._crop_states = self.network.initial_states()
        self._faces: CausalFaces | None = None
        self._frames = 0

    def step(self, frame: np.ndarray, seconds: float | None = None) -> Prediction | None:
        """Return the prediction for the next frame of a video, or None if there is no face in it.

        The face is followed as the command `predict` follows it, see `face_stream.CausalFaces` and `OneFace`: the
        largest at first, and then the same one. When it has been away for more than a second, the largest face takes
        its place, and the states start at zero. A frame without a face leaves the states as they are.

        Args:
          frame: (height, width, 3) uint8 RGB, upright.
          seconds: when it is shown, later than the one before; None is 25 frames a second.

        Raises:
          UserError: if the frame has another shape or type, or if no detector is installed.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise UserError(
                f"`frame` must be uint8 RGB of the shape (height, width, 3). Received: {frame.dtype} {frame.shape}."
            )
        if self._faces is None:
            finder = self.finder
            self._faces = CausalFaces(
                finder.detector, finder.predictor, self.aligner, every=self._every, recogniser=finder.recogniser
            )
        seconds = self._frames / IMAGE_FPS if seconds is None else seconds
        self._frames += 1
        found = self._faces.step(Frame(self._frames, seconds, frame, self._frames))
        if not found.faces:
            return None
        (face,) = found.faces
        before = self._states.get(face.track) or self.network.initial_states()
        predictions, self._states[face.track] = self.network.run(face.crop[None], face.points[None], before)
        valence, arousal = predictions[0]
        return Prediction(float(valence), float(arousal), face.box, face.landmarks, face.track)

    def step_crop(self, crop: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Return (2,) float32 valence and arousal for the next crop of a video, apart from what `step` follows.

        Args:
          crop: (S, S, 3) uint8 RGB, cut out as `aligner` does.
          landmarks: (68, 2) float32 in the crop, divided by its side; needed if the network uses landmarks.

        Raises:
          UserError: if crop or landmarks have another shape or type.
        """
        points = None if landmarks is None else np.asarray(landmarks)[None]
        predictions, self._crop_states = self.network.run(np.asarray(crop)[None], points, self._crop_states)
        return predictions[0]

    def predict(self, crops: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Return (T, 2) float32 valence and arousal for a whole sequence, apart from the video that `step` follows.

        Args:
          crops: (T, S, S, 3) uint8 RGB, cut out as `aligner` does.
          landmarks: (T, 68, 2) float32 in the crops, divided by their side; needed if the network uses landmarks.

        Raises:
          UserError: if crops or landmarks have another shape or type, or there is no crop.
        """
        if landmarks is not None and len(landmarks) != len(crops):
            raise UserError(f"`landmarks` must be as many as the {len(crops)} crops. Received: {len(landmarks)}.")
        states, found = self.network.initial_states(), []
        for begin in range(0, max(1, len(crops)), CALL):
            part = slice(begin, begin + CALL)
            points = None if landmarks is None else landmarks[part]
            predictions, states = self.network.run(crops[part], points, states)
            found.append(predictions)
        return np.concatenate(found)
