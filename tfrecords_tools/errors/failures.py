"""One line for every exception that can be foreseen: what happened, what stands, what to do.

Exceptions of libraries are recognised by the names of their classes, so that nothing is imported for it.
"""

import errno
import os
import re

from tfrecords_tools.errors import room

FOR_THE_USER, UNFORESEEN, INTERRUPTED = 2, 70, 130
_STANDS = "Files appear whole or not at all: what was finished before stands."
_FULL = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EFBIG: "the file is larger than the file system or a limit (`ulimit -f`) allows",
}
# What TensorFlow and other libraries write in their messages where an exception does not carry the number.
_FULL_WORDS = {
    "no space left on device": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "file too large": errno.EFBIG,
    "errno = 28": errno.ENOSPC,
    "errno = 122": errno.EDQUOT,
    "errno = 27": errno.EFBIG,
    "read-only file system": errno.EROFS,
}
# What TensorFlow was computing: the node of its graph and the operation.
_COMPUTING = re.compile(r"\s*\[\[\{\{.*?\}\}.*?\]\]|\{\{\w+ [^}]*\}\}\s*|\s*\[Op:\w+\]( name:.*)?")
_OF_TENSORFLOW = {
    "NotFoundError": "A file is missing. Check that nothing was deleted or moved while the command ran.",
    "DataLossError": "A file is damaged or cut off. `python -m tfrecords_tools verify` checks a packed corpus.",
    "OutOfRangeError": "A file ends too early. `python -m tfrecords_tools verify` checks a packed corpus.",
    "InvalidArgumentError": (
        "A record or an argument is not as expected. `python -m tfrecords_tools verify` checks a packed corpus."
    ),
    "FailedPreconditionError": "A file stands where a folder must be, or something is missing that must be there.",
    "PermissionDeniedError": "A file may not be read or written. Check its permissions.",
    "UnavailableError": "A device or another worker cannot be reached. Check that all run.",
    "DeadlineExceededError": "Another worker did not answer in time. Check that all run.",
    "CancelledError": "The work was cancelled. Another worker may have ended.",
    "AbortedError": "The work was ended from outside. Another worker may have ended.",
}


def line_and_status(error: BaseException) -> tuple[str, int]:
    """Return the line that a command shows for an exception which is no `UserError`, and its exit status."""
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted. {_STANDS}", INTERRUPTED
    if (found := _foreseen(error)) is not None:
        return f"error: {found}", FOR_THE_USER
    line = f"error: not foreseen: {type(error).__name__}: {str(error) or 'no message'}"
    return f"{line}. {_STANDS} Please report it with the output of --verbose.", UNFORESEEN


def is_full_disk(error: BaseException) -> bool:
    """Return whether an exception says that a disk is full, a quota used up, or a file too large."""
    return _errno(error) in _FULL


def disk_error(error: BaseException) -> OSError | None:
    """Return an exception that says of a disk that it cannot be written, also TensorFlow's, as an `OSError`.

    None is any other exception.
    """
    number = _errno(error)
    if number not in (*_FULL, errno.EROFS):
        return None
    return error if isinstance(error, OSError) else OSError(number, f"{os.strerror(number)} ({message_of(error)})")


def _foreseen(error: BaseException) -> str | None:
    number = _errno(error)
    if number == errno.EFBIG:
        return f"{_FULL[number]}{_where(error)}. {_STANDS} Raise the limit, or write to another file system."
    if number in _FULL:
        there = room.sentence(error, _names(error))
        return f"{_FULL[number]}{_where(error)}.{there} {_STANDS} Make room and run the same command again."
    if number == errno.EROFS:
        return f"the file system is read-only{_where(error)}. Name a folder elsewhere, or mount it for writing."
    if isinstance(error, PermissionError):
        return f"no permission{_where(error)} ({error.strerror or error}). Check its owner and permissions."
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return (
            f"the memory is not enough ({message_of(error)}). {_STANDS} Use less: a smaller batch_size or window, "
            "fewer --workers, smaller files, or close other programs."
        )
    if _is(error, "OpError", "tensorflow"):
        advice = _OF_TENSORFLOW.get(type(error).__name__)
        return None if advice is None else f"{advice} TensorFlow says: {message_of(error)}"
    if _is(error, "error", "cv2"):
        return f"OpenCV cannot work on an image or a video: {message_of(error)}. Check that the file is whole."
    if _is(error, "FFmpegError", "av"):
        return f"a video cannot be read or written: {message_of(error)}. Check that the file is whole."
    if _is(error, "BrokenProcessPool", "concurrent"):
        return f"a worker process was ended from outside, perhaps for lack of memory. {_STANDS} Use fewer --workers."
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the package {error.name.partition('.')[0]} is not installed, which this needs. Install it with pip."
    if isinstance(error, OSError):
        return message_of(error)
    return None


def _errno(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, OSError) or _is(error, "OpError", "tensorflow"):
        words = str(error).lower()
        return next((number for text, number in _FULL_WORDS.items() if text in words), None)
    return None


def _is(error: BaseException, name: str, package: str) -> bool:
    """Return whether an exception is of the class of that name, or of one that inherits from it."""
    return any(
        kind.__name__ == name and (kind.__module__ or "").partition(".")[0] == package for kind in type(error).__mro__
    )


def _is_out_of_memory(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno == errno.ENOMEM) or (
        _is(error, "OpError", "tensorflow") and type(error).__name__ == "ResourceExhaustedError"
    )


def message_of(error: BaseException) -> str:
    """Return an exception's message on one line, without what TensorFlow was computing and where that was defined."""
    text = _COMPUTING.sub("", str(getattr(error, "message", None) or error)) or type(error).__name__
    lines = []
    for line in text.splitlines():
        if line.startswith(("Detected at node", "Original stack trace", "Stack trace for op", "Defined at")):
            break
        lines.append(line.strip())
    return " ".join(filter(None, lines))[:500]


def _where(error: BaseException) -> str:
    names = [os.fsdecode(name) for name in _names(error)]
    return f": {' -> '.join(names)}" if names else f" ({message_of(error)})" if not isinstance(error, OSError) else ""


def _names(error: BaseException) -> list:
    found = [getattr(error, "filename", None), getattr(error, "filename2", None)]
    return [name for name in found if isinstance(name, (str, bytes, os.PathLike))]
