"""Frames of videos that OpenCV opens and cannot read: AV1, and frames of two fields. PyAV decodes them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from tfrecords_tools.video.timeline import Numbering, Timeline, file_zero


def decode(path: Path, line: Timeline, numbering: Numbering) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield number, seconds and image, (height, width, 3) uint8 RGB and upright, of each frame that decodes.

    Args:
      path: of the video.
      line: its timeline.
      numbering: what gives the frames their numbers.
    """
    import av

    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        stream.thread_count = 1  # as with OpenCV: each core packs a video of its own
        zero = file_zero(container)
        for frame in _frames(av, container.demux(stream)):
            shown = 0.0 if frame.time is None else float(frame.time) - zero - line.start
            place = numbering.add(shown)
            if place is not None:
                turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4
                yield *place, np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


def is_interlaced(path: Path, count: int) -> bool:
    """Return whether the last of the first `count` frames of a video consists of two fields, as far as can be read."""
    import av

    last = None
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            for frame in islice(_frames(av, container.demux(stream)), count):
                last = frame
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return False
    return last is not None and bool(last.interlaced_frame)


def _frames(av, packets) -> Iterator:
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue  # the packet is damaged
        yield from frames
