"""The sound of one file in another: copied as it is where MP4 and browsers take it, and made AAC where not."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from tfrecords_tools.errors.failures import is_full_disk
from tfrecords_tools.video.timeline import file_zero

# What browsers play in MP4.
COPIED = ("aac", "mp3", "opus", "flac")
_RATE = 48_000  # samples a second, where a source does not say
_LOOSE = 0.1  # seconds by which frames may lie beside their times


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
        self._last = -(2**62)  # time of the last packet that was copied
        self._samples, self._form = 0, None  # how many were encoded, and of which kind of frames
        try:
            self._source = av.open(str(path), metadata_errors="ignore")
            sound = next(iter(self._source.streams.audio), None)
            if sound is None:
                return
            if sound.codec_context is None:
                raise ValueError("its coding is not known")
            self._zero, self._sound = file_zero(self._source) + start, sound
            self._copied = sound.codec_context.codec.canonical_name in COPIED
            if self._copied:
                self._stream = container.add_stream_from_template(sound)
                self._packets = (packet for packet in self._source.demux(sound) if packet.dts is not None)
            else:
                self._rate = sound.rate or _RATE
                self._stream = container.add_stream("aac", rate=self._rate, layout=_layout(sound))
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
            try:
                if self._copied:
                    self._copy(part)
                else:
                    self._encode(part)
            except (self._av.FFmpegError, ValueError) as error:
                if is_full_disk(error):
                    raise
                self._failed(error)

    def finish(self, seconds: float) -> None:
        """Write what is heard before the end of the video."""
        self.write_until(seconds)
        if self._stream is not None and not self._copied:
            self._target.mux(self._stream.encode(None))

    def _copy(self, packet) -> None:
        shift = round(self._zero / packet.time_base)
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else max(packet.dts, packet.pts - shift)
        if packet.dts > self._last:  # some files have a time twice
            self._last, packet.stream = packet.dts, self._stream
            self._target.mux(packet)

    def _encode(self, frame) -> None:
        """Encode a frame at its time: some files have frames whose times leave gaps, overlap, or are rounded."""
        due = round(self._begins(frame) * self._rate)
        for part in self._resampled(frame):
            off = due - self._samples
            if off < -_LOOSE * self._rate:
                return
            if off > _LOOSE * self._rate:
                self._add(self._silence(part, off))
            due += part.samples
            self._add(part)

    def _resampled(self, frame) -> list:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != self._form:  # broadcasts change it from one programme to the next
            context = self._stream.codec_context
            self._resampler = self._av.AudioResampler(context.format, context.layout, self._rate)
            self._form = now
        frame.pts = None
        return self._resampler.resample(frame)

    def _silence(self, like, samples: int):
        values = np.zeros((like.to_ndarray().shape[0], samples), like.to_ndarray().dtype)
        silence = self._av.AudioFrame.from_ndarray(values, format=like.format.name, layout=like.layout.name)
        silence.sample_rate = self._rate
        return silence

    def _add(self, frame) -> None:
        frame.pts, frame.time_base = self._samples, Fraction(1, self._rate)
        self._samples += frame.samples
        self._target.mux(self._stream.encode(frame))

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


def _layout(sound) -> str:
    """Return the channels that AAC gets: one or two."""
    return "mono" if sound.codec_context.channels == 1 else "stereo"
