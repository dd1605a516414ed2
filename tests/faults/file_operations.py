"""Counts the operations by which this process changes files below a folder, and kills it before the n-th of them.

Python's audit events name every file that is opened for writing, renamed, linked, removed or made, whichever module
does it; `os.fsync` has no event and is wrapped. What compiled libraries write (TensorBoard's events, the variables of a
SavedModel) is not seen: a kill before the operation after it stands for one within.
"""

import os
import signal
import sys
import time

_CHANGES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.link": 2}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_seen: list[str] = []
_settings: dict = {}


def watch(root, kill_at=None, count_to=None, pause=None):
    """Begin to count the operations below `root`.

    Args:
      root: the folder.
      kill_at: number, from 1, of the operation before which the process is killed; None kills none.
      count_to: file to which `report` writes a line for each operation.
      pause: seconds to sleep before each operation, so that another process comes between.
    """
    _settings.update(root=os.path.realpath(root), kill_at=kill_at, count_to=count_to, pause=pause)
    fsync = os.fsync

    def counted(descriptor):
        _operation("fsync", [os.readlink(f"/proc/self/fd/{descriptor}")])
        return fsync(descriptor)

    os.fsync = counted
    sys.addaudithook(_heard)


def report():
    """Write down what was counted, if anyone wants to know."""
    if _settings.get("count_to"):
        path, _settings["root"] = _settings["count_to"], "\0"
        with open(path, "w") as file:
            file.writelines(f"{line}\n" for line in _seen)


def _heard(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int) or path is None:
            return
        if (set(mode) & set("wax+")) if mode else (flags or 0) & _WRITES:
            _operation("open", [path])
    elif event in _CHANGES:
        count = _CHANGES[event]
        folders = arguments[-count:]
        _operation(event, [_within(path, folder) for path, folder in zip(arguments[:count], folders, strict=True)])


def _within(path, folder=-1):
    """A path that `shutil.rmtree` gives relative to the descriptor of a folder, as a whole one."""
    return path if folder in (-1, None) else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))


def _operation(what, paths):
    names = [os.path.abspath(os.fsdecode(path)) for path in paths]
    if not any(name.startswith(_settings["root"] + os.sep) for name in names):
        return
    _seen.append(f"{what} {' '.join(names)}")
    if len(_seen) == _settings["kill_at"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if _settings["pause"]:
        time.sleep(_settings["pause"])
