"""The features of one video's frames in a NumPy file: a row for each record, with a checksum of its own.

A file has its full length from the beginning and rows are filled in as they are computed, in any order. A row counts if
its checksum is right: a row that was not written, or was being written when the process was killed, does not.
Nothing is mapped into memory for writing or reading, as a full disk or a file that is cut off would then kill the
process; `numpy.load` opens it all the same.
"""

import io
import os
import threading
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrecords_tools.files import whole


class FeatureFile:
    """(frames, width) numbers on the disk; reading and writing are safe from several threads of one process."""

    def __init__(self, path: Path, frames: int, width: int, kind: str):
        """Note where the file is; it is made when the first row is written.

        Args:
          path: of the file; its folder must exist when a row is written.
          frames, width: the shape.
          kind: "float16", "bfloat16" or "float32".
        """
        self.path = path
        self.dtype = np.dtype(tf.as_dtype(kind).as_numpy_dtype)
        # NumPy's files do not know bfloat16.
        self._row = np.dtype([("crc", "<u4"), ("values", np.uint16 if kind == "bfloat16" else self.dtype, (width,))])
        self._header = _header(self._row, frames)
        self._size = len(self._header) + frames * self._row.itemsize
        self._lock = threading.Lock()

    @property
    def bytes_of_a_row(self) -> int:
        return self._row.itemsize

    def is_whole(self) -> bool:
        """Return whether the file is there with the length and the head that it must have."""
        try:
            with self.path.open("rb") as file:
                return os.fstat(file.fileno()).st_size == self._size and file.read(len(self._header)) == self._header
        except FileNotFoundError:
            return False

    def read(self, first: int, number: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Return `number` rows from `first` on.

        Returns:
          (number, width) values, 0 where there are none; (number,) bool, where there are; how many rows are damaged.
        """
        rows = np.zeros(number, self._row)
        try:
            with self._lock, self.path.open("rb", buffering=0) as file:
                file.seek(len(self._header) + first * self._row.itemsize)
                file.readinto(rows.view(np.uint8))
        except FileNotFoundError:
            pass
        values, written = rows["values"], rows["crc"] != 0
        good = np.array([bool(crc) and _crc(row) == crc for crc, row in zip(rows["crc"], values, strict=True)], bool)
        found = np.where(good[:, None], values, 0) if not good.all() else np.ascontiguousarray(values)
        return found.view(self.dtype), good, int(np.count_nonzero(written & ~good))

    def write(self, records: np.ndarray, values: np.ndarray) -> None:
        """Write rows; raise an `OSError` if the disk is full or the folder cannot be written.

        Args:
          records: (n,) numbers of the rows, rising.
          values: (n, width) of the file's type.
        """
        rows = np.zeros(len(records), self._row)
        rows["values"] = np.ascontiguousarray(values).view(self._row["values"].base)
        rows["crc"] = [_crc(row) for row in rows["values"]]
        cuts = [0, *(np.flatnonzero(np.diff(records) != 1) + 1), len(records)]
        with self._lock:
            if not self.is_whole():
                self._create()
            with self.path.open("r+b", buffering=0) as file:
                for begin, end in pairwise(cuts):
                    file.seek(len(self._header) + int(records[begin]) * self._row.itemsize)
                    left = memoryview(rows[begin:end].view(np.uint8))
                    while left:
                        left = left[file.write(left) :]

    def _create(self) -> None:
        with whole(self.path) as partial, partial.open("wb") as file:
            file.write(self._header)
            file.truncate(self._size)  # the rows take room on the disk when they are written


def _header(row: np.dtype, frames: int) -> bytes:
    buffer = io.BytesIO()
    fields = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False, "shape": (frames,)}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def _crc(row: np.ndarray) -> int:
    """Return the CRC-32 of a row, never 0: that is what a row has that was not written."""
    return zlib.crc32(row) or 1
