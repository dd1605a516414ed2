"""What worker processes run, some of which it ends; nothing heavy is imported, so that they start at once."""

import os
import signal
import time
from pathlib import Path


def square(item):
    """The square of a number; "crash" ends the process, "exit" too, a path once, an "error" is raised."""
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "exit":
        os._exit(3)
    if item == "error":
        raise ValueError("no number")
    if isinstance(item, Path):
        if not item.exists():
            item.write_text("begun")
            os.kill(os.getpid(), signal.SIGKILL)
        return "again"
    return item * item


def end():
    """End a worker before it begins."""
    os._exit(1)


def sleep(path):
    """Write which process this is, and stay."""
    path.write_text(str(os.getpid()))
    time.sleep(60)
