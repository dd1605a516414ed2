"""Decode the frames of a video in a thread, ahead of what is done with them.

OpenCV and PyAV let other threads of Python run while they decode, and so do OpenCV's networks, by which faces are
found; dlib's landmarks do not. A thread is of use where a core has nothing else to do.
"""

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from tfrecords_tools.video.reading import Frame, Frames

# Frames that wait at most: faces are found in ten at once. Fewer of large frames, so that they take no more memory.
MOST_FRAMES, LEAST_FRAMES = 12, 2
MOST_BYTES = 64 * 2**20  # by the size of a video's first frame
_PATIENCE = 0.5  # seconds after which a waiting thread looks whether anybody still wants its frames


class FramesAhead(Frames):
    """The same frames, the same errors at the same frames, decoded in a thread. A context manager: it ends with it.

    Example:
        >>> with FramesAhead(lambda: read_frames("clip.mp4")) as frames:
        ...     for frame in frames:
        ...         frame.number

    Attributes:
      lost, count, rate: see `Frames`; as they were at the last frame that was taken.
    """

    def __init__(
        self,
        read: Callable[[], Frames],
        idle_core: Callable[[], bool] = lambda: True,
        then: Callable[[], None] = lambda: None,
    ):
        """Begin nothing: frames are decoded when the first is taken, or by `begin`.

        Args:
          read: returns the frames; called in the thread, if there is one.
          idle_core: whether a core has nothing else to do. It is asked before each frame, and the thread begins when it
            first says so.
          then: called in the thread when all frames are decoded, some of which may still wait. Not called after an
            error or an early end.
        """
        self._read, self._idle_core, self._then = read, idle_core, then
        self._frames: Frames | None = None
        self._thread: threading.Thread | None = None
        self._line = _Line()
        self._taken, self._ended = _State(0, 0, 0.0), False
        weakref.finalize(self, setattr, self._line, "wanted", False)  # takes no lock, whenever it is called

    @property
    def lost(self) -> int:
        return self._state().lost

    @property
    def count(self) -> int:
        return self._state().count

    @property
    def rate(self) -> float:
        return self._state().rate

    def begin(self) -> None:
        """Begin to decode in the thread, if that has not begun."""
        if self._thread is None:
            read = self._read if self._frames is None else lambda frames=self._frames: frames
            self._frames = None
            self._thread = threading.Thread(target=self._line.fill, args=(read, self._then), name="decoding")
            self._thread.start()

    def __next__(self) -> Frame:
        if self._ended:
            raise StopIteration
        if self._thread is None and self._idle_core():
            self.begin()
        if self._thread is None:
            self._frames = self._frames or self._read()
            return next(self._frames)
        frame, self._taken, error = self._line.take()
        if frame is not None:
            return frame
        self._ended = True
        try:
            raise StopIteration if error is None else error
        finally:
            del error  # its traceback holds this call, which would hold it

    def close(self) -> None:
        """Read no more; return when the thread has ended, after the frame that it decodes."""
        self._ended = True
        if self._thread is not None:
            self._line.end()
            self._thread.join()
        elif self._frames is not None:
            self._frames.close()

    def _state(self) -> "_State":
        return self._taken if self._frames is None else _State.of(self._frames)


class _State(NamedTuple):
    """What `Frames` says of itself after one of its frames."""

    lost: int
    count: int
    rate: float

    @classmethod
    def of(cls, frames: Frames) -> "_State":
        return cls(frames.lost, frames.count, frames.rate)


class _Line:
    """Frames that wait, each with the state after it. The last entry has no frame, but the error if any.

    Attributes:
      wanted: whether anybody takes them.
    """

    def __init__(self):
        self.wanted = True
        self._waiting: SimpleQueue[tuple[Frame | None, _State, Exception | None]] = SimpleQueue()
        self._room = threading.Semaphore(1)  # until the size of the frames is known

    def take(self) -> tuple[Frame | None, _State, Exception | None]:
        """Wait for an entry and return it."""
        entry = self._waiting.get()
        self._room.release()
        return entry

    def end(self) -> None:
        """Say that nobody wants any more frames."""
        self.wanted = False
        self._room.release()

    def fill(self, read: Callable[[], Frames], then: Callable[[], None]) -> None:
        """Decode until the end, or until nobody wants the frames."""
        state, error = _State(0, 0, 0.0), None
        try:
            with read() as frames:
                try:
                    self._decode(frames)
                finally:
                    state = _State.of(frames)
        except Exception as raised:
            error = raised
        self._waiting.put((None, state, error))
        failed, error = error is not None, None  # its traceback holds this call, which would hold it
        if not failed and self._goes_on():
            then()

    def _decode(self, frames: Frames) -> None:
        most = 0
        while self._has_room() and (frame := next(frames, None)) is not None:
            self._waiting.put((frame, _State.of(frames), None))
            if not most:
                most = max(LEAST_FRAMES, min(MOST_FRAMES, MOST_BYTES // max(1, frame.image.nbytes)))
                self._room.release(most - 1)

    def _has_room(self) -> bool:
        while self._goes_on():
            if self._room.acquire(timeout=_PATIENCE):
                return self._goes_on()
        return False

    def _goes_on(self) -> bool:
        return self.wanted and threading.main_thread().is_alive()
