"""The features of a split's frames on the disk, a file for each video, within a limit.

A folder of features belongs to one frozen part of a network in one precision, and its name says which; within it a file
belongs to the records of one video, by their sha256. So what was computed with other weights, of other crops or of a
video that was packed again is never read. One process at a time writes into a folder.
"""

import errno
import logging
import os
import threading
from pathlib import Path

import numpy as np

from affwildnet.data.corpus import Corpus
from affwildnet.data.feature_file import FeatureFile
from tfrecords_tools.errors import room
from tfrecords_tools.files import statuses

_log = logging.getLogger(__name__)

GB = 1_000_000_000
OFF = "off"


class FeatureCache:
    """Features of the records of a split, read and written by several threads.

    Attributes:
      folder: of the files.
      corpus: the split.
      dtype: of the features.
      width: values of a frame.
      computed: (records,) bool: of which records this process has read or written features.
    """

    def __init__(self, folder: Path, corpus: Corpus, width: int, kind: str, most_gb: float, spare: int = 0):
        """Choose the videos that fit, in the corpus's order.

        Args:
          folder: where the files are, or will be.
          corpus: the split.
          width: values of a frame.
          kind: "float16", "bfloat16" or "float32".
          most_gb: gigabytes that the files may take.
          spare: bytes of the disk that stay free, for what cannot be computed again.
        """
        self.folder, self.width, self._spare = folder, width, spare
        self.corpus = corpus
        files = [FeatureFile(folder / f"{entry.sha256[:20]}.npy", entry.frames, width, kind) for entry in corpus.videos]
        self.dtype = files[0].dtype
        self._bytes = files[0].bytes_of_a_row
        ends = np.cumsum([entry.frames * self._bytes for entry in corpus.videos])
        self._files = {video: files[video] for video in np.flatnonzero(ends <= most_gb * GB).tolist()}
        found = statuses(corpus.folder / corpus.videos[video].file for video in self._files)
        self._stamps = {video: _stamp(status) for video, status in zip(self._files, found, strict=True)}
        self.computed = np.zeros(corpus.first_record[-1], bool)
        self._lock, self._said = threading.Lock(), set()
        self._writes = True

    @property
    def frames(self) -> int:
        """How many frames have a place."""
        return sum(self.corpus.videos[video].frames for video in self._files)

    def has_place(self, video: int) -> bool:
        """Return whether the frames of a video are kept."""
        return video in self._files

    def summary(self) -> str:
        """Return a line on where the features are and how much room they take."""
        total = int(self.corpus.first_record[-1])
        some = "" if self.frames == total else f"; the other {total - self.frames:,} are computed in every epoch"
        return (
            f"features of the frozen layers, {self.width:,} {self.dtype} a frame, are kept in {self.folder}: "
            f"{self.frames:,} frames, up to {room.shown(self.frames * self._bytes)}{some}"
        )

    def prepare(self) -> None:
        """Make the folder, and delete files in it that are damaged or cut off, which is logged."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in self._files.values():
            if file.path.exists() and not file.is_whole():
                self._say(f"{file.path}: damaged or cut off; its features are computed again")
                file.path.unlink()
        there = self._room()
        missing = sum(self.corpus.videos[video].frames for video, file in self._files.items() if not file.path.exists())
        if there is not None and there < missing * self._bytes:
            self._say(
                f"{self.folder}: about {room.shown(missing * self._bytes)} are needed for the features and "
                f"{self._free()}. Those that find no room are computed in every epoch. "
                "--set training.cache=float16 or a lower training.cache_gb needs less"
            )

    def only_read(self) -> bool:
        """Keep nothing more, as another process may write here; return whether there are features of any video."""
        self._writes = False
        self._files = {video: file for video, file in self._files.items() if file.is_whole()}
        return bool(self._files)

    def read(self, video: int, first: int, length: int, window: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (window, W) of consecutive records, 0 where there are none, and (window,) bool where."""
        values, there = np.zeros((window, self.width), self.dtype), np.zeros(window, bool)
        video, first, length = int(video), int(first), int(length)
        if video not in self._files or not length:
            return values, there
        file = self._files[video]
        try:
            values[:length], there[:length], damaged = file.read(first, length)
        except OSError as error:
            self._say(f"{file.path}: cannot be read ({error.strerror}); its features are computed again")
            damaged = 0
        if damaged:
            self._say(f"{file.path}: has damaged rows; their features are computed again")
        begin = self.corpus.first_record[video] + first
        self.computed[begin : begin + length] |= there[:length]
        return values, there

    def write(self, video: int, records: np.ndarray, values: np.ndarray) -> None:
        """Keep features (n, W) of records of a video, by their rising numbers in it, if they have a place.

        A disk that cannot be written, or where no more than the spare bytes are free, is logged once, and nothing more
        is written. Nor is anything of records whose file has been written to since the cache was opened: they may be
        others than those that the name says.
        """
        if video not in self._files or not self._writes:
            return
        records_file = self.corpus.folder / self.corpus.videos[video].file
        if _stamp(next(statuses([records_file]))) != self._stamps[video]:
            self._say(f"{records_file}: was written to since the run began; its features are not kept")
            return
        try:
            there = self._room()
            if there is not None and there < len(records) * self._bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._files[video].write(records, values)
        except OSError as error:
            self._writes = False
            self._say(
                f"{self._files[video].path}: cannot be written ({error.strerror}; {self._free()}). "
                "Features that are not there yet are computed in every epoch from now on"
            )
            return
        self.computed[self.corpus.first_record[video] + records] = True

    def _room(self) -> int | None:
        """Return the bytes that may still be taken; None where that is not known."""
        free = room.free(self.folder)
        return None if free is None else max(0, free - self._spare)

    def _free(self) -> str:
        free = room.free(self.folder)
        there = "free room is not known" if free is None else f"{room.shown(free)} are free"
        return f"{there}, {room.shown(self._spare)} are left to checkpoints and logs" if self._spare else there

    def _say(self, message: str) -> None:
        with self._lock:
            if message in self._said:
                return
            self._said.add(message)
        _log.warning(message)


def _stamp(status) -> tuple[int, int, int] | None:
    """Return what of a file's status changes when it is written to or replaced; None where there is an error."""
    return None if isinstance(status, OSError) else (status.st_mtime_ns, status.st_size, status.st_ino)
