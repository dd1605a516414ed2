"""Where frames come from: a video, an image, a folder of images, or a camera."""

import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.images import (
    IMAGE_FPS,
    IMAGE_SUFFIXES,
    check_name,
    image_files,
    read_image,
    shown_name,
)
from tfrecords_tools.video.reading import Frame, frame_rate, read_frames


@dataclass(frozen=True)
class FrameSource:
    """A video, a folder of images or a camera, read when its turn comes.

    Attributes:
      name: the stem of its files' names.
      where: its path or number, for messages.
      frames: returns the frames in order; raises a `UserError`, at once or later, if it cannot be read.
      fps: returns the frames per second, 0 where unknown.
      count: returns the expected number of frames, None where unknown.
      path: the video, or the folder of images; None for a camera.
    """

    name: str
    where: str
    frames: Callable[[], Iterator[Frame]]
    fps: Callable[[], float]
    count: Callable[[], int | None]
    path: Path | None = None


def video_source(path: Path, name: str) -> FrameSource:
    """Return a video file."""
    where = shown_name(path)
    return FrameSource(name, where, lambda: read_frames(path), lambda: frame_rate(path), lambda: _count(path), path)


def image_source(path: Path, name: str) -> FrameSource:
    """Return a single image, whose one frame is shown at 0 seconds."""
    frames = lambda: (Frame(1, 0.0, read_image(each), 1) for each in (path,))  # noqa: E731
    return FrameSource(name, shown_name(path), frames, lambda: IMAGE_FPS, lambda: 1, path)


def images_source(folder: Path, name: str, image_fps: float = IMAGE_FPS) -> FrameSource:
    """Return a folder of images named by their numbers, of which the first is 0 if there is one of that number."""
    numbers = [int(file.stem) for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES
               and re.fullmatch("[0-9]+", file.stem)]  # fmt: skip
    first = min(1, min(numbers, default=1))
    numbered = image_files(folder, first)
    return FrameSource(
        name,
        shown_name(folder),
        lambda: read_frames(folder, image_fps=image_fps, first=first),
        lambda: image_fps,
        lambda: len(numbered),
        folder,
    )


def _count(path: Path) -> int | None:
    check_name(path)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count if count > 0 else None


def camera(number: int) -> FrameSource:
    """Return a camera, whose frames end at Ctrl-C and are timed as they arrive, from 0.

    Raises:
      UserError: if there is no such camera, or it delivers no image.
    """
    capture = cv2.VideoCapture(number)
    if not capture.isOpened() or not capture.read()[0]:
        capture.release()
        raise UserError(f"`camera` must be the number of a camera that delivers images. Received: {number}.")
    rate = capture.get(cv2.CAP_PROP_FPS)

    def frames() -> Iterator[Frame]:
        began = None
        try:
            with _until_interrupted() as interrupted:
                for index in itertools.count(1):
                    found, image = capture.read()
                    if not found or interrupted():
                        return
                    now = time.monotonic()
                    began = now if began is None else began
                    yield Frame(index, now - began, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), index)
        finally:
            capture.release()

    return FrameSource(f"camera{number}", f"camera {number}", frames, lambda: max(0.0, rate), lambda: None)


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed; the second Ctrl-C interrupts as usual."""
    pressed = []

    def note(*_) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def until(frames: Iterator[Frame], seconds: float | None) -> Iterator[Frame]:
    """Yield the frames of the first `seconds`; None is all."""
    for frame in frames:
        if seconds is not None and frame.timestamp >= seconds:
            break
        yield frame
