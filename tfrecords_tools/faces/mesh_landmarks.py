"""The 68 landmarks of a face in the order of iBUG 300-W, taken from MediaPipe's face mesh.

They are free of the licence of the 300-W data, which dlib's landmarks are bound to, and they are not the same points:
in the mean over real faces, eyes, nose and mouth lie 4 % of the distance between the outer eye corners from dlib's,
brows 6 %, the jaw 9 %. A network takes the kind that it was trained on.
"""

import numpy as np

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.face_mesh import FaceMesh, region_of

# The vertex of each landmark: of those on the same part of the face, on both sides alike, the nearest to dlib's on 131
# faces of fifteen people.
VERTICES = (
    *(127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356),  # jaw
    *(70, 63, 105, 66, 55, 285, 296, 334, 293, 300),  # brows
    *(168, 197, 5, 4, 240, 97, 2, 326, 460),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer border of the lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner border
)


class MeshLandmarks:
    """Predict the 68 landmarks of a face."""

    def __init__(self):
        """Load the network; raise a `UserError` if it is not installed."""
        self._mesh = FaceMesh()

    def predict(self, image: np.ndarray, box: Box) -> np.ndarray:
        """Return (68, 2) float32 x, y in source pixels, for a (height, width, 3) uint8 RGB image."""
        return self._mesh(image, region_of(box)).points[list(VERTICES)].astype(np.float32)
