"""Read the frames of a video that is packed: as they are asked for, or ahead where a core has nothing else to do."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tfrecords_tools.layouts.labels import Labels, NumberedLabels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.video.decoding_ahead import FramesAhead
from tfrecords_tools.video.reading import IMAGE_FPS, Frames, given_frames, read_frames

# Returns the frames of a video with these labels.
Read = Callable[[VideoSource, PackOptions, Labels], Frames]


def read_source(source: VideoSource, options: PackOptions, labels: Labels) -> Frames:
    """Return the frames of a video; its labels can say whether gaps are missing frames."""
    if source.frames is not None:
        return given_frames(source.frames(), fps=options.fps, start=source.start, end=source.end)
    return read_frames(source.path, **_arguments(source, options, labels))


def _arguments(source: VideoSource, options: PackOptions, labels: Labels) -> dict[str, Any]:
    counted = labels.times is None and len(labels.values) > 0
    return {
        "fps": options.fps,
        "start": source.start,
        "end": source.end,
        "image_fps": source.fps or IMAGE_FPS,
        "first": source.first,
        "rows": len(labels.values) if counted else None,
        "rows_may_be_fewer": isinstance(labels, NumberedLabels),
    }


class Coming(NamedTuple):
    """A video that is packed after the one whose frames are read.

    Attributes:
      source: the video.
      options: how it is packed.
      mark: path of a file that is there from when the video is begun, see `Job.begun`: a crash may be its fault.
    """

    source: VideoSource
    options: PackOptions
    mark: Path


class _Begun(NamedTuple):
    coming: Coming
    state: tuple
    frames: FramesAhead


class AheadReader:
    """Reads videos as `read_source` does, in a thread while a core has nothing else to do.

    When all frames of a video are decoded, the first ones of the video file that is packed next are. They are used if
    file and labels are still the same when its turn comes. A context manager: at its end no thread and no file is open.

    Args:
      idle_core: whether a core has nothing else to do, asked before each frame.
    """

    def __init__(self, idle_core: Callable[[], bool]):
        self._idle_core = idle_core
        self._coming: Coming | None = None  # until it is begun
        self._begun: _Begun | None = None

    def __enter__(self) -> "AheadReader":
        return self

    def __exit__(self, *error) -> None:
        self._drop()

    def expect(self, current: VideoSource, coming: Coming | None) -> None:
        """Say which video is packed now, and which one after it; None where that is not known."""
        if self._begun is not None and self._begun.coming.source is not current:
            self._drop()
        self._coming = coming

    def __call__(self, source: VideoSource, options: PackOptions, labels: Labels) -> Frames:
        """Return the frames of a video, the first of which may be there already."""
        if source.frames is not None:  # a layout's own, which may not bear another thread
            return read_source(source, options, labels)
        if self._begun is not None and self._begun.coming.source is source:
            begun, self._begun = self._begun, None
            with suppress(OSError):
                if begun.state == _state(source, options, labels):
                    return begun.frames
            begun.frames.close()
        return FramesAhead(lambda: read_source(source, options, labels), self._idle_core, self._begin_coming)

    def _begin_coming(self) -> None:
        """Begin the next video, in the thread that has decoded the one before; leave it if anything is wrong with it.

        What is wrong is said when its turn comes.
        """
        coming, self._coming = self._coming, None
        if coming is None or self._begun is not None:
            return
        source, options, mark = coming
        with suppress(Exception):
            if source.frames is not None or not source.path.is_file():
                return
            mark.touch()
            labels = source.labels(options.max_hole)
            state = _state(source, options, labels)
            frames = FramesAhead(lambda: read_source(source, options, labels), then=self._begin_coming)
            self._begun = _Begun(coming, state, frames)
            frames.begin()
            return
        with suppress(OSError):
            mark.unlink(missing_ok=True)

    def _drop(self) -> None:
        self._coming = None
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.frames.close()
            begun.coming.mark.unlink(missing_ok=True)


def _state(source: VideoSource, options: PackOptions, labels: Labels) -> tuple:
    """Return what is different if a video file has changed, or the way in which it is read."""
    file = source.path.stat()
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, _arguments(source, options, labels)
