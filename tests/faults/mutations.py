"""Files that are damaged in one place, and what readers make of them: a value, a line that says why, or worse."""

import contextlib
import io
import random
import signal
import traceback
from collections import Counter
from contextlib import contextmanager

from tests.faults.commands import LONG, UNFORESEEN
from tfrecords_tools import errors

CASES = 500 if LONG else 120
HANG_SECONDS = 10

OK, REFUSED, TRACEBACK, HANG, WRONG = "read", "refused in one line", "traceback", "hang", "silently wrong"

_WORDS = (
    b"nan", b"inf", b"-inf", b"1e39", b"1e400", b"-1", b"0", b"60000", b"1e9", b"99999999999999999999", b"null",
    b"true", b"[]", b"{}", b'""', b'"\\ud800"', b"0_1", b"0.1_5", "\uff11".encode(), b"\x0c", "\u2028".encode(),
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b",", b";", b"=1+1", b"..", b"/etc/passwd", b"\x1b[2J",
    b"-0", b"1e-400", b"[[[[[[[[", b"9" * 400, b"[" * 3000,
)  # fmt: skip


def mutated(data, seed):
    """The bytes of a file with one or two changes, the same ones for the same seed."""
    chance = random.Random(seed)
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2))):
        at, length = chance.randrange(len(found) + 1), chance.randrange(1, 20)
        kind = chance.randrange(9)
        if kind == 0 and found:
            found[at % len(found)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            del found[at : at + length]
        elif kind == 3:
            found[at:at] = found[at : at + length]
        elif kind == 4:
            found[at:at] = chance.choice(_WORDS)
        elif kind == 5:
            lines = found.split(b"\n")
            line = chance.randrange(len(lines))
            lines[line : line + 1] = chance.choice(([], [lines[line]] * 2, [b""]))
            found = bytearray(b"\n".join(lines))
        elif kind in (6, 7):
            _replace_token(found, chance)
        else:
            found[at:at] = chance.randbytes(length)
    return bytes(found)


def _replace_token(found, chance):
    """Put a word in the place of a number or word of a text."""
    begin = chance.randrange(len(found) + 1)
    ends = b' ,;:\n\r\t[]{}"'
    while begin < len(found) and found[begin] in ends:
        begin += 1
    start = end = begin
    while start > 0 and found[start - 1] not in ends:
        start -= 1
    while end < len(found) and found[end] not in ends:
        end += 1
    found[start:end] = chance.choice(_WORDS)


class Hang(BaseException):
    """A reader took longer than it may."""


@contextmanager
def alarm(seconds=HANG_SECONDS):
    """Raise `Hang` when the block takes longer."""

    def rang(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, rang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(read, is_right=None):
    """Class of what a reader does, and a text that shows it.

    Args:
      read: the reader, without arguments.
      is_right: whether what it returns is right; None where that is not known.
    """
    try:
        with alarm():
            found = read()
    except Hang:
        return HANG, f"longer than {HANG_SECONDS} s"
    except BaseException as error:
        return _shown(error)
    if is_right is not None and not is_right(found):
        return WRONG, repr(found)[:300]
    return OK, ""


def _shown(error):
    """Class of an error by what a command shows of it."""

    def fail():
        raise error

    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        status = errors.exit_status(fail, verbose=False)
    said = stderr.getvalue()
    plain = said.count("\n") == 1 and len(said.splitlines()) == 1 and all(ord(letter) >= 32 for letter in said[:-1])
    if status == UNFORESEEN or not plain:
        return TRACEBACK, "".join(traceback.format_exception(error, limit=-3)) + said
    return REFUSED, said


def fuzz(path, read, is_right=None, cases=CASES, first=0):
    """Damage a file in many ways and read it each time; return how often which outcome came, and the bad ones.

    Args:
      path: the file, put back at the end.
      read: the reader of what lies there.
      is_right: see `outcome`.
      cases: number of damages.
      first: seed of the first.
    """
    whole = path.read_bytes()
    counted, bad = Counter(), []
    try:
        for seed in range(first, first + cases):
            path.write_bytes(mutated(whole, seed))
            kind, text = outcome(read, is_right)
            counted[kind] += 1
            if kind not in (OK, REFUSED):
                bad.append(f"{path.name}, seed {seed}: {kind}: {text}")
    finally:
        path.write_bytes(whole)
    return counted, bad


def assert_harmless(path, read, is_right=None, cases=CASES):
    """Assert that no damage of a file does worse than a refusal in one line, and that there were refusals."""
    kind, text = outcome(read, is_right)
    assert kind == OK, text
    counted, bad = fuzz(path, read, is_right, cases)
    print(f"{path.name}: {dict(counted)}")
    assert not bad, f"{len(bad)} of {cases}\n" + "\n".join(bad[:8])
