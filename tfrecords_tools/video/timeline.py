"""The timeline of a video file: when its coded frames are shown, and the number of each frame that decodes.

A decoder leaves out what is damaged, and so a frame's place among those that decode is not its number. The container
says which frames there are, and its packets are looked through before anything is decoded: that is quick, and needs no
decoder. A number is found in one of three ways, see `Timeline.numbering`:

  - by packets, where each packet is a frame (MP4, Matroska, WebM, FLV, AVI): a frame's number is the place of its
    packet in the order of their times. However long a frame of a variable rate is shown, no number is skipped for it;
  - by periods, where the container counts frames that have no packet, as AVI does for dropped ones, or counts none, as
    Matroska and MPEG streams, and its times lie on the grid of its nominal rate: a gap of k periods skips k - 1
    numbers. Of files that do not count, only gaps of up to `LONGEST_GAP` periods are read so, and a tenth of the frames
    at most may be missing in all: a file beyond that has a variable rate, or pauses, and skips none;
  - by order, where neither is possible.

How many rows an annotation has decides between packets and periods where both are possible: rows that are as many as
the periods were counted in them.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError

INSTALL = 'PyAV reads the times of videos: pip install -e ".[faces]"'
_UNKNOWN, _PROGRESSIVE = 0, 1  # orders of fields, as FFmpeg numbers them
# Clocks of these begin anywhere: their zero is the first thing that is shown or heard, as in players.
_WITHOUT_ZERO = ("mpegts", "mpeg")
# Share of the period by which times may lie beside its grid: they are rounded, to milliseconds in Matroska.
_BESIDE = 0.25
LONGEST_GAP = 6  # periods, in a file that does not count its frames
MOST_MISSING = 0.1  # share of the coded frames, in such a file
_MOMENT = 1e-4  # seconds, between frames for which the container has the same time
_LATEST = 2  # periods by which a decoder's times of an AVI may begin late
MOST_LEADING = 16  # frames, as many as a decoder reorders
# Share of the usual gap within which a packet that gives no frame is part of another one, as hidden ones of VP8 are.
_PART = 0.3


@dataclass(frozen=True)
class Timeline:
    """When the coded frames of a video are shown.

    Attributes:
      times: (n,) seconds from the container's zero, rising; empty where the packets have no times.
      start: seconds from the container's zero to the one of the decoder, which is the stream's first time.
      period: seconds of a frame by the nominal rate; 0 where it is not known.
      counted: frames by the container's own count, 0 where it has none.
      by_packets: whether each packet is a frame.
      end: seconds at which the last frame has been shown, by the container; 0 where it does not say.
      counts_dropped: whether that count includes frames that were dropped and have no packet, as in an AVI.
      codec: name of the video's coding, "" where it is not known.
      interlaced: whether its frames consist of two fields, which are shown one after the other.
      guessed_delay: seconds from the coding of a frame to its showing, where they are guessed from the first packets:
        in an AVI.
    """

    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    start: float = 0.0
    period: float = 0.0
    counted: int = 0
    by_packets: bool = False
    end: float = 0.0
    guessed_delay: float = 0.0
    counts_dropped: bool = False
    codec: str = ""
    interlaced: bool = False

    def steps(self) -> np.ndarray | None:
        """Return (n - 1,) the periods from one coded frame to the next, None where they are not whole."""
        if not self.period or len(self.times) < 2:
            return None
        steps = np.diff(self.times) / self.period
        whole = np.rint(steps)
        return whole.astype(int) if (whole >= 1).all() and (np.abs(steps - whole) <= _BESIDE).all() else None

    def skips_numbers(self, rows: int | None = None, may_be_fewer: bool = False) -> bool:
        """Return whether gaps of whole periods are missing frames.

        Args:
          rows: of an annotation that counts frames; None where there is none.
          may_be_fewer: whether frames may have no row, so that the rows are the least number of frames.
        """
        steps = self.steps()
        missing = 0 if steps is None else int(steps.sum() - len(steps))
        if not missing:
            return False
        coded = len(self.times)
        beyond = self.counted - coded
        if self.counted == 0:
            by_periods = missing <= MOST_MISSING * coded and steps.max() <= LONGEST_GAP
        else:  # further ones may be missing at the end
            by_periods = self.counts_dropped and missing <= beyond and missing <= coded
        if rows is None or rows < coded + may_be_fewer:
            return by_periods
        to_packets, to_periods = abs(rows - coded), abs(rows - coded - missing)
        return by_periods if to_packets == to_periods else to_periods < to_packets

    def missing_at_end(self) -> int:
        """Return how many frames the container says to have after its last packet: those of a file that was cut off."""
        steps = self.steps()
        if not self.end or steps is None:
            return 0
        usual = float(np.median(steps)) * self.period
        missing = max(0, round((self.end - float(self.times[-1])) / usual) - 1)
        if self.counted:
            return min(missing, max(0, self.counted - len(self.times)))
        return missing if (steps == 1).mean() > 1 - MOST_MISSING else 0

    def numbering(self, rows: int | None = None, may_be_fewer: bool = False) -> "Numbering":
        """Return what gives the frames their numbers, as they decode; see `skips_numbers` for the arguments."""
        if len(self.times) and self.skips_numbers(rows, may_be_fewer):
            return Numbering(self, np.concatenate([[1], 1 + np.cumsum(self.steps())]))
        return Numbering(self, None)


class Numbering:
    """The numbers and times of the frames of a video, as they decode.

    Attributes:
      number: of the last frame, 0 before the first.
      decoded: number of frames so far.
      lost: number of frames so far that the container has, or counts, and that do not decode.
    """

    def __init__(self, timeline: Timeline, numbers: np.ndarray | None):
        """Begin.

        Args:
          timeline: of the video.
          numbers: (n,) of the coded frames, where they are known beforehand.
        """
        self._line, self._numbers = timeline, numbers
        self._times = timeline.times
        self._usual = float(np.median(np.diff(self._times))) if len(self._times) > 1 else timeline.period
        self._place, self._time = -1, -np.inf  # of the last frame
        self._late = 0.0  # seconds by which the decoder's times are late
        self.number = self.decoded = 0

    @property
    def lost(self) -> int:
        return self.number - self.decoded

    @property
    def remaining(self) -> int:
        """How many coded frames may still come."""
        return max(0, len(self._times) - 1 - self._place)

    def add(self, shown: float, failed: int = 0) -> tuple[int, float] | None:
        """Return the number and the time in seconds of the next frame that decodes.

        Args:
          shown: seconds by the decoder's clock, 0 also where the decoder does not know.
          failed: how often the decoder has given no frame so far.

        Returns:
          None if the frame comes too late: one that is shown after it has come before, as after damage.
        """
        if failed and not self.number:  # what the delay was guessed from was damaged
            self._times = self._times - self._line.guessed_delay
        seconds = shown + self._line.start
        if self._line.counts_dropped and self._line.codec == "h264" and not (failed or self.number):
            # An AVI has no times: where H.264 is shown in another order than coded, the decoder's guesses begin late.
            late = seconds - float(self._times[0]) if len(self._times) else 0.0
            self._late = late if 0 < late <= _LATEST * self._line.period + 1e-6 else 0.0
        seconds -= self._late
        place = self._place_of(seconds)
        if place is None:
            if shown and self._place >= 0 and self._is_late(seconds):
                return None
            place = self._place + 1
            self.number += 1
            if not (np.isfinite(seconds) and seconds > self._time):
                seconds = self._after_last(place)
            self._place = min(place, len(self._times))
        else:
            self.number, self._place, seconds = self._number_at(place), place, self._times[place]
        self.decoded += 1
        self._time = float(seconds)
        return self.number, self._time

    def add_last(self, count: int) -> list[tuple[int, float]]:
        """Return the numbers and times of the last frames that decode, whose times the decoder does not know.

        They are the last ones that are coded: what is missing before them is damaged.
        """
        found = []
        for left in range(count, 0, -1):
            place = max(self._place + 1, len(self._times) - left)
            if place >= len(self._times):
                found.append(self.add(0.0))
                continue
            self.number, self._place, self._time = self._number_at(place), place, float(self._times[place])
            self.decoded += 1
            found.append((self.number, self._time))
        return found

    def end(self) -> None:
        """Count the coded frames after the last one that decoded, and those that the file lacks at its end."""
        if not self.decoded or self._place >= len(self._times):
            return
        if self._numbers is not None:
            self.number = max(self.number, int(self._numbers[-1]))
        elif self._line.by_packets:
            self.number += self._frames_in(self._place + 1, len(self._times))
        self.number += self._line.missing_at_end()
        self._place = len(self._times)

    def _is_late(self, seconds: float) -> bool:
        """Return whether a time is that of a coded frame which has had its turn."""
        if seconds > self._time + 1e-6 or not len(self._times):
            return False
        return bool(np.abs(self._times[: self._place + 1] - seconds).min() < 0.002)

    def _after_last(self, place: int) -> float:
        if place < len(self._times) and self._times[place] > self._time:
            return float(self._times[place])
        period = self._line.period or self._usual or 0.04
        return self._time + period if np.isfinite(self._time) else 0.0

    def _place_of(self, seconds: float) -> int | None:
        """Return the place of the coded frame that is shown then, None if there is none after the last frame."""
        if not np.isfinite(seconds) or not len(self._times):
            return None
        after = int(np.searchsorted(self._times, seconds))
        # The next one may have the same time.
        near = [place for place in (after - 1, after, self._place + 1) if self._place < place < len(self._times)]
        place = min(near, key=lambda place: abs(self._times[place] - seconds), default=None)
        if place is None or abs(self._times[place] - seconds) > min(0.002, self._usual / 2) + 1e-6:
            return None
        return place

    def _number_at(self, place: int) -> int:
        if self._numbers is not None:
            return max(self.number + 1, int(self._numbers[place]))
        return self.number + 1 + (self._frames_in(self._place + 1, place) if self._line.by_packets else 0)

    def _frames_in(self, first: int, end: int) -> int:
        """Return how many of the packets from `first` to before `end`, which gave no frame, are frames."""
        if first >= end:
            return 0
        between = self._times[first:end]
        near = _PART * self._usual
        before = self._times[first - 1] if first else -np.inf
        after = self._times[end] if end < len(self._times) else np.inf
        return int(((between - before > near) & (after - between > near)).sum())


def read_timeline(path: Path) -> Timeline:
    """Return the timeline of a video file, an empty one where its packets cannot be read.

    Raises:
      UserError: if PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError(f"This needs PyAV. {INSTALL}") from None
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:  # no video, or of a coding that is not known
                return Timeline()
            zero = file_zero(container)
            times, delay, unshown = _packet_times(av, container, stream)
            start = 0.0 if stream.start_time is None else float(stream.start_time * stream.time_base)
            rate = stream.guessed_rate or stream.average_rate
            return Timeline(
                times - zero,
                start - zero,
                float(1 / rate) if rate else 0.0,
                max(0, stream.frames - unshown),
                container.format.name not in _WITHOUT_ZERO,
                _end(container, stream),
                delay if container.format.name == "avi" else 0.0,
                container.format.name == "avi",
                stream.codec_context.codec.canonical_name,
                _is_interlaced(av, container, stream),
            )
    except (av.FFmpegError, OSError, ValueError):
        return Timeline()


def _is_interlaced(av, container, stream) -> bool:
    """Return whether a stream says, or its first frame, that frames consist of two fields."""
    order = stream.codec_context.field_order
    if order != _UNKNOWN:
        return order != _PROGRESSIVE
    try:
        container.seek(0)
        return any(frame.interlaced_frame for frame, _ in zip(container.decode(stream), range(1), strict=False))
    except (av.FFmpegError, OSError, ValueError):
        return False


def file_zero(container) -> float:
    """Return the seconds on a container's clock that count as its zero: 0, but for MPEG streams their beginning.

    Args:
      container: of PyAV, open for reading.
    """
    if container.format.name not in _WITHOUT_ZERO:
        return 0.0
    streams = (*container.streams.video, *container.streams.audio)
    starts = [float(each.start_time * each.time_base) for each in streams if each.start_time is not None]
    return min(starts, default=0.0)


def _end(container, stream) -> float:
    """Return the seconds from the container's zero at which its video ends, 0 where that is not known."""
    if stream.duration and stream.frames:  # where frames are not counted, it may be that of the whole file
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    if container.duration and len(container.streams) == 1:  # otherwise it may be the end of the sound
        return container.duration / 1_000_000
    return 0.0


def _packet_times(av, container, stream) -> tuple[np.ndarray, float, int]:
    """Return the sorted seconds of a stream's packets, those from coding to showing, and how many are never shown.

    Seconds from coding to showing are 0 unless they are always the same.

    Leave out frames that are coded after a key frame the stream begins with and shown before it: they need others that
    were cut off.
    """
    found, unshown = [], 0
    try:
        for packet in container.demux(stream):
            if packet.is_discard:  # before the beginning that an MP4 was cut to
                unshown += 1
            elif packet.size:
                found.append((packet.pts, packet.dts, packet.is_keyframe))
    except (av.FFmpegError, OSError, ValueError):
        pass  # the packets before the damage
    # An AVI has no times, and those that are guessed go wrong by damaged and dropped packets: where frames are shown in
    # the order of coding, that says them.
    in_order = container.format.name == "avi" and not stream.codec_context.has_b_frames
    ticks = [coded if in_order and coded is not None else shown for shown, coded, _ in found]
    times = np.sort(np.array([tick for tick in ticks if tick is not None], np.int64))
    if container.format.name == "avi":
        times = np.unique(times)
    if container.format.name in _WITHOUT_ZERO and (np.diff(times) == 0).any():
        # Several frames share one of the stream's packets, and then only the first has a time; the others' are guessed.
        return np.empty(0), 0.0, 0
    if not found or ticks[0] is None:
        return _apart(times, stream), 0.0, unshown
    if found[0][2] and (leading := int((times < ticks[0]).sum())) <= MOST_LEADING:
        times, unshown = times[leading:], unshown + leading
    delays = {None if None in (tick, coded) else tick - coded for tick, (_, coded, _) in zip(ticks, found, strict=True)}
    delay = max(0, delays.pop()) if len(delays) == 1 and None not in delays else 0  # frames that are not reordered
    return _apart(times, stream), delay * float(stream.time_base), unshown


def _apart(ticks: np.ndarray, stream) -> np.ndarray:
    """Return the seconds of sorted times; those that occur twice, as rounding makes them, lie a moment apart."""
    repeated = np.arange(len(ticks)) - np.searchsorted(ticks, ticks)
    return ticks * float(stream.time_base) + repeated * _MOMENT
