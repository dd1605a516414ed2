"""Bars of tqdm in a terminal: what a command says while one is shown stands on a line of its own."""

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from tests.helpers.paths import ROOT

# The error's own frame keeps the loop, and so the bar, alive until the command says what has happened.
COMMAND = """
import logging, os, signal, sys
from tqdm import tqdm
from tfrecords_tools.commands import Parser, run
from tfrecords_tools.crash_guard import guarded
from tfrecords_tools.errors import UserError

def work(options):
    shown = iter(tqdm(range(9), desc="frames", leave=LEAVE, file=sys.stderr, mininterval=0))
    for index in shown:
        if index == 3:
            HAPPENS

sys.exit(run(Parser(prog="try.py"), COMMAND, []))
"""


def screen(code):
    """Run code in a terminal; return the lines that are seen at the end, and the exit status."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 70))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    lines = []
    for line in written.decode().replace("\r\n", "\n").split("\n"):
        seen = ""
        for part in line.split("\r"):
            seen = part + seen[len(part) :]
        lines.append(seen.rstrip())
    return [line for line in lines if line], process.wait(timeout=60)


@pytest.mark.parametrize("leave", [False, True])
@pytest.mark.parametrize(
    ("happens", "said", "status"),
    [
        ('raise UserError("it is so")', "error: it is so", 2),
        ("os.kill(os.getpid(), signal.SIGINT)", "interrupted. .*", 130),
        ('logging.getLogger("affwildnet").warning("mind this")', "mind this", 0),
    ],
    ids=["error", "interrupt", "log"],
)
def test_what_is_said_under_a_bar_has_its_own_line(happens, said, status, leave):
    code = COMMAND.replace("HAPPENS", happens).replace("LEAVE", str(leave)).replace("COMMAND", "work")
    lines, ended = screen(code)
    assert ended == status, lines
    messages = [line for line in lines if "frames:" not in line]
    assert len(messages) == 1, lines
    assert re.fullmatch(said, messages[0])
    assert len(lines) == 1 + leave, lines


def test_the_bar_of_a_crashed_process_is_cleared():
    happens = "os.kill(os.getpid(), signal.SIGSEGV)"
    command = "lambda options: guarded(lambda: work(options), lambda number: False)"
    code = COMMAND.replace("HAPPENS", happens).replace("LEAVE", "True").replace("COMMAND", command)
    lines, ended = screen(code)
    assert (len(lines), ended) == (1, 70), lines
    assert re.match("error: .*SIGSEGV", lines[0])
