"""The image of a face as a record holds it."""

import cv2
import numpy as np

from tfrecords_tools.records import schema


def encode_face(face: np.ndarray) -> bytes:
    """Return the JPEG of a (size, size, 3) uint8 RGB face."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, schema.JPEG_QUALITY]
    encoded, jpeg = cv2.imencode(".jpg", cv2.cvtColor(face, cv2.COLOR_RGB2BGR), flags)
    if not encoded:
        raise RuntimeError(f"A face of shape {face.shape} could not be encoded as JPEG.")
    return jpeg.tobytes()
