"""Copies of videos that a browser cannot play, made when they are asked for and kept beside the drafts.

Each is made in a process of its own: a decoder that crashes or hangs at a damaged video spoils its copy alone. Of
several servers of a folder, one makes it.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.annotate.catalogue import Catalogue, Clip
from tfrecords_tools.annotate.drafts import FOLDER
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import discard_partial
from tfrecords_tools.files.locks import InUse, hold
from tfrecords_tools.video.browser_copy import transcode
from tfrecords_tools.worker_processes import Crash, alone

# Seconds within which a frame, or the end of the file, must be written.
PATIENCE = 120.0
_REPORT_SECONDS = 0.1
_AGAIN_SECONDS = 0.5  # until it is seen whether another server has made a copy


@dataclass
class _Conversion:
    share: float = 0.0
    error: str = ""


class Copies:
    """The copies of a folder's videos; one is made at a time."""

    def __init__(self, catalogue: Catalogue):
        self._folder, self._locks = (catalogue.source / FOLDER / name for name in ("copies", "locks"))
        self._running: dict[int, _Conversion] = {}
        self._tasks: set[asyncio.Task] = set()
        self._one = asyncio.Lock()
        self._stop = threading.Event()

    async def close(self) -> None:
        """End the conversion that runs, of which nothing is left."""
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def playable(self, clip: Clip) -> Path | None:
        """Return the file to play: the video itself or its copy; None while there is no copy yet."""
        if not clip.facts.reason:
            return clip.path
        copy = self._copy_of(clip)
        return copy if copy.is_file() else None

    async def prepare(self, clip: Clip) -> dict:
        """Have a copy made if one is needed; return how far it is: `ready`, `share` from 0 to 1, and `reason`.

        Raises:
          UserError: if the video cannot be converted.
        """
        reason = (await asyncio.to_thread(lambda: clip.facts)).reason
        if self.playable(clip):
            self._running.pop(clip.number, None)
            return {"ready": True, "share": 1.0, "reason": reason}
        if clip.number not in self._running:
            self._running[clip.number] = _Conversion()
            task = asyncio.create_task(self._convert(clip, self._running[clip.number]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        running = self._running[clip.number]
        if running.error:
            del self._running[clip.number]  # asked again, it is tried again
            raise UserError(running.error)
        return {"ready": False, "share": running.share, "reason": reason}

    async def _convert(self, clip: Clip, running: _Conversion) -> None:
        def progress(share: float) -> None:
            running.share = share

        async with self._one:
            if self._stop.is_set():
                return
            try:
                ended = await asyncio.to_thread(self._make, clip, progress)
                if isinstance(ended, Crash):
                    running.error = (
                        f"{clip.path.name}: cannot be converted for the browser; its process was ended "
                        f"({ended.ending}). The file may be damaged: convert it to an MP4 of H.264 with another "
                        "program, and put that in its place. What is recorded is safe."
                    )
            except (UserError, OSError) as error:
                running.error = str(error)

    def _make(self, clip: Clip, progress: Callable[[float], None]) -> Crash | None:
        """Make the copy of a clip, or wait for another server that is making it."""
        copy = self._copy_of(clip)
        lock = self._locks / f"{copy.stem}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        while not self._stop.is_set():
            with suppress(InUse), hold(lock, f"converts {clip.path.name} in {clip.path.parent}"):
                if copy.is_file():
                    return None
                ended = alone(_transcode, (clip.path, copy), progress, self._stop, PATIENCE)
                if isinstance(ended, Crash):
                    discard_partial(copy)
                return ended
            self._stop.wait(_AGAIN_SECONDS)
        return None

    def _copy_of(self, clip: Clip) -> Path:
        # Another file under the same name has a copy of its own.
        status = clip.path.stat()
        stamp = f"{clip.path.resolve()} {status.st_size} {status.st_mtime_ns}"
        return self._folder / f"{hashlib.sha256(stamp.encode()).hexdigest()[:20]}.mp4"


def _transcode(paths: tuple[Path, Path], report: Callable[[float], None]) -> None:
    """Convert a video, and report the share that is done, but not for every frame."""
    last = 0.0

    def progress(share: float) -> None:
        nonlocal last
        if (now := time.monotonic()) - last > _REPORT_SECONDS:
            last = now
            report(share)

    transcode(*paths, progress)
