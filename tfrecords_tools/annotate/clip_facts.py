"""What the containers of clips say, read in a process of its own: a decoder may crash or hang at a damaged one."""

import threading
from collections.abc import Iterable
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.video.browser_copy import VideoFacts, facts
from tfrecords_tools.worker_processes import Crash, results

# Seconds within which a container must open: a list waits for all of its videos.
PATIENCE = 20.0
_Stamp = tuple[int, int]


class ClipFacts:
    """The facts of each video that was asked for, read again when its file has changed.

    Args:
      apart: whether they are read in another process, which takes half a second to start.
    """

    def __init__(self, apart: bool = False):
        self._apart = apart
        self._known: dict[Path, tuple[_Stamp | None, VideoFacts | UserError]] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> VideoFacts:
        """Return the facts of a video.

        Raises:
          UserError: if it is no readable video.
        """
        self.read([path])
        found = self._known[path][1]
        if isinstance(found, UserError):
            raise found
        return found

    def read(self, paths: Iterable[Path]) -> None:
        """Read the facts of those videos whose facts are not known yet, in one process."""
        with self._lock:
            stamps = {path: _stamp(path) for path in paths}
            new = [path for path, stamp in stamps.items() if path not in self._known or stamp != self._known[path][0]]
            found = results(_facts, new, 1, patience=PATIENCE) if self._apart else enumerate(map(_facts, new))
            for index, answer in found:
                path = new[index]
                if isinstance(answer, Crash):
                    answer = UserError(
                        f"{path}: not a readable video (the process that opened it was ended: {answer.ending})."
                    )
                elif isinstance(answer, str):
                    answer = UserError(answer)
                self._known[path] = stamps[path], answer


def _facts(path: Path) -> VideoFacts | str:
    """Return the facts of a video, or why there are none: an error as an answer would end the reading of the others."""
    try:
        return facts(path)
    except UserError as error:
        return str(error)


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
