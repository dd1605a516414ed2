"""How videos are packed."""

import dataclasses
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.face_settings import FaceSettings
from tfrecords_tools.faces.tracking import EVERY
from tfrecords_tools.files import sha256_of
from tfrecords_tools.layouts.labels import MAX_HOLE
from tfrecords_tools.packing.annotator_choice import RELABELLED
from tfrecords_tools.packing.labelling import Chosen


@dataclass(frozen=True)
class PackOptions:
    """How videos are packed.

    Attributes:
      landmark_model: path of dlib's 68-point model; None is the one that `landmarks.find_model` finds.
      aligner: how the face is cut out.
      upsample: times a frame is doubled before detection; each finds faces half as large, at four times the cost.
      length_tolerance: by how many frames an annotation may be longer or shorter than its video.
      every: frames from one that is searched whole to the next, see `tracking.follow_faces`.
      fps: fixed rate that frames are converted to; None keeps those of the video.
      detect: detect faces even where they come with the dataset, and use those only to choose between several.
      detector: what finds faces, one of `face_settings.DETECTORS`.
      landmarks: whose 68 points, one of `face_settings.LANDMARKS`.
      yunet_model: path of a YuNet model, for the detector `yunet`.
      annotators: whose mean is the label, as entries that `annotator_choice.parse` reads: `anna`, `anna:valence`,
        `nearest:arousal`; empty keeps the dataset's own label.
      annotator_splits: the splits that `annotators` labels; the others keep the dataset's own label.
      chosen: names of those whose mean is the label of one video, by dimension; `pack` sets it.
      delays: names of annotators and the seconds by which each is late, see `labelling.labels_of_frames`.
      max_hole: seconds between two rows of an annotation with times beyond which there is a hole without labels.
    """

    landmark_model: str | Path | None = None
    aligner: Aligner = field(default_factory=Aligner)
    upsample: int = 0
    length_tolerance: int = 1
    every: int = EVERY
    fps: float | None = None
    detect: bool = False
    detector: str = FaceSettings.detector
    landmarks: str = FaceSettings.landmarks
    yunet_model: str | Path | None = None
    annotators: tuple[str, ...] = ()
    annotator_splits: tuple[str, ...] = RELABELLED
    chosen: Chosen = ()
    delays: tuple[tuple[str, float], ...] = ()
    max_hole: float = MAX_HOLE

    @property
    def finder(self) -> FaceFinder:
        """What finds faces and landmarks, the same for equal options of one process.

        Raises:
          UserError: if detector and model do not belong together.
        """
        return _finder(self.detector, self.landmarks, self.upsample, self.yunet_model, self.landmark_model)

    def deciding(self) -> dict:
        """Return those that decide the records, as JSON can hold them; of a model its content, not its path."""
        described = dataclasses.asdict(self)
        del described["landmark_model"], described["annotators"], described["annotator_splits"]  # they are in `chosen`
        for name in ("chosen", "delays"):  # without them a video is what it was before they were options
            if not described[name]:
                del described[name]
        if self.yunet_model is not None:
            described["yunet_model"] = sha256_of(Path(self.yunet_model))
        return described


@cache
def _finder(
    detector: str, landmarks: str, upsample: int, yunet_model: str | Path | None, landmark_model: str | Path | None
) -> FaceFinder:
    # Loading the 68-point model takes a second, so it is loaded once per process.
    return FaceFinder(detector, landmarks, upsample=upsample, yunet_model=yunet_model, landmark_model=landmark_model)
