"""The panels beside or below the frames of an overlay: the valence-arousal plane, and both curves with their scales."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tfrecords_tools.records.schema import DIMENSIONS

Colour = tuple[int, int, int]

LIGHT, DIM, FAINT, DARK = (235, 235, 235), (150, 150, 150), (70, 70, 70), (20, 20, 20)
TRAIL = 2.0  # seconds that the point in the plane leaves a trail
CURVES = 10.0  # seconds that the curves show
FONT = cv2.FONT_HERSHEY_SIMPLEX
LEVELS = (-1.0, 0.0, 1.0)  # that the scales name
_OUTLINE = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]


class History:
    """The predictions of the last seconds, by track."""

    def __init__(self):
        self._moments: deque[tuple[float, dict[int, np.ndarray]]] = deque()

    def add(self, seconds: float, predictions: dict[int, np.ndarray]) -> None:
        """Add the predictions of a frame, later than all before."""
        self._moments.append((seconds, predictions))
        while seconds - self._moments[0][0] > CURVES:
            self._moments.popleft()

    @property
    def tracks(self) -> list[int]:
        """The tracks that there are, in order."""
        return sorted({track for _, predictions in self._moments for track in predictions})

    def lines(self, track: int, since: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return (n,) seconds and (n, 2) predictions of a track from a time on, in parts without a gap."""
        parts, times, values = [], [], []
        for seconds, predictions in [*self._moments, (np.inf, {})]:
            if track in predictions and seconds > since:
                times.append(seconds)
                values.append(predictions[track])
            elif times:
                parts.append((np.array(times), np.array(values)))
                times, values = [], []
        return parts


@dataclass(frozen=True)
class Area:
    """A rectangle of an image, in pixels."""

    left: int
    top: int
    width: int
    height: int


def draw_plane(image: np.ndarray, area: Area, history: History, now: float, colour: Callable[[int], Colour]) -> None:
    """Draw the valence-arousal plane with the trails of the last seconds and, of faces that are there, their points."""
    side = min(area.width, area.height)
    left, top = area.left + (area.width - side) // 2, area.top + (area.height - side) // 2
    size = side / 400
    pad = round(side * 0.18)
    span = side - 2 * pad

    def place(predictions: np.ndarray) -> np.ndarray:
        x, y = (np.clip(predictions, -1, 1).T + 1) / 2
        return np.stack([left + pad + x * span, top + pad + (1 - y) * span], -1).round().astype(np.int32)

    for level in LEVELS:
        ends = np.array([[-1, level], [1, level], [level, -1], [level, 1]])
        tone = DIM if level == 0 else FAINT
        begin, end, low, high = (tuple(map(int, point)) for point in place(ends))
        cv2.line(image, begin, end, tone, 1)
        cv2.line(image, low, high, tone, 1)
        draw_text(image, f"{level:+g}" if level else "0", (low[0], low[1] + pad // 4), size * 0.8, DIM, 0.5, 0.5)
        if level != -1:
            at = (begin[0] - pad // 4, begin[1])
            draw_text(image, f"{level:+g}" if level else "0", at, size * 0.8, DIM, 1, 0.5)
    draw_text(image, DIMENSIONS[0], (left + side // 2, top + side - pad // 3), size, LIGHT, 0.5, 0.5)
    draw_text(image, DIMENSIONS[1], (left + side // 2, top + pad // 2), size, LIGHT, 0.5, 0.5)
    for track in history.tracks:
        tone = np.array(colour(track))
        for times, predictions in history.lines(track, now - TRAIL):
            ages, points = (now - times) / TRAIL, place(predictions)
            for age, one, other in zip(ages[1:], points, points[1:], strict=False):
                faded = ((1 - age) * tone + age * np.array(DARK)).tolist()
                cv2.line(image, one.tolist(), other.tolist(), faded, max(1, side // 70), cv2.LINE_AA)
            if times[-1] == now:
                radius = max(3, side // 32)
                cv2.circle(image, points[-1].tolist(), radius, colour(track), -1, cv2.LINE_AA)
                cv2.circle(image, points[-1].tolist(), radius, LIGHT, 1, cv2.LINE_AA)


def draw_curves(image: np.ndarray, area: Area, history: History, now: float, colour: Callable[[int], Colour]) -> None:
    """Draw valence above arousal over the last seconds, `now` at the right edge, with both scales."""
    size = min(area.height, area.width) / 400
    line = round(34 * size)  # height of a line of text
    axis = round(48 * size)  # width of the scale's numbers
    left, width = area.left + axis, area.width - axis - line // 2
    strip = (area.height - 2 * line) // 2
    for index, name in enumerate(DIMENSIONS):
        top = area.top + line // 2 + index * strip
        height = strip - line

        def row(values, top=top, height=height):
            return top + (1 - np.clip(values, -1, 1)) / 2 * height

        for level in LEVELS:
            y = round(float(row(level)))
            cv2.line(image, (left, y), (left + width, y), DIM if level == 0 else FAINT, 1)
            draw_text(image, f"{level:+g}" if level else "0", (left - 4, y), size * 0.8, DIM, 1, 0.5)
        for track in history.tracks:
            for times, predictions in history.lines(track, now - CURVES):
                x = left + (1 - (now - times) / CURVES) * width
                points = np.stack([x, row(predictions[:, index])], -1).round().astype(np.int32)
                points = points if len(points) > 1 else np.repeat(points, 2, 0)
                cv2.polylines(image, [points[:, None]], False, colour(track), max(1, strip // 40), cv2.LINE_AA)
        draw_text(image, name, (left + 6, top + round(20 * size)), size, LIGHT, 0, 0.5)
    bottom = area.top + line // 2 + 2 * strip
    step = 2 if width > 12 * line else 5
    for age in range(0, round(CURVES) + 1, step):
        x = round(left + (1 - age / CURVES) * width)
        cv2.line(image, (x, bottom - line), (x, bottom - line + 4), DIM, 1)
        text = f"{now:.2f} s" if age == 0 else f"{-age} s"
        draw_text(
            image, text, (x, bottom - line // 8), size * 0.8, LIGHT if age == 0 else DIM, 1 if age == 0 else 0.5, 0.5
        )


def draw_text(
    image: np.ndarray, text: str, at: tuple[int, int], size: float, colour: Colour, across: float = 0, down: float = 1
) -> None:
    """Draw outlined text.

    Args:
      image: is drawn into.
      text: one line.
      at: x and y of the point that `across` and `down` are of.
      size: of the font; 1 is some 22 pixels high.
      colour: RGB.
      across: where that point is in the text: 0 at its left, 1 at its right.
      down: 0 at its top, 1 at its base line.
    """
    size = max(size, 0.35)  # smaller letters cannot be read
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    x = min(max(2, round(at[0] - across * width)), max(2, image.shape[1] - width - 2))
    y = min(max(height + 2, round(at[1] + (1 - down) * height)), image.shape[0] - 3)
    reach = max(1, round(size * 1.5))
    for right, below in _OUTLINE:  # a thicker font would be wider, not an outline
        cv2.putText(image, text, (x + reach * right, y + reach * below), FONT, size, DARK, 1, cv2.LINE_AA)
    cv2.putText(image, text, (x, y), FONT, size, colour, 1, cv2.LINE_AA)
