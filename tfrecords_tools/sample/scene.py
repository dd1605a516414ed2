"""The scene of a clip: background, light and camera around a head."""

import dataclasses

import cv2
import numpy as np

from tfrecords_tools.sample.backgrounds import background
from tfrecords_tools.sample.canvas import CANVAS, EYE_DISTANCE, EYES
from tfrecords_tools.sample.clip_curves import SIZE, wander
from tfrecords_tools.sample.portraits import Portrait

SWAY = 12  # pixels by which the background moves at most, as a camera in a hand makes it


class Scene:
    """Background, light and camera of one clip.

    Attributes:
      portrait: the head in the clip's light, as its camera sees it.
    """

    LIGHT_FRAMES = 6  # after which the light is computed again: it changes slowly

    def __init__(self, portrait: Portrait, frames: int, rng: np.random.Generator):
        self._rng = rng
        blur, colour = rng.uniform(0.3, 1.3), rng.uniform(0.93, 1.07, 3)
        # Blur and colour of the camera do not change within a clip, so they are applied once.
        self._background = _through_lens(background((SIZE[0] + 2 * SWAY, SIZE[1] + 2 * SWAY), rng), blur, colour)
        lit = portrait.image[..., :3] * _lit(rng)
        self.portrait = dataclasses.replace(
            portrait, image=np.dstack([_through_lens(lit, blur, colour), portrait.image[..., 3]])
        )
        sway = rng.uniform(0, 4) * np.stack([wander(frames, rng, 6), wander(frames, rng, 6)], 1)
        self._corners = np.round(SWAY + sway).clip(0, 2 * SWAY).astype(int)
        self._gains = rng.uniform(0.7, 1.12) * (1 + 0.06 * wander(frames, rng, 5).clip(-2, 2))
        self._angles = rng.uniform(0, 2 * np.pi) + 0.5 * wander(frames, rng)
        self._contrast = rng.uniform(0.05, 0.3)
        self._noise = rng.normal(0, rng.uniform(1.5, 5), (SIZE[1] + 64, SIZE[0] + 64, 3)).round().astype(np.int16)
        self._x, self._y = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
        self._light = np.ones((SIZE[1], SIZE[0], 3), np.float32)
        # Large arrays take long to allocate, so all frames share them.
        self._head = np.empty((SIZE[1], SIZE[0], 4), np.uint8)
        self._colours = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
        self._image = np.empty_like(self._colours)

    def render(self, number: int, head: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return frame `number`, (360, 640, 3) uint8 RGB, valid until the next call.

        `head` is (460, 560, 4) uint8 RGB and opacity; `place` is the (2, 3) map from it to the frame.
        """
        if number % self.LIGHT_FRAMES == 0:
            angle = self._angles[number]
            slope = self._contrast * (np.cos(angle) * self._x + np.sin(angle) * self._y)
            self._light[...] = (self._gains[number] * (1 + slope))[..., None]
        cv2.warpAffine(head, place, SIZE, self._head, cv2.INTER_LINEAR)
        cv2.cvtColor(self._head, cv2.COLOR_RGBA2RGB, self._colours)
        x, y = self._corners[number]
        behind = self._background[y : y + SIZE[1], x : x + SIZE[0]]
        opacity = self._head[..., 3].astype(np.float32)
        cv2.blendLinear(self._colours, behind, opacity, 255 - opacity, self._image)
        cv2.multiply(self._image, self._light, self._image, 1, cv2.CV_8U)
        # One field of noise, shifted for every frame: to draw another one would take most of the time.
        x, y = self._rng.integers(64, size=2)
        noise = self._noise[y : y + SIZE[1], x : x + SIZE[0]]
        return cv2.add(self._image, noise, self._image, None, cv2.CV_8U)


def _through_lens(image: np.ndarray, blur: float, colour: np.ndarray) -> np.ndarray:
    """Return the uint8 RGB image blurred by `blur` pixels, its channels multiplied by `colour`."""
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur)
    return np.round(blurred * colour).clip(0, 255).astype(np.uint8)


def _lit(rng: np.random.Generator) -> np.ndarray:
    """Return (460, 560, 3) float32, the light of a lamp or window on a head, about 1 in front; it follows the head."""
    x, y = np.meshgrid(np.arange(CANVAS[0], dtype=np.float32), np.arange(CANVAS[1], dtype=np.float32))
    across = np.clip((x - EYES[0]) / (1.1 * EYE_DISTANCE), -1, 1)
    down = np.clip((y - EYES[1] - 0.35 * EYE_DISTANCE) / (1.5 * EYE_DISTANCE), -1, 1)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.4)
    slope = strength * (np.cos(angle) * across + np.sin(angle) * down)
    return 1 + slope[..., None] * (1 + rng.uniform(-0.25, 0.25, 3)).astype(np.float32)
