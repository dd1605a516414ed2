"""What worker processes run, some of which it ends; nothing heavy is imported, so that they start at once."""

import os
import signal
import time
from pathlib import Path


def square(item):
    """The square of a number; "crash" ends the process, "exit" too, a path once; "error" is raised, "hang" stays."""
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "exit":
        os._exit(3)
    if item == "error":
        raise ValueError("no number")
    if item == "hang":
        time.sleep(600)
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


def convert_and_crash(paths, report):
    """In place of a conversion: half a copy, and a crash."""
    _half(paths[1])
    report(0.5)
    os.kill(os.getpid(), signal.SIGSEGV)


def convert_for_ever(paths, report):
    """In place of a conversion: half a copy, and no end."""
    _half(paths[1])
    report(0.5)
    time.sleep(600)


def convert_and_count(paths, report):
    """In place of a conversion that takes a moment: a copy, and a line beside the video for each that is made."""
    with paths[0].with_suffix(".made").open("a") as file:
        file.write(f"{paths[1].name}\n")
    report(0.5)
    time.sleep(1)
    paths[1].parent.mkdir(parents=True, exist_ok=True)
    paths[1].write_bytes(b"copy")


def crash_opening(path):
    """In place of opening a video, a crash at one whose name begins with "bad", no end at one with "slow"."""
    if path.name.startswith("bad"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name.startswith("slow"):
        time.sleep(600)
    from tfrecords_tools.video.browser_copy import VideoFacts

    return VideoFacts(1.0, "h264", "")


def _half(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".partial-{path.name}").write_bytes(b"half")
