"""Frames of a video file or a folder of images with their true numbers and times."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.images import IMAGE_FPS, check_name, image_files, read_image
from tfrecords_tools.video.other_decoder import decode, is_interlaced
from tfrecords_tools.video.timeline import MOST_LEADING, Numbering, Timeline, read_timeline

# The errors below report broken files; the decoder's own messages would hide them.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv",
    ".flv", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".vob", ".asf", ".divx", ".mxf",
)  # fmt: skip
# Widths of a pixel, in its heights, that are believed: others come from a damaged header.
_PIXELS = (0.25, 4.0)
# Frames that are the same as the one before, of which it is checked whether they are.
_DOUBTS = 3
# Calls without a frame, after which a video ends whose packets are not known.
_PATIENCE = 64


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
      number: 1-based. Of a video, its place among the coded frames, those that do not decode included; of a folder, the
        number in the image's name; after a conversion to a fixed rate, its position at that rate.
      timestamp: presentation time in seconds from the container's zero; after a conversion, (number - 1) / rate.
      image: (height, width, 3) uint8, RGB, upright, with square pixels.
      source: 1-based number that the frame had before a conversion; without one, the same as `number`.
      scale: factors by which width and height were scaled to make the pixels square.
    """

    number: int
    timestamp: float
    image: np.ndarray
    source: int
    scale: tuple[float, float] = (1.0, 1.0)


class Frames(Iterator[Frame]):
    """The frames of a video or of a folder of images, one after the other.

    Attributes:
      lost: number of frames so far that the container has, or counts, and that do not decode. After the last frame, it
        includes those at the end.
      count: number of the last frame so far, in the source, lost ones included.
      rate: frames per second by the source, 0 where it does not say, or before the first frame.
    """

    def __init__(self, source: "_Video | _Images | _Given", frames: Iterator[Frame]):
        self._source, self._frames = source, frames

    def __next__(self) -> Frame:
        return next(self._frames)

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Read no more."""
        self._frames.close()

    @property
    def lost(self) -> int:
        return self._source.lost

    @property
    def count(self) -> int:
        return self._source.count

    @property
    def rate(self) -> float:
        return self._source.rate


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise UserError(f"{path}: a video must be a file or a folder of images. Received: no such file.")
    check_name(path)
    # One thread: each core packs a video of its own, and a second thread hardly decodes faster.
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise UserError(f"{path}: not a readable video. Check that it plays, or leave it out.")
    return capture


def frame_rate(path: Path, image_fps: float = IMAGE_FPS) -> float:
    """Return the frames per second by the container, 0 where it does not say; `image_fps` for a folder of images."""
    if path.is_dir():
        return image_fps
    capture = _open(path)
    rate = _rate(capture)
    capture.release()
    return rate


def read_frames(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    image_fps: float = IMAGE_FPS,
    first: int = 1,
    rows: int | None = None,
    rows_may_be_fewer: bool = False,
) -> Frames:
    """Yield every frame that decodes, in order; hold two images at most.

    A frame that does not decode, because its packet is damaged or was dropped, keeps its number, see `timeline`; the
    frames after it follow. Where times do not rise, a frame is shown one period of the frame rate after the one before.

    Example:
        >>> for frame in read_frames("clip.mp4", fps=25):
        ...     frame.number, frame.timestamp, frame.image.shape

    Args:
      path: a video file, or a folder of JPEG or PNG images named by their numbers, which may have gaps.
      fps: rate to convert to: frame j is the source frame whose time is nearest to (j - 1) / fps, so that frames are
        repeated or dropped. None keeps the source's frames.
      start: seconds; earlier frames are left out. Numbers and times stay those of the whole video.
      end: seconds; frames at this time or later are left out.
      image_fps: frames per second of a folder of images.
      first: number of a folder's first image, 0 or 1. Frame numbers are 1-based whichever it is.
      rows: of an annotation that counts frames, if there is one: it can tell whether gaps are missing frames.
      rows_may_be_fewer: whether frames may have no row.

    Raises:
      UserError: if the path cannot be read, holds no frame, or an argument is out of its range.
    """
    path = Path(path)
    for name, rate in (("fps", fps), ("image_fps", image_fps)):
        if rate is not None and not 0 < rate <= 1000:
            raise UserError(f"`{name}` must be above 0 and at most 1000 frames per second. Received: {rate}.")
    if start is not None and end is not None and not start < end:
        raise UserError(f"{path}: `start` must be before `end`. Received: {start} and {end} seconds.")
    # A conversion needs the neighbours of the first and of the last frame that it keeps.
    begin = None if fps else start
    source = _Images(path, image_fps, first, begin) if path.is_dir() else _Video(path, begin, rows, rows_may_be_fewer)
    return Frames(source, between(at_rate(source, fps) if fps else iter(source), start, end))


def given_frames(
    frames: Iterable[Frame], *, fps: float | None = None, start: float | None = None, end: float | None = None
) -> Frames:
    """Return frames that something else reads, as `read_frames` returns those of a file; none of them is lost."""
    source = _Given(frames)
    return Frames(source, between(at_rate(source, fps) if fps else iter(source), start, end))


def between(frames: Iterable[Frame], start: float | None, end: float | None) -> Iterator[Frame]:
    """Yield the frames from `start` on and before `end`, both in seconds; None is the beginning or the end."""
    for frame in frames:
        if end is not None and frame.timestamp >= end:
            return
        if start is None or frame.timestamp >= start:
            yield frame


class _Given:
    lost, rate = 0, 0.0

    def __init__(self, frames: Iterable[Frame]):
        self._frames, self.count = frames, 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.count = frame.source
            yield frame


class _Video:
    """The frames of a video file from `begin` seconds on."""

    def __init__(self, path: Path, begin: float | None, *rows: int | bool | None):
        self._path, self._begin, self._rows = path, begin, rows
        self._numbering, self.rate = None, 0.0
        self._not_by_opencv = False

    @property
    def lost(self) -> int:
        return self._numbering.lost if self._numbering else 0

    @property
    def count(self) -> int:
        return self._numbering.number if self._numbering else 0

    def __iter__(self) -> Iterator[Frame]:
        capture = _open(self._path)
        line = read_timeline(self._path)
        self._numbering = numbering = line.numbering(*self._rows)
        scale, self.rate = _scale(capture), _rate(capture)
        last = 0
        for number, timestamp, image in self._by_opencv(capture, line, numbering):
            last = number
            yield Frame(number, timestamp, _square(image, scale), number, scale)
        if self._not_by_opencv or (numbering.decoded == 0 and len(line.times)):
            self._numbering = numbering = line.numbering(*self._rows)
            for number, timestamp, image in decode(self._path, line, numbering):
                if number > last and (self._begin is None or timestamp >= self._begin):
                    yield Frame(number, timestamp, _square(image, scale), number, scale)
        numbering.end()
        if numbering.decoded == 0:
            coding = f" ({line.codec})" if line.codec else ""
            raise UserError(
                f"{self._path}: no frame of this video{coding} decodes. Check that it plays, convert it to H.264, or "
                "remove it."
            )

    def _by_opencv(
        self, capture: cv2.VideoCapture, line: Timeline, numbering: Numbering
    ) -> Iterator[tuple[int, float, np.ndarray]]:
        """Yield number, seconds and image of each frame, up to one with two fields, which OpenCV cannot convert."""
        failures, most = 0, numbering.remaining or _PATIENCE
        before, doubts, waiting = None, _DOUBTS, []
        try:
            if self._not_by_opencv or line.interlaced:
                self._not_by_opencv = True
                return
            # A damaged packet is one call without a frame, and the end is no call with one any more.
            while failures <= most:
                if not capture.grab():
                    failures += 1
                    continue
                # The container's own time: the frame number divided by the mean rate is wrong where the rate varies.
                shown = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if not shown and line.counts_dropped and numbering.number and numbering.remaining <= MOST_LEADING:
                    # The frames that wait in the decoder at the end of an AVI have no time.
                    decoded, image = capture.retrieve()
                    waiting += [image] if decoded else []
                    continue
                place = numbering.add(shown, failures)
                if place is None or (self._begin is not None and place[1] < self._begin):
                    continue
                decoded, image = capture.retrieve()
                if not decoded:
                    numbering.decoded -= 1
                    continue
                if doubts and (not image.any() if before is None else _same(image, before)):
                    # It returns the frame before, or black, in the place of one that it cannot convert.
                    doubts -= 1
                    if is_interlaced(self._path, numbering.decoded):
                        self._not_by_opencv = True
                        return
                before = image
                yield *place, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            for place, image in zip(numbering.add_last(len(waiting)), waiting, strict=True):
                if self._begin is None or place[1] >= self._begin:
                    yield *place, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        finally:
            capture.release()


class _Images:
    """The frames of a folder of images from `begin` seconds on."""

    lost = 0

    def __init__(self, folder: Path, rate: float, first: int, begin: float | None):
        self._folder, self.rate, self._first, self._begin = folder, rate, first, begin
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        for number, path in image_files(self._folder, self._first):
            self.count, timestamp = number, (number - 1) / self.rate
            if self._begin is None or timestamp >= self._begin:
                yield Frame(number, timestamp, read_image(path), number)


def _scale(capture: cv2.VideoCapture) -> tuple[float, float]:
    """Return the factors of width and height, none below 1, that make the pixels of upright frames square."""
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    ratio = across / down if across > 0 and down > 0 else 1.0
    if ratio == 1 or not _PIXELS[0] <= ratio <= _PIXELS[1]:
        return 1.0, 1.0
    if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180:  # the ratio is that of the frame as it is coded
        ratio = 1 / ratio
    return (ratio, 1.0) if ratio > 1 else (1.0, 1 / ratio)


def _square(image: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    if scale == (1.0, 1.0):
        return image
    height, width = image.shape[:2]
    return cv2.resize(image, (round(width * scale[0]), round(height * scale[1])), interpolation=cv2.INTER_LINEAR)


def _same(image: np.ndarray, other: np.ndarray) -> bool:
    row = len(image) // 2  # tells most frames apart
    return image.shape == other.shape and np.array_equal(image[row], other[row]) and np.array_equal(image, other)


def _rate(capture: cv2.VideoCapture) -> float:
    rate = capture.get(cv2.CAP_PROP_FPS)
    return float(rate) if np.isfinite(rate) and rate > 0 else 0.0


def at_rate(frames: Iterable[Frame], fps: float) -> Iterator[Frame]:
    """Yield frames at a fixed rate; hold two of them.

    Frame j of the result, from 1, is the given frame whose timestamp is nearest to (j - 1) / fps, the earlier of two
    that are equally near. The last frame is at the time nearest to the last timestamp.

    Args:
      frames: with rising timestamps.
      fps: frames per second of the result.
    """
    number, before = 1, None
    for frame in frames:
        while before is not None and (time := (number - 1) / fps) < frame.timestamp:
            # Times are sums of rounded fractions: of two equally near, one may seem nearer by the last bit.
            if time - before.timestamp > frame.timestamp - time + 1e-9:
                break
            yield replace(before, number=number, timestamp=time)
            number += 1
        before = frame
    while before is not None and (number - 1) / fps <= before.timestamp + 0.5 / fps - 1e-9:
        yield replace(before, number=number, timestamp=(number - 1) / fps)
        number += 1
