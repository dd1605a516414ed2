"""Files of weights that are damaged, each read in a process that may crash."""

import os
import signal
import struct
import warnings

from affwildnet.weights import isolated


def mutated(data, rng):
    """Change, cut, repeat or insert a few bytes."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(data)))
        kind = rng.integers(5)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place : place + 4] = struct.pack("<i", int(rng.choice([0, -1, 2**31 - 1, 255, 65536, 1])))
        elif kind == 2:
            data[place : place + 8] = rng.bytes(8)
        elif kind == 3:
            del data[place : place + int(rng.integers(1, 64))]
        else:
            data[place:place] = data[place : place + int(rng.integers(1, 64))]
        data = data or bytearray(b"\0")
    return bytes(data)


def outcome(content, path, size, library=""):
    """What comes of reading a file in a child of this process, with the limits of `isolated`."""
    child = os.fork()
    if not child:
        _one_case(content, path, size, library)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    names = {0: "read", 3: "refused", -signal.SIGXCPU: "time", -signal.SIGKILL: "time"}
    return names.get(ended, "crash" if ended < 0 else f"status {ended}")


def _one_case(content, path, size, library):
    status = 4
    try:
        warnings.simplefilter("ignore")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        isolated._limit(3, library, size)
        try:
            arrays, _ = content(path)
            isolated.check_size(arrays, size)
            status = 0
        except Exception:
            status = 3
    finally:
        os._exit(status)
