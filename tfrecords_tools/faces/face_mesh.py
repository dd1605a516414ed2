"""MediaPipe's face mesh: 468 points of a face that is about known, and whether there is a face at all.

Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, CVPR Workshop 2019.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.mediapipe_files import MESH, open_network
from tfrecords_tools.faces.region import Region

SIDE = 192  # pixels of the network's input
VERTICES = 468
# Side of the region that the mesh looks at, in sides of a box: on real faces of twelve people the mesh is 1.03 of them
# high, and it wants 1.5 times that.
ROOM = 1.54


def region_of(box: Box) -> Region:
    """Return the region in which the mesh finds the face of a box."""
    return Region(box.centre, ROOM * max(box.right - box.left, box.bottom - box.top), box.roll)


@dataclass(frozen=True)
class Mesh:
    """What the network sees in a region.

    Attributes:
      presence: how sure it is that there is a face, in [0, 1].
      points: (468, 2) float64 x, y in the frame's pixels.
    """

    presence: float
    points: np.ndarray


class FaceMesh:
    """The network, as OpenCV runs it."""

    def __init__(self):
        """Load the network; raise a `UserError` if it is not installed."""
        self._network = open_network(MESH)

    def __call__(self, image: np.ndarray, region: Region) -> Mesh:
        """Return the mesh of the face that fills two thirds of a region.

        Args:
          image: of the frame, (height, width, 3) uint8 RGB.
          region: where the face is about.
        """
        matrix = region.matrix(SIDE)
        upright = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        self._network.setInput(cv2.dnn.blobFromImage(upright, 1 / 255))
        presence, points = self._network.forward(("conv2d_30", "conv2d_20"))
        places = points.reshape(VERTICES, 3)[:, :2].astype(np.float64)
        back = np.linalg.inv(matrix[:, :2])
        return Mesh(float(1 / (1 + np.exp(-presence.item()))), (places - 0.5 - matrix[:, 2]) @ back.T)
