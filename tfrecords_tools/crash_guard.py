"""A command in a process of its own, so that a library that crashes at one file ends the work on that file alone.

Codecs, OpenCV and dlib are written in C and C++; a damaged file can end their process by a signal, which no exception
shows. The process that was started does the work in a child, which is forked before anything heavy is loaded: that
takes milliseconds, and no memory. When a crash has ended the child, the command goes on in another one, if it can say
at which file that was.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from types import FrameType

from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.worker_processes import end_with_parent

# What a person or the system asks a process to end with: no crash.
_ASKED = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
# Seconds within which a second Ctrl-C is the same one: a terminal sends it to parent and child.
_SAME = 1.0


def guarded(command: Callable[[], int | None], again: Callable[[int], bool], verbose: bool | None = None) -> int:
    """Run a command in a child process, and once more in another one for each crash that `again` knows the place of.

    Where no child can be forked safely (Windows, TensorFlow is loaded, threads run), it runs in this process.

    Args:
      command: returns its exit status; what it raises is shown by the child, as `errors.exit_status` does.
      again: called in this process with the signal of a crash; returns whether the command may go on, because the file
        that it crashed at is known now and left out.
      verbose: see `errors.exit_status`.

    Raises:
      UserError: if the child was killed, and not at a file: for lack of memory.
      RuntimeError: if it crashed, and not at a file.
    """
    if not _can_fork():
        return command() or 0
    while True:
        number = _ended(command, verbose)
        if number >= 0:
            return number
        crash = signal.Signals(-number)
        if crash in _ASKED:
            _end_by(crash)
        if not again(crash):
            if crash == signal.SIGKILL:
                raise UserError("The process was killed, probably for lack of memory. Close other programs.")
            raise RuntimeError(f"{crash.name} has ended the process: a library crashes")


def started_as() -> int:
    """Return the number of the process that a person started: this one, or the parent of a child."""
    parent = parent_process()
    return os.getpid() if parent is None else parent.pid


def _can_fork() -> bool:
    return hasattr(os, "fork") and "tensorflow" not in sys.modules and threading.active_count() == 1


def _ended(command: Callable[[], int | None], verbose: bool | None) -> int:
    """Run a command in a child process; return its exit status, or the signal that ended it, below 0."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = get_context("fork").Process(target=_in_child, args=(command, verbose))
    before = {number: signal.getsignal(number) for number in _ASKED}
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED)
    try:
        child.start()
        for number, handler in before.items():
            if handler != signal.SIG_IGN:  # as behind nohup
                signal.signal(number, lambda number, frame: _pass_on(child, number))
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        child.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return child.exitcode


def _pass_on(child: BaseProcess, number: int) -> None:
    if child.pid is not None and child.exitcode is None:
        os.kill(child.pid, number)


def _in_child(command: Callable[[], int | None], verbose: bool | None) -> None:
    interrupted = [-_SAME]

    def interrupt(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - interrupted[0] >= _SAME:
            interrupted[0] = time.monotonic()
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED)
    end_with_parent()
    sys.exit(exit_status(command, verbose))


def _end_by(number: int) -> None:
    """End this process as a signal ends one."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
