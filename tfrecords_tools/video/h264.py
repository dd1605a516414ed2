"""H.264 in MP4, which every browser plays, with the frames' own times and the sound of their source. PyAV writes it."""

import errno
import os
import shutil
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import whole
from tfrecords_tools.video.sound import Sound

# Ticks per second: a multiple of the usual frame rates, 30000/1001 among them.
TIME_BASE = Fraction(1, 90_000)
# The index comes first, so that a browser plays while it loads; the first frame's time is kept to the tick.
_OPTIONS = {"movflags": "faststart", "movie_timescale": str(TIME_BASE.denominator)}
# Below so many free bytes, the disk is what kept a video from being written.
_FULL = 1 << 20


def add_video(container, size: tuple[int, int], rate: int):
    """Add a stream of H.264 to a container of PyAV and return it; its frames' times are multiples of `TIME_BASE`.

    Args:
      container: open for writing.
      size: (width, height) in pixels, both even.
      rate: about how many frames a second, for the encoder.
    """
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "superfast", "crf": "20", "bf": "0"}
    stream.codec_context.time_base = stream.time_base = TIME_BASE
    return stream


class H264Writer:
    """Write RGB frames at their times to an MP4 file, which appears under its name when it is whole.

    Use it as a context manager.

    Example:
        >>> with H264Writer("clip.mp4", size=(640, 360)) as video:
        ...     video.write(image, seconds)

    Attributes:
      remarks: what a person should know of the file, in lines; complete at the end of the block.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        rate: float = 25.0,
        sound: Path | None = None,
        sound_start: float = 0.0,
    ):
        """Open the file.

        Args:
          path: of the file.
          size: (width, height) in pixels, both even.
          rate: about how many frames a second; it has no influence on their times.
          sound: file whose sound belongs to the frames.
          sound_start: seconds from that file's zero that are the zero of the frames' times.

        Raises:
          UserError: if the file cannot be written.
        """
        import av

        self._av, self._path = av, Path(path)
        self._written, self._last, self._gap = 0, -1, 0
        self.remarks: list[str] = []
        with ExitStack() as stack:
            try:
                self._partial = stack.enter_context(whole(self._path))
                self._partial.touch()  # the container opens its file later
                self._container = av.open(str(self._partial), "w", format="mp4", options=_OPTIONS)
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                raise UserError(f"{path}: the video cannot be written ({error.strerror}). Check its folder.") from None
            stack.callback(self._close)
            self._video = add_video(self._container, size, round(min(max(rate, 1), 1000)))
            self._sound = None if sound is None else stack.enter_context(Sound(sound, self._container, sound_start))
            self._open = stack.pop_all()

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Append a frame.

        Args:
          image: (height, width, 3) uint8 RGB.
          seconds: when it is shown; the times of frames rise.
        """
        pts = max(self._last + 1, round(seconds / TIME_BASE))
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = pts, TIME_BASE
        self._gap, self._last = pts - self._last if self._written else 0, pts
        self._written += 1
        if self._sound is not None:
            self._sound.write_until(float(pts * TIME_BASE))
        self._container.mux(self._video.encode(frame))

    def __enter__(self) -> "H264Writer":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        if error_type is not None:
            self._open.__exit__(error_type, error, traceback)
            return
        with self._open:
            if self._written:
                self._container.mux(self._video.encode(None))
            if self._sound is not None:
                self._sound.finish(float((self._last + self._gap) * TIME_BASE))
                self.remarks += self._sound.remarks
            self._container.close()
            self._check_whole()

    def _close(self) -> None:
        with suppress(Exception):  # after an error; what a whole file lacks is seen by `_check_whole`
            self._container.close()

    def _check_whole(self) -> None:
        """Raise an `OSError` unless all frames are in the file and its last ones decode: not every error is said."""
        try:
            with self._av.open(str(self._partial)) as written:
                stream = written.streams.video[0]
                count = sum(packet.size > 0 for packet in written.demux(stream))
                written.seek(self._last, stream=stream)
                last = max((frame.pts for frame in written.decode(stream)), default=-1)
            good = count == self._written and last == self._last
        except (self._av.FFmpegError, IndexError):
            good = not self._written
        if not good:
            number = errno.ENOSPC if shutil.disk_usage(self._path.parent).free < _FULL else errno.EIO
            raise OSError(number, os.strerror(number), str(self._path))
