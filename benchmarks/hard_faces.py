"""Faces that are hard to find, made afresh from the portraits of the sample corpus, and frames without a face.

Every frame is 640x360. The portraits are Eileen Collins (NASA, in scikit-image) and Grace Hopper (US Navy, in
matplotlib), each as photographed and with other proportions, skin and clothes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.faces.boxes import Box, box_of_points
from tfrecords_tools.sample.canvas import CANVAS, EYES
from tfrecords_tools.sample.identities import vary_identity
from tfrecords_tools.sample.portraits import Portrait, load_portraits

SIZE = (640, 360)
WIDTH = 110.0  # pixels from ear to ear, unless the face is small
KINDS = {
    "rolled": (15, -30, 45, -60, 75, -90, 90),  # degrees
    "small": (80, 64, 48, 40, 32, 26, 20),  # pixels from ear to ear
    "covered": ("mouth", "left half", "eyes", "right half", "forehead", "chin", "mouth and nose"),
    "dark": (0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05),  # share of the light, with the camera's noise
    "blurred": (1, 1.5, 2, 3, 4, 5, 6),  # standard deviation in pixels
    "turned": (15, -25, 35, -45, 50, -55, 60),  # degrees to one side, as a cylinder
    "noisy": (10, 20, 30, 40, 50, 60, 80),  # standard deviation in grey levels
}
EMPTY = 98
# Where a cover lies: left, top, right, bottom in eye distances from the point between the eyes.
_COVERS = {
    "mouth": (-1.0, 0.75, 1.0, 1.5),
    "left half": (-1.3, -1.2, 0.0, 1.8),
    "eyes": (-0.9, -0.25, 0.9, 0.22),
    "right half": (0.0, -1.2, 1.3, 1.8),
    "forehead": (-1.2, -1.5, 1.2, -0.15),
    "chin": (-1.2, 1.1, 1.2, 1.9),
    "mouth and nose": (-1.0, 0.35, 1.0, 1.6),
}


@dataclass(frozen=True)
class HardFace:
    """A frame with one face.

    Attributes:
      kind: a key of `KINDS`.
      strength: one of its values.
      image: (360, 640, 3) uint8 RGB.
      box: where the face is.
      landmarks: (68, 2) float64 x, y in the frame's pixels, as they were placed.
    """

    kind: str
    strength: float | str
    image: np.ndarray
    box: Box
    landmarks: np.ndarray


def hard_faces(seed: int = 0) -> Iterator[HardFace]:
    """Yield 98 frames with a face: seven kinds, seven strengths of each, two persons of each."""
    rng = np.random.default_rng(seed)
    photographs = load_portraits()
    drawn = [vary_identity(portrait, rng) for portrait in photographs]
    backgrounds = list(_scenes())
    for kind, strengths in KINDS.items():
        for index, strength in enumerate(strengths):
            for person in range(2):
                portrait = (photographs, drawn)[(index + person) % 2][person]
                background = _cut(backgrounds[rng.integers(len(backgrounds))], rng)
                yield _hard(kind, strength, portrait, background, rng)


def empty_frames(seed: int = 0) -> Iterator[np.ndarray]:
    """Yield 98 frames, (360, 640, 3) uint8 RGB, in which there is no human face."""
    rng = np.random.default_rng(seed)
    scenes = list(_scenes())
    for number in range(EMPTY):
        yield _cut(scenes[number % len(scenes)], rng)


def _scenes() -> Iterator[np.ndarray]:
    import skimage.data
    from sklearn.datasets import load_sample_images

    for name in ("chelsea", "coffee", "rocket", "brick", "grass", "gravel", "coins", "moon", "page", "retina", "clock"):
        image = getattr(skimage.data, name)()
        yield image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    yield skimage.data.stereo_motorcycle()[0]
    yield from load_sample_images().images  # a temple and a flower


def _cut(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a part of a photograph of at least half its size, as a frame."""
    height, width = scene.shape[:2]
    largest = min(width, height * SIZE[0] / SIZE[1])
    across = largest * rng.uniform(0.5, 1)
    down = across * SIZE[1] / SIZE[0]
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    part = scene[int(top) : int(top + down), int(left) : int(left + across)]
    return cv2.resize(part, SIZE, interpolation=cv2.INTER_AREA if across > SIZE[0] else cv2.INTER_LINEAR)


def _hard(
    kind: str, strength: float | str, portrait: Portrait, background: np.ndarray, rng: np.random.Generator
) -> HardFace:
    if kind == "turned":
        portrait = _turned(portrait, np.deg2rad(strength))
    if kind == "covered":
        portrait = replace(portrait, image=_covered(portrait, strength, rng))
    roll = np.deg2rad(strength) if kind == "rolled" else 0.0
    width = strength if kind == "small" else WIDTH
    scale = width / np.linalg.norm(portrait.landmarks[16] - portrait.landmarks[0])
    if kind == "turned":  # an ear may be hidden
        scale = WIDTH / 150
    middle = portrait.landmarks[27:].mean(0)
    place = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    target = (SIZE[0] * rng.uniform(0.3, 0.7), SIZE[1] * rng.uniform(0.4, 0.6))
    offset = target - place @ middle
    matrix = np.column_stack([place, offset])
    shrunk = cv2.GaussianBlur(portrait.image, (0, 0), 0.45 / scale) if scale < 0.7 else portrait.image
    head = cv2.warpAffine(shrunk, matrix, SIZE, flags=cv2.INTER_LINEAR)
    opacity = head[..., 3:].astype(np.float32) / 255
    image = head[..., :3] * opacity + background * (1 - opacity)
    if kind == "dark":
        image = image * strength + rng.normal(0, 3, image.shape)
    if kind == "blurred":
        image = cv2.GaussianBlur(image, (0, 0), strength)
    if kind == "noisy":
        image = image + rng.normal(0, strength, image.shape)
    landmarks = portrait.landmarks @ place.T + offset
    five = [landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[30], landmarks[48], landmarks[54]]
    return HardFace(
        kind, strength, image.round().clip(0, 255).astype(np.uint8), box_of_points(np.stack(five)), landmarks
    )


def _covered(portrait: Portrait, where: str, rng: np.random.Generator) -> np.ndarray:
    distance = np.linalg.norm(portrait.landmarks[45] - portrait.landmarks[36])
    corners = np.reshape(_COVERS[where], (2, 2)) * distance + portrait.landmarks[36:48].mean(0)
    (left, top), (right, bottom) = corners.round().astype(int).tolist()
    image = portrait.image.copy()
    shades = rng.uniform(30, 220, 3) * np.linspace(0.8, 1.1, bottom - top)[:, None, None]
    image[top:bottom, left:right, :3] = shades.clip(0, 255)
    image[top:bottom, left:right, 3] = 255
    return image


def _turned(portrait: Portrait, angle: float) -> Portrait:
    """Return a portrait whose head is turned about its vertical axis, as if it were painted on a cylinder."""
    left, right = portrait.landmarks[0, 0], portrait.landmarks[16, 0]
    radius = 0.56 * (right - left)
    axis = (left + right) / 2
    x, y = np.meshgrid(np.arange(CANVAS[0], dtype=np.float64), np.arange(CANVAS[1], dtype=np.float64))
    seen = np.arcsin(((x - axis) / radius).clip(-1, 1))
    source = seen - angle
    shown = (np.abs(x - axis) < radius) & (np.abs(source) < np.pi / 2)
    image = cv2.remap(
        portrait.image, (axis + radius * np.sin(source)).astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR
    )
    image[..., 3] = np.where(shown & (y < portrait.landmarks[8, 1] + 10), image[..., 3], 0)
    bust = portrait.image.copy()
    bust[..., 3] = np.where(y > EYES[1] + 130, bust[..., 3], 0)
    opacity = image[..., 3:].astype(np.float32) / 255
    merged = image * opacity + bust * (1 - opacity)
    merged[..., 3] = np.maximum(image[..., 3], bust[..., 3])
    at = np.arcsin(((portrait.landmarks[:, 0] - axis) / radius).clip(-1, 1)) + angle
    landmarks = np.column_stack([axis + radius * np.sin(at.clip(-np.pi / 2, np.pi / 2)), portrait.landmarks[:, 1]])
    return replace(portrait, image=merged.round().astype(np.uint8), landmarks=landmarks)


def write_sheet(path: Path) -> None:
    """Write all hard faces as one image, to look at."""
    frames = [cv2.resize(each.image, (320, 180), interpolation=cv2.INTER_AREA) for each in hard_faces()]
    rows = [np.hstack(frames[start : start + 14]) for start in range(0, len(frames), 14)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
