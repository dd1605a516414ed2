"""Reads a file of weights in a process of its own, with limits on memory and time.

The readers of MATLAB, HDF5 and PyTorch files are written in C; a damaged or malicious file can crash them, have them
ask for terabytes, or never end. In a process of its own that is an error of one line.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affwildnet.weights.weight_file import Damaged, unreadable
from tfrecords_tools.errors import UserError

# Bytes of address space beside those for the content: libraries are mapped there too, the large ones above all.
MEMORY = {"tensorflow": 24 << 30, "torch": 24 << 30, "": 4 << 30}
SECONDS = 8  # of computing, beside those for the content
BYTES_PER_SECOND = 10_000_000
STARTING = 300  # seconds in which a large library is imported, on the busiest machine
# Arrays may not be larger than so many times the file: weights hardly compress, a bomb does.
EXPANSION = 64
_SPARE = 1 << 20
_ROOT = Path(__file__).resolve().parents[2]

# What a reader returns: arrays by name, and more that JSON can hold.
Content = tuple[Mapping[str, np.ndarray], Any]


_ANSWER = "answer.json"  # of the child process


def read(path: Path, what: str, reader: str, library: str = "", files: Sequence[Path] | None = None) -> Content:
    """Return what a reader makes of a file, read in a process of its own.

    Args:
      path: the file.
      what: what it must be, for messages.
      reader: `module:function` of this package; takes the path and returns a `Content`.
      library: a key of `MEMORY`: the package that reads it, which is imported before the time counts.
      files: the files that hold the content, where `path` is but the beginning of their names.

    Raises:
      UserError: if the reader raises one, crashes, or needs more memory or time than such a file can.
    """
    size = sum(file.stat().st_size for file in files or [path])
    seconds = SECONDS + size // BYTES_PER_SECOND
    patience = 60 + 4 * seconds + (STARTING if library else 0)
    with tempfile.TemporaryDirectory() as folder:
        numbers = [str(seconds), str(size)]
        command = [sys.executable, "-m", __name__, reader, str(path.absolute()), folder, library, *numbers]
        try:
            ended = subprocess.run(
                command, env=_environment(), capture_output=True, timeout=patience, cwd=folder, check=False
            )
        except subprocess.TimeoutExpired:
            raise unreadable(path, what, f"one whose reading took longer than {patience} s") from None
        answer = Path(folder) / _ANSWER
        if ended.returncode or not answer.is_file():
            raise unreadable(path, what, _end(ended.returncode, seconds))
        found = json.loads(answer.read_text("utf-8"))
        if "refused" in found:
            raise UserError(found["refused"])
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]), found["file"] or folder)
        if "error" in found:
            raise unreadable(path, what, found["reason"]) from ChildProcessError(found["error"])
        with np.load(Path(folder) / "arrays.npz", allow_pickle=False) as held:
            return {name: held[f"a{index}"] for index, name in enumerate(found["names"])}, found["more"]


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    # One thread, since each maps memory; no plug-ins of HDF5, which are code.
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return {**os.environ, **threads, "PYTHONPATH": paths, "HDF5_PLUGIN_PRELOAD": "::", "PYTHONFAULTHANDLER": ""}


def _end(status: int, seconds: int) -> str:
    if status in (-getattr(signal, "SIGXCPU", 24), -getattr(signal, "SIGKILL", 9)):
        return f"one whose reading did not end within {seconds} s"
    if status < 0:
        return f"one that its reader crashes at ({signal.Signals(-status).name})"
    return f"one whose reader ended with status {status}"


def check_size(arrays: Mapping[str, np.ndarray], size: int) -> None:
    """Raise `Damaged` if arrays are larger than those of a file of `size` bytes can be."""
    total = sum(array.nbytes for array in arrays.values())
    if total > EXPANSION * size + _SPARE:
        raise Damaged(f"arrays of {total:,} bytes in a file of {size:,}")


def _limit(seconds: int, library: str, size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    memory = MEMORY[library] + 8 * size
    until = int(time.process_time()) + 1 + seconds
    for which, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, until), (resource.RLIMIT_CORE, 0)):
        _, most = resource.getrlimit(which)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        try:
            resource.setrlimit(which, (limit, most))
        except (OSError, ValueError):  # macOS does not limit address space
            continue


def _main(reader: str, path: str, folder: str, library: str, seconds: str, size: str) -> None:
    """Read in this process, and write what came of it into the folder."""
    module, _, function = reader.partition(":")
    call = getattr(importlib.import_module(module), function)
    if library:
        importlib.import_module(library)
    _limit(int(seconds), library, int(size))
    try:
        arrays, more = call(Path(path))
        check_size(arrays, int(size))
        np.savez(Path(folder) / "arrays.npz", **{f"a{index}": array for index, array in enumerate(arrays.values())})
        found = {"names": list(arrays), "more": more}
    except UserError as error:
        found = {"refused": str(error)}
    except OSError as error:
        if error.errno is None or error.filename is None:
            found = _refusal(error)
        else:
            found = {"errno": error.errno, "file": os.fsdecode(error.filename)}
    except MemoryError as error:
        found = _refusal(error, "one that asks for more memory than such a file needs")
    except Damaged as error:
        found = _refusal(error, str(error))
    except Exception as error:  # of zip, pickle, zlib, struct or NumPy: all that it means is that the file is bad
        found = _refusal(error)
    (Path(folder) / _ANSWER).write_text(json.dumps(found), "utf-8")


def _refusal(error: Exception, reason: str = "") -> dict[str, str]:
    """Return what is said of a file: `error` in a traceback alone, since libraries speak of their own insides."""
    return {"reason": reason, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    _main(*sys.argv[1:])
