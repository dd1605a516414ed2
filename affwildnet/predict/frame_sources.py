"""Where frames come from: a video, a folder of videos, a folder of images, or a camera."""

import itertools
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.images import IMAGE_FPS, IMAGE_SUFFIXES, image_files
from tfrecords_tools.video.reading import VIDEO_SUFFIXES, Frame, frame_rate, read_frames


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


def find_sources(path: Path, image_fps: float = IMAGE_FPS) -> list[FrameSource]:
    """Return what a path holds: a video, the videos of a folder, or a folder of images named by their numbers.

    Args:
      path: a video file or a folder.
      image_fps: frames per second of a folder of images.

    Raises:
      UserError: if there are neither videos nor images, or both.
    """
    if path.is_file():
        return [_video(path, path.stem)]
    if not path.is_dir():
        raise UserError(f"{path}: must be a video, a folder of videos or a folder of images. Received: no such file.")
    videos = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and _shown(file))
    images = any(file.suffix.lower() in IMAGE_SUFFIXES and file.stem.isdecimal() for file in path.iterdir())
    if videos and images:
        raise UserError(f"{path}: must hold videos or the images of one video. Received: both. Move one of them away.")
    if videos:
        stems = Counter(file.stem for file in videos)
        return [_video(file, file.stem if stems[file.stem] == 1 else file.name) for file in videos]
    if not images:
        raise UserError(
            f"{path}: must hold videos ({', '.join(suffix[1:] for suffix in VIDEO_SUFFIXES)}) or images named by their "
            "numbers, such as 00001.jpg. Received: neither."
        )
    numbered = image_files(path, first=_first(path))
    return [
        FrameSource(
            path.resolve().name,
            str(path),
            lambda: read_frames(path, image_fps=image_fps, first=_first(path)),
            lambda: image_fps,
            lambda: len(numbered),
            path,
        )
    ]


def _shown(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".")


def _first(folder: Path) -> int:
    """Return the number of a folder's first image: 0 if there is an image of that number, else 1."""
    numbers = [int(file.stem) for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES
               and file.stem.isdecimal()]  # fmt: skip
    return min(1, min(numbers, default=1))


def _video(path: Path, name: str) -> FrameSource:
    return FrameSource(name, str(path), lambda: read_frames(path), lambda: frame_rate(path), lambda: _count(path), path)


def _count(path: Path) -> int | None:
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
