"""What is behind a head: rooms, windows, shelves, foliage, all out of focus."""

from collections.abc import Callable

import cv2
import numpy as np


def background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return (height, width, 3) uint8, a blurred background of one of several kinds.

    Args:
      size: width, height in pixels.
      rng: draws everything in it.
    """
    kinds: tuple[Callable, ...] = (_room, _room, _window, _shelves, _foliage)
    image = kinds[rng.integers(len(kinds))](size, rng)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(3, 9)).clip(0, 255).astype(np.uint8)


def _room(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return a wall, lit unevenly, with patches of other colours."""
    wall = rng.uniform(0.5, 1, (3, 4, 1)) * rng.uniform(0.85, 1, (3, 4, 3))
    image = cv2.resize(wall, size, interpolation=cv2.INTER_LINEAR) * _muted_colour(rng)
    for _ in range(rng.integers(3, 9)):
        left, top = rng.uniform(-100, size[0]), rng.uniform(-80, size[1] - 40)
        width, height = rng.uniform(40, 260, 2)
        image = _patched(image, (left, top, width, height), _muted_colour(rng), rng.uniform(0.3, 0.8))
    return image


def _window(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return a room with a window on one side, far brighter than the rest."""
    image = 0.7 * _room(size, rng)
    width, height = rng.uniform(120, 260), rng.uniform(140, 300)
    left = rng.choice([rng.uniform(-60, 40), size[0] - width + rng.uniform(-40, 60)])
    return _patched(image, (left, rng.uniform(-60, 60), width, height), rng.uniform(200, 255, 3), 0.95)


def _shelves(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return shelves of upright spines."""
    image = np.full((size[1], size[0], 3), _muted_colour(rng) * 0.4)
    height = rng.uniform(70, 130)
    for top in np.arange(rng.uniform(-60, 0), size[1], height):
        left = 0.0
        while left < size[0]:
            width = rng.uniform(9, 30)
            image = _patched(image, (left, top, width, 0.85 * height), _muted_colour(rng), rng.uniform(0.5, 0.9))
            left += width + rng.uniform(0, 8)
    return image


def _foliage(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return leaves in the sun: noise of several scales between two colours."""
    pattern = np.zeros((size[1], size[0]))
    for cells in (5, 11, 25, 60):
        grid = rng.normal(size=(cells, 2 * cells))
        pattern += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) / np.sqrt(cells)
    share = 1 / (1 + np.exp(-2.5 * (pattern - pattern.mean()) / pattern.std()))[..., None]
    dark, light = rng.uniform((15, 30, 10), (60, 75, 50)), rng.uniform((120, 130, 80), (220, 225, 190))
    return dark + share * (light - dark)


def _patched(image: np.ndarray, place: tuple[float, ...], colour: np.ndarray, opacity: float) -> np.ndarray:
    left, top, width, height = place
    corners = (round(left), round(top)), (round(left + width), round(top + height))
    patch = cv2.rectangle(np.zeros(image.shape[:2]), *corners, 1.0, -1)[..., None] * opacity
    return image * (1 - patch) + patch * colour


def _muted_colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(40, 220) * rng.uniform(0.7, 1.1, 3)
