"""The sound of one file in another: copied as it is where MP4 and browsers take it, and made AAC where not."""

from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.video.timeline import file_zero

# What browsers play in MP4.
COPIED = ("aac", "mp3", "opus", "flac")
_RATE = 48_000  # samples a second, where a source does not say


class Sound:
    """Adds the first sound of a file to a container that is being written, up to the time of its frames.

    Use it as a context manager. A file without sound, or without readable sound, adds nothing.

    Attributes:
      remarks: what a person should know of it, in lines.
    """

    def __init__(self, path: Path, container, start: float = 0.0):
        """Open a file, and add a stream to `container`, of PyAV, to which nothing has been written yet.

        Args:
          path: of the file.
          container: that is written.
          start: seconds of the file that are the zero of the container; what is heard before is left out.
        """
        import av

        self._av, self._target, self._path = av, container, path
        self.remarks: list[str] = []
        self._source = self._stream = None
        self._packets: Iterator = iter(())
        self._next = None
        try:
            self._source = av.open(str(path), metadata_errors="ignore")
            sound = next(iter(self._source.streams.audio), None)
            if sound is None:
                return
            self._zero, self._sound = file_zero(self._source) + start, sound
            self._copied = sound.codec_context.name in COPIED
            if self._copied:
                self._stream = container.add_stream_from_template(sound)
                self._packets = (packet for packet in self._source.demux(sound) if packet.dts is not None)
            else:
                self._stream = container.add_stream("aac", rate=sound.rate or _RATE)
                self._packets = (frame for frame in self._source.decode(sound) if frame.pts is not None)
        except (av.FFmpegError, ValueError) as error:
            self._failed(error)

    def __enter__(self) -> "Sound":
        return self

    def __exit__(self, *error) -> None:
        if self._source is not None:
            self._source.close()

    def write_until(self, seconds: float) -> None:
        """Write what is heard before a time, in seconds from the file's zero."""
        while self._advance() and self._begins(self._next) < seconds:
            part, self._next = self._next, None
            if self._begins(part) < 0:
                continue
            shift = round(self._zero / part.time_base)
            part.pts = None if part.pts is None else part.pts - shift
            if self._copied:
                part.dts -= shift
                part.stream = self._stream
                self._target.mux(part)
            else:
                self._target.mux(self._stream.encode(part))

    def finish(self, seconds: float) -> None:
        """Write what is heard before the end of the video."""
        self.write_until(seconds)
        if self._stream is not None and not self._copied:
            self._target.mux(self._stream.encode(None))

    def _advance(self) -> bool:
        """Return whether there is a part to be written."""
        if self._next is None:
            try:
                self._next = next(self._packets, None)
            except (self._av.FFmpegError, ValueError) as error:
                self._failed(error)
        return self._next is not None

    def _begins(self, part) -> float:
        moment = part.dts if self._copied else part.pts
        return float(moment * part.time_base) - float(self._zero)

    def _failed(self, error: Exception) -> None:
        self._packets = iter(())
        self.remarks.append(f"the sound of {self._path} cannot be copied from here on: {error}")
