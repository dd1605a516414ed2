"""A command whose process a library ends goes on in another one; one that is ended from outside leaves nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.paths import ROOT

# Runs a command of three parts, of which it remembers in a file how far it is; `crash` is what part b does.
COMMAND = """
import os, signal, sys, time
from pathlib import Path
from tfrecords_tools.crash_guard import guarded
from tfrecords_tools.errors import exit_status

folder, crash = Path(sys.argv[1]), sys.argv[2]

def command():
    for part in "abc":
        if (folder / part).exists():
            continue
        (folder / part).write_text("begun")
        if part == "b":
            exec(crash)
        (folder / part).write_text("done")
        print(part, flush=True)
    return 1

def again(number):
    begun = [path for path in folder.iterdir() if path.read_text() == "begun"]
    for path in begun:
        path.write_text(f"ended by {number}")
    return bool(begun)

sys.exit(exit_status(lambda: guarded(command, again)))
"""


def start(folder, crash):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, folder, crash]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_crash_costs_its_own_part_alone(name, tmp_path):
    process = start(tmp_path, f"os.kill(os.getpid(), signal.{name})")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (1, "a\nc\n", "")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"a": "done", "b": f"ended by {getattr(signal, name).value}", "c": "done"}


@pytest.mark.parametrize(
    ("how", "status", "line"),
    [
        ("(folder / 'b').unlink(); os.kill(os.getpid(), signal.SIGKILL)", 2, "killed, probably for lack of memory"),
        ("(folder / 'b').unlink(); os.kill(os.getpid(), signal.SIGSEGV)", 70, "SIGSEGV has ended the process"),
        ("raise ValueError('no number')", 70, "not foreseen: ValueError: no number"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
    ],
)
def test_what_is_no_crash_at_a_part_is_one_line(how, status, line, tmp_path):
    process = start(tmp_path, how)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (status, "a\n")
    assert line in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM), ("SIGKILL", -9)])
def test_a_signal_to_the_command_ends_all_of_it(name, status, tmp_path):
    process = start(tmp_path, "(folder / 'child').write_text(str(os.getpid())); time.sleep(60)")
    child = tmp_path / "child"
    wait_for(lambda: child.exists() and child.read_text())
    process.send_signal(getattr(signal, name))
    assert process.wait(20) == status
    wait_for(lambda: not os.path.exists(f"/proc/{child.read_text()}") or is_defunct(child.read_text()))
    process.communicate()


def is_defunct(number):
    with open(f"/proc/{number}/stat") as file:
        return file.read().split()[2] == "Z"


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
