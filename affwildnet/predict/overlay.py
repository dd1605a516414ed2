"""A video with the faces drawn into its frames, and the valence-arousal plane and the running curves beside them."""

from pathlib import Path

import cv2
import numpy as np

from affwildnet.predict.frame_faces import Face, FrameFaces, Recent
from affwildnet.predict.overlay_panels import DARK, LIGHT, Area, Colour, History, draw_curves, draw_plane, draw_text
from tfrecords_tools.video.reading import IMAGE_FPS
from tfrecords_tools.video.timed_writing import TimedWriter, timed_writer

# Colours of the faces in turn: the bright ones of the Okabe-Ito palette, RGB.
FACES = ((86, 180, 233), (230, 159, 0), (240, 228, 66), (0, 158, 115), (204, 121, 167), (213, 94, 0))
SMALLEST = 360  # pixels; frames whose shorter side is smaller are enlarged
BELOW = 0.42  # height of the panels below a frame that is wider than high, in heights of the frame
BESIDE = 0.7  # width of the panels beside another one, in widths of the frame


class Overlay:
    """Writes a video with the predictions drawn into its frames and beside them, each frame at its own time.

    Use it as a context manager: the file gets its name at the end, when it is whole.

    Args:
      path: the file.
      fps: about how many frames a second; 0 is unknown.
      sound: file whose sound belongs to the frames; None for silence.
    """

    def __init__(self, path: Path, fps: float, sound: Path | None = None):
        self._path, self._fps, self._sound = path, fps or IMAGE_FPS, sound
        self._writer: TimedWriter | None = None
        self._history = History()
        self._colours: Recent[int, int] = Recent()
        self._next = 0

    @property
    def remarks(self) -> list[str]:
        """What a person should know of the file, in lines; complete at the end of the block."""
        return [] if self._writer is None else self._writer.remarks

    def __enter__(self) -> "Overlay":
        return self

    def __exit__(self, *error) -> None:
        if self._writer is not None:
            self._writer.__exit__(*error)

    def write(self, frame: FrameFaces) -> None:
        """Draw a frame, which must have its image and predictions, and write it."""
        self._history.add(frame.timestamp, {face.track: face.prediction for face in frame.faces})
        image = self.drawn(frame)
        if self._writer is None:
            self._writer = timed_writer(self._path, image.shape[1::-1], self._fps, self._sound)
            self._size = image.shape
        if image.shape != self._size:  # the images of a folder may differ in size; those of a video may not
            image = cv2.resize(image, self._size[1::-1])
        self._writer.write(image, frame.timestamp)

    def drawn(self, frame: FrameFaces) -> np.ndarray:
        """Return the frame with its faces and the panels, enlarged if it is small, with even sides."""
        height, width = frame.image.shape[:2]
        scale = max(1.0, SMALLEST / min(height, width))
        width, height = (2 * round(side * scale / 2) for side in (width, height))
        beside = height > width
        right, below = (_even(BESIDE * width), 0) if beside else (0, _even(BELOW * height))
        image = np.full((height + below, width + right, 3), DARK, np.uint8)
        part = image[:height, :width]
        if part.shape == frame.image.shape:
            part[:] = frame.image
        else:
            cv2.resize(frame.image, (width, height), dst=part, interpolation=cv2.INTER_LINEAR)
        for face in frame.faces:
            self._face(part, face, scale)
        if beside:
            plane = Area(width, 0, right, right)
            curves = Area(width, right, right, height - right)
        else:
            plane = Area(width - below, height, below, below)
            curves = Area(0, height, width - below, below)
        draw_plane(image, plane, self._history, frame.timestamp, self._colour)
        draw_curves(image, curves, self._history, frame.timestamp, self._colour)
        return image

    def _colour(self, track: int) -> Colour:
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
        text = f"{face.track}:  V {face.prediction[0]:+.2f}  A {face.prediction[1]:+.2f}"
        draw_text(image, text, (left, top - 6), min(image.shape[:2]) / 800, colour)


def _even(length: float) -> int:
    return 2 * round(length / 2)
