"""`index.npy`: a row for each record of a packed corpus, in the manifest's order of videos, mapped into memory.

Windows are planned, balanced and described from it without opening a record, and a corpus of millions of frames is open
at once: only the pages that are used are read.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import is_remote, sha256_of, whole

FILE_NAME = "index.npy"

# offset: byte of the video's file at which the record starts. frame: its number. label: valence and arousal, NaN where
# missing. expression: index into `schema.EXPRESSIONS`, -1 where missing. labelled: whether both of `label` are there.
ROW = np.dtype(
    [("offset", "<i8"), ("frame", "<i4"), ("label", "<f4", (2,)), ("expression", "i1"), ("labelled", "?")], align=True
)
SMALLEST_RECORD = 17  # bytes; 16 are the framing
LARGEST_RECORD = 1 << 31
MOST_FRAMES = 100_000_000  # of one video: five weeks at 30 frames a second
_BLOCK = 1 << 16  # rows, 1.5 MB


def rows(
    frames: Sequence[int], record_bytes: Sequence[int], labels: np.ndarray, expressions: np.ndarray | None = None
) -> np.ndarray:
    """Return (n,) of `ROW`: those of one video.

    Args:
      frames: (n,) number of each record's frame, rising.
      record_bytes: (n,) size of each record in the file, framing included.
      labels: (n, 2) valence and arousal, NaN where missing.
      expressions: (n,) index into `schema.EXPRESSIONS`, -1 where missing; None without any.

    Example:
        >>> rows([1, 2], [6000, 6100], [[0.5, 0.1], [np.nan, 0.2]])["offset"]
        array([   0, 6000])
    """
    found = np.zeros(len(frames), ROW)
    found["frame"] = frames
    found["offset"][1:] = np.cumsum(record_bytes, dtype=np.int64)[:-1]
    found["label"] = labels
    found["expression"] = -1 if expressions is None else expressions
    found["labelled"] = np.isfinite(found["label"]).all(axis=1)
    return found


def save(videos: Sequence[np.ndarray], path: Path) -> str:
    """Write the rows of all videos, whole or not at all; return the file's sha256."""
    # Of zeros also between the fields, which concatenation leaves as the memory was: the same rows are the same bytes.
    together = np.zeros(sum(map(len, videos)), ROW)
    end = 0
    for each in videos:
        begin, end = end, end + len(each)
        together[begin:end] = each
    with whole(path) as partial:
        with partial.open("wb") as file:
            np.save(file, together, allow_pickle=False)
        return sha256_of(partial)


def load(path: Path, sha256: str) -> np.ndarray:
    """Map an index into memory; one that lies in a bucket is copied into it.

    Args:
      path: of the file.
      sha256: that it must have.

    Returns:
      (records,) of `ROW`, read-only.

    Raises:
      UserError: if the file cannot be read or is another one.
    """
    try:
        same, found = (_copied if is_remote(path) else _mapped)(path, sha256)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UserError(f"{path}: cannot be read ({reason}). Pack the corpus again, or copy it whole.") from None
    if not same:
        raise UserError(f"{path}: must be the index that the manifest names. Received: another. Copy the corpus whole.")
    if found.dtype != ROW or found.ndim != 1:
        raise UserError(f"{path}: must hold rows of an index. Received: {found.dtype}, {found.shape}.")
    return found.view(np.ndarray)


def _mapped(path: Path, sha256: str) -> tuple[bool, np.ndarray]:
    """Return whether a file is the right one, and its rows, mapped."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("a device or a pipe, and no file")  # whose end may never come
    same = sha256_of(path) == sha256
    return same, np.load(path, mmap_mode="r", allow_pickle=False) if same else np.empty(0, ROW)


def _copied(path: Path, sha256: str) -> tuple[bool, np.ndarray]:
    """Return whether a file is the right one, and its rows; it is read once."""
    data = path.read_bytes()
    same = hashlib.sha256(data).hexdigest() == sha256
    if not same:
        return False, np.empty(0, ROW)
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not of NumPy's format 1.0")
    _, _, dtype = np.lib.format.read_array_header_1_0(file)
    return True, np.frombuffer(data, dtype, offset=file.tell())


def check(index: np.ndarray, file_bytes: Sequence[int], frames: Sequence[int], expressions: int) -> None:
    """Raise a `ValueError`, naming the field, unless rows can be those of videos one after the other.

    Args:
      index: (records,) of `ROW`.
      file_bytes: size of each video's file.
      frames: number of each video's records, each above 0, of which the sum is `records`.
      expressions: number of classes of expression.
    """
    firsts = np.cumsum([0, *frames])
    # Block by block, so that what is computed of a block stays in the processor's cache: each row is fetched once.
    for begin in range(0, len(index), _BLOCK):
        block = index[begin : begin + _BLOCK]
        videos = np.arange(*np.searchsorted(firsts, (begin, begin + len(block))))  # those that start here
        own = firsts[videos] - begin
        offsets, numbers = block["offset"].copy(), block["frame"].copy()
        _require(not offsets[own].any(), "offset")
        before = index["frame"][begin - 1] if begin else 0
        steps = np.diff(numbers, prepend=before)
        steps[own] = numbers[own]
        _require(bool((steps >= 1).all() and (numbers <= MOST_FRAMES).all()), "frame")
        following = index["offset"][begin + len(block)] if begin + len(block) < len(index) else 0
        sizes = np.diff(offsets, append=following)
        ending = np.arange(*np.searchsorted(firsts[1:], (begin + 1, begin + len(block) + 1)))
        last = firsts[ending + 1] - 1 - begin
        sizes[last] = np.asarray(file_bytes)[ending] - offsets[last]
        _require(bool(((sizes >= SMALLEST_RECORD) & (sizes <= LARGEST_RECORD)).all()), "offset")
        valence, arousal = block["label"].T.copy()
        _require(not (np.isinf(valence).any() or np.isinf(arousal).any()), "label")
        labelled = np.isfinite(valence) & np.isfinite(arousal)
        _require(np.array_equal(block["labelled"].view(np.uint8), labelled), "labelled")
        classes = block["expression"].copy()
        _require(bool(((classes >= -1) & (classes < expressions)).all()), "expression")


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"`{name}` of {FILE_NAME} cannot be those of its records")
