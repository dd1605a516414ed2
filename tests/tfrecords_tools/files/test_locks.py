"""Locks: one process at a time, free when its holder dies however it dies, and the other one named."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.files.locks import hold

HOLDER = """
import sys, time
from pathlib import Path
from tfrecords_tools.files.locks import hold
with hold(Path(sys.argv[1]), "tests"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    path = tmp_path / "x.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout.readline() == "held\n"
    yield path, process
    process.kill()
    process.wait()


def test_the_second_process_is_told_who_the_first_is(holder):
    path, process = holder
    with pytest.raises(UserError, match=f"process {process.pid} on {socket.gethostname()}"), hold(path, "tests"):
        pass


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_holder_holds_nothing(how, holder):
    path, process = holder
    process.send_signal(how)
    process.wait()
    with hold(path, "tests"):
        pass


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), hold(tmp_path / "x.lock", "tests"):
        raise RuntimeError
    with hold(tmp_path / "x.lock", "tests"), pytest.raises(UserError), hold(tmp_path / "x.lock", "tests"):
        pass


def test_another_computer_may_still_hold_it(tmp_path):
    note = tmp_path / "x.holder"
    note.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "2020-01-01 00:00:00"}))
    with pytest.raises(UserError, match=r"delete .*x\.holder"), hold(tmp_path / "x.lock", "tests"):
        pass
    note.unlink()
    with hold(tmp_path / "x.lock", "tests"):
        pass


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"host": 1}'])
def test_a_damaged_note_is_no_holder(text, tmp_path):
    (tmp_path / "x.holder").write_text(text)
    with hold(tmp_path / "x.lock", "tests"):
        pass
