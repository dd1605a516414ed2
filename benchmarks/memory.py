"""The peak memory of this process."""

import resource
import sys
from pathlib import Path


def peak() -> float:
    """Return the most MiB that this process had resident since its program began.

    Linux carries `ru_maxrss` over from the process that started this one, which may have been larger. So there the
    kernel's high-water mark of this program's own memory is read.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except FileNotFoundError:  # not Linux
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
        return most / (2**20 if sys.platform == "darwin" else 2**10)
    (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kib) / 2**10
