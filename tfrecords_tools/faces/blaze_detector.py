"""The detector `blaze`: BlazeFace proposes faces, and the face mesh says which are faces and where exactly."""

from collections.abc import Iterator

import numpy as np

from tfrecords_tools.faces.blaze import BlazeFace, Candidate
from tfrecords_tools.faces.boxes import Box, box_of_points, crop_around
from tfrecords_tools.faces.face_mesh import FaceMesh, Mesh, region_of
from tfrecords_tools.faces.region import Region

MIN_PRESENCE = 0.5
SURE = 0.85  # score from which BlazeFace alone is believed: of what is no face, one in four hundred gets that
TWICE = 0.5  # overlap from which two boxes are of one face
REACH = 3.0  # side of the region that is searched around a box, in sides of the box
MOVED = 0.12  # sides of the region: a face that lies farther from where it was looked for is looked at again there
TURNED = 0.3  # radians, in the same sense
# BlazeFace has one point for the mouth, and so a smaller square about its points, which lies lower.
WIDER, HIGHER = 1.1, 0.032
# Vertices of the mesh: the corners of the eyes, the tip of the nose, the corners of the mouth.
EYES, NOSE, MOUTH = ((33, 133), (362, 263)), 4, (61, 291)


class BlazeDetector:
    """Find faces; their boxes are as dlib's, from which the landmarks start, and say how the head is turned."""

    def __init__(self, upsample: int = 0):
        """Load both networks, which search frames whole and, `upsample` times, in parts half as large.

        Raises:
          UserError: if the networks are not installed.
        """
        # One for frames and one for regions: OpenCV allocates a network's memory anew for another size of its input.
        self._blaze, self._blaze_near, self._mesh = BlazeFace(), BlazeFace(), FaceMesh()
        self._upsample = upsample

    def detect(self, image: np.ndarray) -> list[Box]:
        """Return the faces of a frame, (height, width, 3) uint8 RGB, the surest first."""
        height, width = image.shape[:2]
        levels = range(self._upsample + 1)
        return self._in_parts(image, [part for level in levels for part in _parts(width, height, level)], self._blaze)

    def detect_near(self, image: np.ndarray, box: Box) -> list[Box]:
        """Return the faces in and around `box` that are about as large, the surest first.

        The mesh looks where the face should be. Only if it sees none there, BlazeFace searches the region.
        """
        if max(0, box.left) >= image.shape[1] or max(0, box.top) >= image.shape[0] or min(box.right, box.bottom) <= 0:
            return []
        found = self._face(image, region_of(box), sure=True)
        if found is not None:
            return [found]
        around, left, top = crop_around(image, box, REACH)
        part = left, top, left + around.shape[1], top + around.shape[0]
        return self._in_parts(image, [part], self._blaze_near)

    def _in_parts(self, image: np.ndarray, parts: list[tuple[int, int, int, int]], blaze: BlazeFace) -> list[Box]:
        found: list[tuple[float, Box]] = []
        for left, top, right, bottom in parts:
            for candidate in blaze(image[top:bottom, left:right]):
                box = _box_of(candidate).moved(left, top)
                if candidate.score < SURE:
                    box = self._face(image, region_of(box))
                if box is not None and all(box.overlap(other) <= TWICE for _, other in found):
                    found.append((candidate.score, box))
        return [box for _, box in sorted(found, key=lambda each: -each[0])]

    def _face(self, image: np.ndarray, region: Region, sure: bool = False) -> Box | None:
        """Return the face that about fills a region, or None.

        Where there is no face, the mesh may see one at first, but not again where it says that the face is.

        Args:
          image: of the frame.
          region: where to look.
          sure: whether one look is enough if the face lies where it was looked for.
        """
        mesh = self._mesh(image, region)
        if mesh.presence < MIN_PRESENCE:
            return None
        box = _box(mesh)
        if sure and _near(region, region_of(box)):
            return box
        mesh = self._mesh(image, region_of(box))
        return _box(mesh) if mesh.presence >= MIN_PRESENCE else None


def _parts(width: int, height: int, level: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield left, top, right, bottom of the parts of a frame, whose longer side is halved `level` times.

    They overlap by half, so that each face of a quarter of their side is whole in one.
    """
    side = -(-max(width, height) // 2**level)
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, min(width, left + side), min(height, top + side)


def _starts(length: int, side: int) -> list[int]:
    count = max(1, -(-2 * (length - side) // side) + 1)
    return [round(index * max(0, length - side) / max(1, count - 1)) for index in range(count)]


def _box_of(candidate: Candidate) -> Box:
    """Return the box that dlib would find, from the points of BlazeFace."""
    eyes, nose, mouth = candidate.points[:2], candidate.points[2], candidate.points[3]
    # On 132 real faces of fifteen people: within 2 % of the mesh's in size, 1.5 % of the side in place.
    box = box_of_points(np.stack([*eyes, nose, mouth, mouth]))
    side = WIDER * (box.right - box.left)
    x, y = box.centre[0] + HIGHER * side * np.sin(box.roll), box.centre[1] - HIGHER * side * np.cos(box.roll)
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2, box.roll)


def _near(one: Region, other: Region) -> bool:
    turn = (one.roll - other.roll + np.pi) % (2 * np.pi) - np.pi
    return abs(turn) <= TURNED and float(np.hypot(*np.subtract(one.centre, other.centre))) <= MOVED * one.side


def _box(mesh: Mesh) -> Box:
    eyes = [mesh.points[list(eye)].mean(0) for eye in EYES]
    return box_of_points(np.stack([*eyes, mesh.points[NOSE], *mesh.points[list(MOUTH)]]))
