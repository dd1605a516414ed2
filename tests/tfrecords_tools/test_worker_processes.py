"""Many items in several processes: a crash spoils its own item, and no process outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context

import pytest

from tests.helpers.crashing import end, square
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.worker_processes import Crash, _work, results


def test_every_item_has_its_result_and_a_crash_spoils_its_own(tmp_path):
    items = [3, "crash", 4, tmp_path / "begun", "exit", 5, 6]
    found = dict(results(square, items, 2))
    assert found == {0: 9, 1: Crash("SIGSEGV"), 2: 16, 3: "again", 4: Crash("exit status 3"), 5: 25, 6: 36}


def test_an_item_that_takes_too_long_spoils_its_own():
    found = dict(results(square, [3, "hang", 4], 1, patience=1.0))
    assert found == {0: 9, 1: Crash("nothing came of it in 1 seconds"), 2: 16}


def test_an_error_is_that_of_the_caller():
    with pytest.raises(ValueError, match="no number"):
        list(results(square, [1, "error"], 1))


def test_processes_that_never_begin_are_an_error():
    with pytest.raises(UserError, match="end before they begin"):
        list(results(square, [1, 2], 2, end))


def test_no_items_are_no_results():
    assert list(results(square, [], 2)) == []


def test_a_process_whose_answer_nobody_reads_ends_quietly():
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, square, None), daemon=True)
    process.start()
    theirs.close()
    assert ours.poll(60)
    ours.close()
    process.join(60)
    assert process.exitcode == 0


def test_the_processes_end_with_the_one_that_was_killed(tmp_path):
    code = (
        "from pathlib import Path\nfrom tests.helpers.crashing import sleep\n"
        "from tfrecords_tools.worker_processes import results\n"
        f"if __name__ == '__main__': list(results(sleep, [Path({str(tmp_path / 'pid')!r})], 1))"
    )
    (tmp_path / "parent.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=environment)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    worker = int((tmp_path / "pid").read_text())
    for _ in range(250):
        if not _runs(worker):
            return
        time.sleep(0.02)
    raise AssertionError("the worker outlived its parent")


def _runs(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
