"""Two public-domain portraits as movable heads: cut out, with landmarks, and warped along expression axes.

The portraits come with installed packages: Eileen Collins (NASA) from scikit-image and Grace Hopper (US Navy) from
matplotlib. All lengths are in units of the distance between the outer corners of the eyes, which is EYE_DISTANCE pixels
on the canvas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.records import schema

CANVAS = (560, 460)  # width, height in pixels
EYES = (280.0, 150.0)  # where the point between the eyes lies on the canvas
EYE_DISTANCE = 80.0
FACE_LEFT, FACE_TOP, FACE_WIDTH, FACE_HEIGHT = 144, 32, 272, 320  # the part of the canvas that expressions move
FIELD_STEP = 4  # pixels between the points of the grid that holds the displacements, which are smooth

# The outline of head and bust in pixels of the photograph, found with GrabCut and simplified.
COLLINS_OUTLINE = (
    *((277, 32), (247, 18), (223, 17), (201, 23), (186, 37), (158, 56), (153, 68), (156, 101), (172, 125), (182, 135)),
    *((182, 145), (179, 148), (157, 150), (139, 159), (132, 166), (120, 189), (121, 197), (62, 250), (41, 291)),
    *((26, 343), (22, 400), (283, 400), (298, 366), (333, 356), (362, 349), (356, 303), (341, 264), (331, 253)),
    *((304, 233), (289, 203), (276, 189), (256, 173), (256, 164), (264, 149), (266, 140), (292, 114), (300, 92)),
    *((299, 73), (295, 56), (288, 43)),
)
HOPPER_OUTLINE = (
    *((219, 31), (209, 44), (195, 51), (182, 63), (174, 84), (156, 101), (149, 102), (145, 106), (146, 193)),
    *((152, 201), (160, 226), (171, 263), (177, 268), (192, 267), (202, 299), (203, 314), (174, 339), (123, 359)),
    *((108, 362), (48, 394), (37, 415), (27, 459), (17, 526), (11, 720), (508, 720), (508, 437), (493, 395)),
    *((488, 390), (466, 378), (420, 365), (363, 341), (337, 321), (329, 311), (330, 300), (336, 287), (339, 271)),
    *((343, 268), (354, 267), (360, 262), (367, 236), (368, 201), (373, 189), (368, 181), (371, 134), (369, 103)),
    *((361, 87), (352, 83), (346, 68), (336, 57), (319, 46), (302, 42), (281, 27), (270, 24), (249, 23)),
)

MOUTH_CORNERS = {48: 1.0, 60: 1.0, 49: 0.5, 59: 0.5, 54: 1.0, 64: 1.0, 53: 0.5, 55: 0.5}
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)  # paired: one above the other
JAW_DROP = {4: 0.1, 5: 0.35, 6: 0.65, 7: 0.85, 8: 0.9, 9: 0.85, 10: 0.65, 11: 0.35, 12: 0.1}
LOWER_LIP = {48: 0.3, 60: 0.35, 59: 0.75, 58: 1.0, 57: 1.0, 56: 1.0, 55: 0.75, 54: 0.3, 64: 0.35}
DEPTHS = {27: 0.5, 28: 0.7, 29: 0.9, 30: 1.0, 31: 0.7, 32: 0.8, 33: 0.85, 34: 0.8, 35: 0.7}  # of the nose
AXES = ("smile", "frown", "lids", "open", "brow", "pucker", "yaw", "pitch")


@dataclass(frozen=True)
class Portrait:
    """A head and bust on a canvas.

    Attributes:
      image: (460, 560, 4) uint8, RGB and opacity.
      landmarks: (68, 2) float64 x, y in canvas pixels.
      rest: coefficients of the expression axes that make the portrait look neutral, by name.
      collar: how far below the eyes only clothes are left, in eye distances.
    """

    image: np.ndarray
    landmarks: np.ndarray
    rest: dict[str, float]
    collar: float


@dataclass(frozen=True)
class Photograph:
    """What a portrait is made from: pixels and outline of a photograph, and `rest` and `collar` of the portrait."""

    load: Callable[[], np.ndarray]
    outline: tuple[tuple[int, int], ...]
    rest: dict[str, float]
    collar: float


def _collins() -> np.ndarray:
    import skimage.data  # optional

    return skimage.data.astronaut()


def _hopper() -> np.ndarray:
    import matplotlib.cbook  # optional

    path = Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


PHOTOGRAPHS = (
    Photograph(_collins, COLLINS_OUTLINE, {"smile": -0.75, "open": -0.35}, collar=1.5),
    Photograph(_hopper, HOPPER_OUTLINE, {}, collar=2.0),
)


def load_portraits(landmark_model: Path | str | None = None) -> list[Portrait]:
    """Return the two portraits.

    Args:
      landmark_model: path of dlib's 68-point model; None lets `find_model` look for it.

    Raises:
      UserError: if scikit-image, matplotlib, dlib or the landmark model is missing.
    """
    model = find_model(landmark_model)
    try:
        predictor, detector = LandmarkPredictor(model), FaceDetector()
        images = [(photograph, photograph.load()) for photograph in PHOTOGRAPHS]
    except ImportError as error:
        raise UserError(
            "The sample corpus needs dlib, scikit-image and matplotlib. "
            f"Received: no module {error.name}. Get it with `pip install dlib-bin scikit-image matplotlib`."
        ) from error
    return [_portrait(photograph, image, predictor, detector) for photograph, image in images]


def _portrait(
    photograph: Photograph, image: np.ndarray, predictor: LandmarkPredictor, detector: FaceDetector
) -> Portrait:
    landmarks = _steady_landmarks(image, predictor, detector)
    left_eye, right_eye = landmarks[36], landmarks[45]
    scale = EYE_DISTANCE / np.linalg.norm(right_eye - left_eye)
    offset = np.array(EYES) - scale * (left_eye + right_eye) / 2
    place = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    canvas = cv2.warpAffine(image, place, CANVAS, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outline = np.array(photograph.outline) * scale + offset
    opacity = np.zeros(CANVAS[::-1], np.uint8)
    cv2.fillPoly(opacity, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    # Shrunk and feathered so that no seam of the old background shows.
    opacity = cv2.GaussianBlur(cv2.erode(opacity, np.ones((3, 3), np.uint8)), (0, 0), 1.2)
    return Portrait(np.dstack([canvas, opacity]), landmarks * scale + offset, photograph.rest, photograph.collar)


def _steady_landmarks(image: np.ndarray, predictor: LandmarkPredictor, detector: FaceDetector) -> np.ndarray:
    """Return (68, 2) landmarks, the median over scales and box positions: single ones are off by several pixels."""
    found = []
    for scale in (0.6, 0.7, 0.8, 1.0, 1.2):
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for box in detector.detect(scaled)[:1]:
            step = 0.05 * (box.right - box.left)
            for x in (-step, 0, step):
                for y in (-step, 0, step):
                    moved = Box(box.left + x, box.top + y, box.right + x, box.bottom + y)
                    found.append(predictor.predict(scaled, moved).astype(np.float64) / scale)
    return np.median(found, axis=0)


def expression_offsets(landmarks: np.ndarray) -> np.ndarray:
    """Return what one unit of each expression axis adds to the landmarks.

    Args:
      landmarks: (68, 2) canvas pixels of the neutral face.

    Returns:
      (8, 68, 2) canvas pixels, in the order of AXES; y points down. `lids` at 1 closes the eyes.
    """
    smile, frown, lids, opened, brow, pucker, yaw, pitch = offsets = np.zeros((len(AXES), 68, 2))
    outwards = np.sign(landmarks[:, 0] - landmarks[33, 0])
    for point, weight in MOUTH_CORNERS.items():
        smile[point] = weight * 0.06 * outwards[point], weight * -0.1
        pucker[point] = weight * -0.06 * outwards[point], 0
    for point in (51, 57, 62, 66):
        smile[point] = 0, 0.02
    for point in LOWER_LIDS:
        smile[point] = 0, -0.02
    for point, inwards, down in ((21, 0.04, 0.06), (22, -0.04, 0.06), (20, 0.03, 0.04), (23, -0.03, 0.04)):
        frown[point] = inwards, down
    frown[[17, 26], 1] = -0.02
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        aperture = (landmarks[lower, 1] - landmarks[upper, 1]) / EYE_DISTANCE
        lids[upper, 1], lids[lower, 1] = 0.8 * aperture, -0.2 * aperture
    for point, weight in {**JAW_DROP, **LOWER_LIP, 65: 1.0, 66: 1.0, 67: 1.0}.items():
        opened[point, 1] = 0.17 * weight
    for point in (48, 60, 54, 64):
        opened[point, 0] = -0.02 * outwards[point]
    brow[17:27, 1] = -0.08, -0.09, -0.09, -0.09, -0.08, -0.08, -0.09, -0.09, -0.09, -0.08
    depth = np.zeros(68)
    depth[17:48], depth[48:] = 0.4, 0.6
    depth[list(DEPTHS)] = list(DEPTHS.values())
    yaw[:, 0] = pitch[:, 1] = 0.15 * depth
    return offsets * EYE_DISTANCE


def displacement_fields(landmarks: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return landmark offsets interpolated over the face's part of the canvas with thin-plate splines.

    A field is linear in the offsets, so that one per axis serves all frames. It fades to 0 towards the border.

    Args:
      landmarks: (68, 2) canvas pixels.
      offsets: (axes, 68, 2) canvas pixels.

    Returns:
      (axes, FACE_HEIGHT / FIELD_STEP, FACE_WIDTH / FIELD_STEP, 2) float32 canvas pixels.
    """
    centre = np.array([EYES[0], EYES[1] + 0.5 * EYE_DISTANCE])
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angles), 1.15 * np.sin(angles)], 1) * 1.45 * EYE_DISTANCE + centre
    points = np.concatenate([landmarks, ring]) / EYE_DISTANCE
    values = np.concatenate([offsets, np.zeros((len(offsets), len(ring), 2))], 1)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    # Landmarks of a closed mouth almost coincide: some smoothing keeps the spline from overshooting there.
    system[:count, :count] = _thin_plate(points, points) + 5e-4 * np.eye(count)
    system[:count, count:] = np.c_[points, np.ones(count)]
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, len(offsets) * 2))
    right[:count] = values.transpose(1, 0, 2).reshape(count, -1)
    weights = np.linalg.solve(system, right)

    x = FACE_LEFT + FIELD_STEP * (np.arange(FACE_WIDTH // FIELD_STEP) + 0.5) - 0.5
    y = FACE_TOP + FIELD_STEP * (np.arange(FACE_HEIGHT // FIELD_STEP) + 0.5) - 0.5
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    fields = np.c_[_thin_plate(grid / EYE_DISTANCE, points), grid / EYE_DISTANCE, np.ones(len(grid))] @ weights
    distance = np.linalg.norm((grid - centre) / (1.0, 1.15), axis=1) / EYE_DISTANCE
    fields *= np.clip((1.65 - distance) / 0.25, 0, 1)[:, None]
    return fields.reshape(len(y), len(x), len(offsets), 2).transpose(2, 0, 1, 3).astype(np.float32)


def _thin_plate(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squared = ((points[:, None] - centres[None]) ** 2).sum(-1)
    return squared * np.log(squared + 1e-12)


@dataclass(frozen=True)
class Rig:
    """A portrait with the fields that move its face.

    Attributes:
      portrait: the neutral head.
      offsets: (8, 68, 2) canvas pixels, from `expression_offsets`.
      fields: (8, rows, columns, 2) float32 canvas pixels, from `displacement_fields`.
    """

    portrait: Portrait
    offsets: np.ndarray
    fields: np.ndarray


def rig(portrait: Portrait) -> Rig:
    """Return a portrait with its displacement fields, which serve all frames."""
    offsets = expression_offsets(portrait.landmarks)
    return Rig(portrait, offsets, displacement_fields(_parted_lips(portrait.landmarks), offsets))


def _parted_lips(landmarks: np.ndarray) -> np.ndarray:
    # The lips of a closed mouth coincide, but only one of them is to move.
    parted = landmarks.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        missing = max(0.0, 0.04 * EYE_DISTANCE - (parted[lower, 1] - parted[upper, 1]))
        parted[upper, 1] -= missing / 2
        parted[lower, 1] += missing / 2
    return parted


def express(rig: Rig, coefficients: np.ndarray) -> np.ndarray:
    """Return the portrait with an expression: (460, 560, 4) uint8, RGB and opacity.

    Args:
      rig: the portrait and its fields.
      coefficients: (8,) float, in the order of AXES; about -1 to 1.
    """
    # Not a matrix product, whose threads would compete with those of the other processes.
    shift = np.einsum("a,ahwc->hwc", coefficients.astype(np.float32), rig.fields)
    shift = cv2.resize(shift, (FACE_WIDTH, FACE_HEIGHT), interpolation=cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(FACE_WIDTH, dtype=np.float32), np.arange(FACE_HEIGHT, dtype=np.float32))
    rows, columns = slice(FACE_TOP, FACE_TOP + FACE_HEIGHT), slice(FACE_LEFT, FACE_LEFT + FACE_WIDTH)
    image = rig.portrait.image.copy()
    neutral = image[rows, columns]
    image[rows, columns] = cv2.remap(
        neutral, x - shift[..., 0], y - shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if coefficients[AXES.index("open")] > 0:
        _paint_mouth(image, rig, coefficients)
    return image


def _paint_mouth(image: np.ndarray, rig: Rig, coefficients: np.ndarray) -> None:
    """Darken, in `image`, the gap that the lower lip leaves and that stretched lips would fill."""
    landmarks = rig.portrait.landmarks
    moved = landmarks + np.einsum("a,alc->lc", coefficients, rig.offsets)
    upper, lower = [60, 61, 62, 63, 64], [60, 67, 66, 65, 64]
    # Teeth that the portrait shows belong to the upper jaw: the gap starts below them.
    outline = np.concatenate([moved[upper] + landmarks[lower] - landmarks[upper], moved[lower[::-1]]])
    left, top, width, height = cv2.boundingRect(np.round(outline).astype(np.int32))
    left, top, width, height = left - 8, top - 8, width + 16, height + 16  # room for the feather
    gap = np.zeros((height, width), np.uint8)
    cv2.fillPoly(gap, [np.round((outline - (left, top)) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    opacity = cv2.GaussianBlur(gap, (0, 0), 1.2)[..., None] / 255 * min(1.0, 5 * coefficients[AXES.index("open")])
    mouth = image[top : top + height, left : left + width, :3]
    x, y = np.round(moved[30]).astype(int)
    inside = image[y, x, :3] * (0.26, 0.12, 0.12)  # in proportion to the light on the nose
    mouth[...] = np.round(mouth * (1 - opacity) + inside * opacity).astype(np.uint8)


def vary_identity(portrait: Portrait, rng: np.random.Generator) -> Portrait:
    """Return a portrait with another face: other proportions, skin, hair and clothes, perhaps mirrored."""
    image, landmarks = portrait.image, portrait.landmarks
    x, y = np.meshgrid(np.arange(CANVAS[0], dtype=np.float64), np.arange(CANVAS[1], dtype=np.float64))
    across, down = rng.normal(0, (0.05, 0.04, 0.05, 0.01)), rng.normal(0, (0.04, 0.05, 0.03, 0.04))
    across, down = across.clip(-0.07, 0.07), down.clip(-0.07, 0.07)

    def shift(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, q = (x - EYES[0]) / EYE_DISTANCE, (y - EYES[1]) / EYE_DISTANCE - 0.5
        fade = EYE_DISTANCE * np.exp(-(((p**2 + 0.75 * q**2) / 2.2) ** 2))
        return (
            fade * (across[0] * p + across[1] * p * q + across[2] * p * (p**2 - 0.5) + across[3] * q),
            fade * (down[0] * q + down[1] * (q**2 - 0.4) + down[2] * p**2 + down[3] * q * (q**2 - 0.5)),
        )

    shift_x, shift_y = shift(x, y)
    image = cv2.remap(image, (x - shift_x).astype(np.float32), (y - shift_y).astype(np.float32), cv2.INTER_CUBIC)
    moved = landmarks
    for _ in range(20):
        moved = landmarks + np.stack(shift(moved[:, 0], moved[:, 1]), 1)
    image = _vary_colours(image, portrait.collar, rng)
    if rng.random() < 0.5:
        image, moved = _mirrored(image, moved)
    return Portrait(image, moved, portrait.rest, portrait.collar)


def _vary_colours(image: np.ndarray, collar: float, rng: np.random.Generator) -> np.ndarray:
    colours = image[..., :3].astype(np.float32) / 255
    clothes = np.clip((np.arange(CANVAS[1]) - EYES[1] - collar * EYE_DISTANCE) / 25, 0, 1)[:, None, None]
    hue = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2HSV)
    hue[..., 0] = (hue[..., 0].astype(int) + rng.integers(180)) % 180
    dyed = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB).astype(np.float32) / 255
    tone = rng.uniform(0.72, 1.05) * np.array([1.0, rng.uniform(0.92, 1.04), rng.uniform(0.88, 1.1)])
    toned = tone * colours ** rng.uniform(0.75, 1.2)
    mixed = toned * (1 - clothes) + dyed * clothes
    return np.dstack([np.round(mixed.clip(0, 1) * 255).astype(np.uint8), image[..., 3]])


def _mirrored(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flipped = landmarks[list(schema.MIRRORED)] * (-1, 1) + (CANVAS[0] - 1, 0)
    return np.ascontiguousarray(image[:, ::-1]), flipped
