"""A video with the faces, the valence-arousal plane and the running curves drawn into its frames."""

from collections import deque
from pathlib import Path

import cv2
import numpy as np

from affwildnet.predict.frame_faces import Face, FrameFaces, Recent
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.video.reading import IMAGE_FPS
from tfrecords_tools.video.writing import VideoWriter

# Colours of the faces in turn: the bright ones of the Okabe-Ito palette, RGB.
FACES = ((86, 180, 233), (230, 159, 0), (240, 228, 66), (0, 158, 115), (204, 121, 167), (213, 94, 0))
LIGHT, DIM, DARK = (235, 235, 235), (150, 150, 150), (20, 20, 20)
SMALLEST = 480  # pixels; frames whose shorter side is smaller are enlarged
PANEL = 0.3  # side of the plane, relative to the frame's shorter side
WIDEST = 2.2  # greatest width of the curves, relative to the side of the plane
SHADE = 0.72  # opacity of the panels
TRAIL = 2.0  # seconds that the point in the plane leaves a trail
CURVES = 10.0  # seconds that the curves show
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Overlay:
    """Writes an MPEG-4 file with the predictions drawn into the frames, at a constant rate.

    Use it as a context manager: the file gets its name at the end, when it is whole.

    Args:
      path: the file.
      fps: frames per second; 0, which means unknown, is replaced by 25.
    """

    def __init__(self, path: Path, fps: float):
        self._path, self._fps = path, fps or IMAGE_FPS
        self._writer: VideoWriter | None = None
        self._history: deque[tuple[float, dict[int, np.ndarray]]] = deque()
        self._colours: Recent[int, int] = Recent()
        self._next = 0

    def __enter__(self) -> "Overlay":
        return self

    def __exit__(self, *error) -> None:
        if self._writer is not None:
            self._writer.__exit__(*error)

    def write(self, frame: FrameFaces) -> None:
        """Draw into a frame, which must have its image and predictions, and write it."""
        self._history.append((frame.timestamp, {face.track: face.prediction for face in frame.faces}))
        while frame.timestamp - self._history[0][0] > CURVES:
            self._history.popleft()
        image = self.drawn(frame)
        if self._writer is None:
            self._writer = VideoWriter(self._path, self._fps, image.shape[1::-1])
            self._size = image.shape
        if image.shape != self._size:  # the images of a folder may differ in size; those of a video may not
            image = cv2.resize(image, self._size[1::-1])
        self._writer.write(image)

    def drawn(self, frame: FrameFaces) -> np.ndarray:
        """Return the image with everything drawn into it, enlarged if it is small, with even sides."""
        height, width = frame.image.shape[:2]
        scale = max(1.0, SMALLEST / min(height, width))
        size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
        if size == (width, height):
            image = frame.image.copy()
        else:
            image = cv2.resize(frame.image, size, interpolation=cv2.INTER_LINEAR)
        for face in frame.faces:
            self._face(image, face, scale)
        side = round(PANEL * min(size))
        margin = side // 14
        top = size[1] - side - margin
        # No wider than necessary: the panel hides the video.
        width = min(size[0] - side - 3 * margin, round(WIDEST * side))
        self._curves(image, margin, top, width, side, frame.timestamp)
        self._plane(image, size[0] - side - margin, top, side, frame)
        return image

    def _colour(self, track: int) -> tuple[int, int, int]:
        if track not in self._colours:
            self._colours[track] = self._next
            self._next += 1
        return FACES[self._colours[track] % len(FACES)]

    def _face(self, image: np.ndarray, face: Face, scale: float) -> None:
        colour, box = self._colour(face.track), face.box
        thick = max(1, round(min(image.shape[:2]) / 300))
        left, top, right, bottom = (round(scale * side) for side in (box.left, box.top, box.right, box.bottom))
        cv2.rectangle(image, (left, top), (right, bottom), colour, thick, cv2.LINE_AA)
        radius = max(1, round(scale * (box.right - box.left) / 130))
        for x, y in scale * (face.landmarks + 0.5):
            cv2.circle(image, (round(float(x)), round(float(y))), radius, LIGHT, -1, cv2.LINE_AA)
        size = min(image.shape[:2]) / 900
        text = f"{face.track}:  V {face.prediction[0]:+.2f}  A {face.prediction[1]:+.2f}"
        (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
        x = min(max(0, left), image.shape[1] - width)
        y = max(height + 4, top - 6)
        _text(image, text, (x, y), size, colour)

    def _plane(self, image: np.ndarray, left: int, top: int, side: int, frame: FrameFaces) -> None:
        _shade(image, left, top, side, side)
        pad = side // 9
        span = side - 2 * pad

        def place(prediction) -> tuple[int, int]:
            x, y = (np.clip(prediction, -1, 1) + 1) / 2
            return round(left + pad + x * span), round(top + pad + (1 - y) * span)

        cv2.rectangle(image, place((-1, 1)), place((1, -1)), DIM, 1)
        cv2.line(image, place((-1, 0)), place((1, 0)), DIM, 1)
        cv2.line(image, place((0, -1)), place((0, 1)), DIM, 1)
        size = side / 400
        _centred(image, DIMENSIONS[0], (left + side // 2, top + side - pad // 2), size)
        _centred(image, DIMENSIONS[1], (left + side // 2, top + pad // 2), size)
        for track in sorted({track for _, predictions in self._history for track in predictions}):
            self._trail(image, track, place, frame.timestamp, max(1, side // 70))
        for face in frame.faces:
            cv2.circle(image, place(face.prediction), max(3, side // 32), self._colour(face.track), -1, cv2.LINE_AA)
            cv2.circle(image, place(face.prediction), max(3, side // 32), LIGHT, 1, cv2.LINE_AA)

    def _trail(self, image: np.ndarray, track: int, place, now: float, thick: int) -> None:
        colour, before = np.array(self._colour(track)), None
        for time, predictions in self._history:
            age = (now - time) / TRAIL
            point = place(predictions[track]) if track in predictions and age < 1 else None
            if before is not None and point is not None:
                faded = (1 - age) * colour + age * np.array(DARK)
                cv2.line(image, before, point, faded.tolist(), thick, cv2.LINE_AA)
            before = point

    def _curves(self, image: np.ndarray, left: int, top: int, width: int, height: int, now: float) -> None:
        """Draw valence above arousal over the last seconds; `now` is at the right edge."""
        _shade(image, left, top, width, height)
        size = height / 400
        pad = height // 16
        strip = (height - 3 * pad) // 2
        tracks = sorted({track for _, predictions in self._history for track in predictions})
        for index, name in enumerate(DIMENSIONS):
            upper = top + pad + index * (strip + pad)
            middle = upper + strip // 2
            cv2.line(image, (left + pad, middle), (left + width - pad, middle), DIM, 1)
            for track in tracks:
                self._curve(image, track, index, left + pad, width - 2 * pad, upper, strip, now)
            _text(image, name, (left + pad, upper + round(26 * size)), size, LIGHT)
        clock = f"{now:.2f} s"
        (clock_width, _), _ = cv2.getTextSize(clock, FONT, size, 1)
        _text(image, clock, (left + width - pad - clock_width, top + height - pad // 2), size, LIGHT)

    def _curve(
        self, image: np.ndarray, track: int, index: int, left: int, width: int, upper: int, strip: int, now: float
    ) -> None:
        colour, line = self._colour(track), []

        def finish() -> None:
            if line:
                points = np.array(line if len(line) > 1 else line * 2, np.int32).reshape(-1, 1, 2)
                cv2.polylines(image, [points], False, colour, max(1, strip // 30), cv2.LINE_AA)
                line.clear()

        for time, predictions in self._history:
            if track not in predictions:
                finish()
                continue
            value = float(np.clip(predictions[track][index], -1, 1))
            line.append((round(left + (1 - (now - time) / CURVES) * width), round(upper + (1 - value) / 2 * strip)))
        finish()


def _shade(image: np.ndarray, left: int, top: int, width: int, height: int) -> None:
    part = image[top : top + height, left : left + width]
    part[:] = cv2.addWeighted(part, 1 - SHADE, np.full_like(part, DARK), SHADE, 0)


def _text(image: np.ndarray, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1)):  # a thicker font would be wider, not an outline
        cv2.putText(image, text, (at[0] + x, at[1] + y), FONT, size, DARK, 1, cv2.LINE_AA)
    cv2.putText(image, text, at, FONT, size, colour, 1, cv2.LINE_AA)


def _centred(image: np.ndarray, text: str, at: tuple[int, int], size: float) -> None:
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    _text(image, text, (at[0] - width // 2, at[1] + height // 2), size, LIGHT)
