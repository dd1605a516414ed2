"""How much room a disk has and how much a file needs, for the line that says that it is full."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

_NEEDED = "room_needed"


@contextlib.contextmanager
def needing(size: int | Callable[[], int]) -> Iterator[None]:
    """Have a full disk within the block say how much room was needed.

    Args:
      size: bytes that the block writes, about; a function is called when the line is written.
    """
    try:
        yield
    except Exception as error:
        if not hasattr(error, _NEEDED):  # what is innermost knows best
            setattr(error, _NEEDED, size)
        raise


def sentence(error: BaseException, names: list) -> str:
    """Return a sentence with the room that there is at the first of `names` and the room that `error` says is needed.

    It begins with a space, or is empty where neither is known.
    """
    there = next((size for size in map(free, map(os.fsdecode, names)) if size is not None), None)
    needed = getattr(error, _NEEDED, None)
    parts = [] if there is None else [f"{shown(there)} are free there"]
    needed = needed() if callable(needed) else needed
    parts += [] if needed is None else [f"about {shown(needed)} are needed"]
    return f" {', '.join(parts)}." if parts else ""


def free(path: str | os.PathLike) -> int | None:
    """Return the bytes that are free on the disk of a path, which need not be there; None where that is not known."""
    folder = Path(path).absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def shown(size: int) -> str:
    """Return a number of bytes for a person, such as "430 MB"."""
    if size < 10_000_000:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.0f} MB" if size < 10_000_000_000 else f"{size / 1e9:,.1f} GB"
