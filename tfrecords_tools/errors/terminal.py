"""Text that is safe to print: names and messages from files may hold characters that a terminal obeys."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Any

# Control characters, marks that turn the direction of text, and line ends that terminals disagree on.
_OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return `text` with the characters that a terminal obeys written out, such as `\x1b`; lines and tabs stay."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Return `text` printable and on one line."""
    return printable(" ".join(text.split()))


@contextlib.contextmanager
def escaping() -> Iterator[None]:
    """Within the block, what is printed to the standard output and error is `printable`."""
    with contextlib.redirect_stdout(_Escaping(sys.stdout)), contextlib.redirect_stderr(_Escaping(sys.stderr)):
        yield


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Within the block no bar of tqdm's stands in the last line; those that go on are shown again after it."""
    if (tqdm := sys.modules.get("tqdm")) is None:
        yield
        return
    with tqdm.tqdm.external_write_mode(file=sys.stderr):
        yield


def end_bars() -> None:
    """Close the bars of tqdm's that an error has left open, and clear the line of one whose process has crashed."""
    tqdm = sys.modules.get("tqdm")
    for bar in [] if tqdm is None else list(getattr(tqdm.tqdm, "_instances", [])):
        bar.close()
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{' ' * shutil.get_terminal_size().columns}\r")


def drop_output() -> None:
    """Drop what is and will be written to the standard output: nothing can be written there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Escaping:
    """A text stream that writes out, in another one, what a terminal would obey or cannot show."""

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        shown = printable(text).encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(shown)
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
