"""Jobs on pairs of GPUs: order, failures, what goes on after a kill. The processes are small programs."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from affwildnet.experiments.config import Experiment
from affwildnet.reproduce import job_runs, schedule
from affwildnet.reproduce.gpu_pairs import Pair
from affwildnet.reproduce.job_runs import DONE, DoneSteps, check_folder
from affwildnet.reproduce.row_jobs import Job, Step
from affwildnet.runs.json_files import write_json
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0.02)


def program(code, *arguments):
    return (sys.executable, "-c", code, *map(str, arguments))


CPU = (Pair(),)
# Notes its arguments in a file, one line a call.
NOTE = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')"
# Notes which GPUs it sees.
GPUS = "import os, sys; open(sys.argv[1], 'a').write(os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')"


def job(name, *steps, **more):
    return Job(name, Experiment(f"tests/{name}", ""), (name,), tuple(steps), **more)


def noting(folder, title, output=None):
    """A step that notes that it ran, and which GPU it sees."""
    path = folder / f"{title}.txt"
    return Step(title, program(GPUS, path), output=output or path)


def ran(folder, title):
    path = folder / f"{title}.txt"
    return path.read_text().splitlines() if path.exists() else []


def run(jobs, folder, pairs=CPU, finished=lambda states: None):
    return schedule.run(jobs, folder, pairs, finished)


def test_steps_run_in_order_on_the_pair_s_gpus_and_are_not_run_again(tmp_path):
    def steps():
        beside = program(GPUS, tmp_path / "watch.txt")
        return [replace(noting(tmp_path, "train"), beside=beside), noting(tmp_path, "score")]

    assert run([job("a", *steps())], tmp_path, [Pair(2, 3)]) == {"a": DONE}
    assert ran(tmp_path, "train") == ran(tmp_path, "score") == ["2"]
    assert ran(tmp_path, "watch") == ["3"]
    # On other GPUs it is still the same run.
    assert run([job("a", *steps())], tmp_path, [Pair(0, 1)]) == {"a": DONE}
    assert ran(tmp_path, "train") == ["2"]


def test_without_gpus_each_process_sees_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert run([job("a", noting(tmp_path, "train"))], tmp_path) == {"a": DONE}
    assert ran(tmp_path, "train") == ["-1"]


def test_gpus_are_numbered_among_those_that_the_command_sees(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-6f")
    step = replace(noting(tmp_path, "train"), beside=program(GPUS, tmp_path / "watch.txt"))
    assert run([job("a", step)], tmp_path, [Pair(0, 1)]) == {"a": DONE}
    assert ran(tmp_path, "train") == ["4"]
    assert ran(tmp_path, "watch") == ["GPU-6f"]


def test_a_step_that_has_changed_is_run_again_with_all_after_it(tmp_path):
    first, second, third = (noting(tmp_path, name) for name in ("one", "two", "three"))
    run([job("a", first, second, third)], tmp_path)
    changed = replace(second, command=(*second.command, "more"))
    run([job("a", first, changed, third)], tmp_path)
    assert [len(ran(tmp_path, name)) for name in ("one", "two", "three")] == [1, 2, 2]
    (tmp_path / "three.txt").unlink()  # an output that is gone
    run([job("a", first, changed, third)], tmp_path)
    assert [len(ran(tmp_path, name)) for name in ("one", "two", "three")] == [1, 2, 1]


def test_a_failed_row_does_not_stop_the_others_and_says_why(tmp_path):
    fails = Step(
        "train", program("import sys; print('step 1'); print('error: no such file', file=sys.stderr); sys.exit(2)")
    )
    jobs = [job("a", fails), job("b", noting(tmp_path, "b")), job("c", noting(tmp_path, "c"), after=("a",))]
    seen = []
    states = run(jobs, tmp_path, finished=lambda states: seen.append(dict(states)))
    assert states["a"].startswith("failed: train: no such file (see ")
    assert states["b"] == DONE
    assert states["c"] == "not run: it starts from a, which failed"
    assert ran(tmp_path, "c") == []
    assert len(seen) == 2


def test_a_watcher_that_chooses_no_checkpoint_fails_with_what_it_skipped(tmp_path):
    beside = program("print('skipped: a.keras: no CCC')")
    step = replace(noting(tmp_path, "train"), beside=beside, chosen=tmp_path / "best_mean.keras")
    state = run([job("a", step)], tmp_path)["a"]
    assert state == f"failed: train ended well, but did not write {tmp_path}/best_mean.keras: a.keras: no CCC"


def test_a_trainer_that_fails_ends_its_watcher(tmp_path):
    waits = program("import time; time.sleep(60)")
    step = Step("train", program("import sys; sys.exit('error: bad')"), beside=waits)
    began = time.monotonic()
    assert run([job("a", step)], tmp_path)["a"].startswith("failed: train: bad")
    assert time.monotonic() - began < 20


def test_a_watcher_that_fails_ends_its_trainer(tmp_path):
    waits = program("import time; time.sleep(60)")
    step = Step("train", waits, beside=program("import sys; sys.exit('error: blind')"))
    began = time.monotonic()
    assert run([job("a", step)], tmp_path)["a"].startswith("failed: the watcher of train: blind")
    assert time.monotonic() - began < 20


def test_a_step_without_its_output_has_failed(tmp_path):
    state = run([job("a", Step("train", program("pass"), output=tmp_path / "nothing"))], tmp_path)["a"]
    assert "did not write" in state


def test_what_lacks_something_is_not_run_nor_what_starts_from_it(tmp_path):
    jobs = [
        job("a", noting(tmp_path, "a"), lacking=("weights of VGG-Face: --weights=vgg_face=FILE",)),
        job("b", noting(tmp_path, "b"), after=("a",)),
        job("c", noting(tmp_path, "c")),
    ]
    states = run(jobs, tmp_path)
    assert states["a"] == "lacks: weights of VGG-Face: --weights=vgg_face=FILE"
    assert states["b"].startswith("not run: it starts from a, which lacks: weights of VGG-Face")
    assert states["c"] == DONE


# Notes when it began and ended, in seconds, and which GPU it saw.
BEGUN = (
    "import os, sys, time\nbegan = time.monotonic()\ntime.sleep(0.2)\nopen(sys.argv[1], 'a').write("
    "f\"{os.environ['CUDA_VISIBLE_DEVICES']} {began} {time.monotonic()}\\n\")"
)


@pytest.mark.parametrize(("number", "pairs"), [(5, 2), (2, 3), (3, 1)])
def test_as_many_run_at_once_as_there_are_pairs_each_on_one_of_its_own(number, pairs, tmp_path):
    times = tmp_path / "times.txt"
    jobs = [job(str(index), Step("train", program(BEGUN, times))) for index in range(number)]
    assert set(run(jobs, tmp_path, [Pair(2 * index, -1) for index in range(pairs)]).values()) == {DONE}
    spans = [(gpu, float(began), float(ended)) for gpu, began, ended in map(str.split, times.read_text().splitlines())]
    assert len(spans) == number
    at_once = [sum(began <= now < ended for _, began, ended in spans) for _, now, _ in spans]
    assert max(at_once) <= min(number, pairs)
    for gpu in {gpu for gpu, _, _ in spans}:
        own = sorted((began, ended) for each, began, ended in spans if each == gpu)
        assert all(ended <= began for (_, ended), (began, _) in pairwise(own))
    assert len({gpu for gpu, _, _ in spans}) == min(number, pairs)


def test_two_pairs_run_two_rows_at_the_same_time(tmp_path):
    # Each waits until the other one is there.
    meets = (
        "import pathlib, sys, time\nown, other = map(pathlib.Path, sys.argv[1:])\nown.touch()\n"
        "while not other.exists(): time.sleep(0.02)"
    )
    a, b = tmp_path / "a.there", tmp_path / "b.there"
    jobs = [job("a", Step("meet", program(meets, a, b))), job("b", Step("meet", program(meets, b, a)))]
    assert run(jobs, tmp_path, [Pair(), Pair()]) == {"a": DONE, "b": DONE}


def test_what_is_started_from_is_done_first(tmp_path):
    order = tmp_path / "order.txt"
    jobs = [
        job("second", Step("x", program(NOTE, order, "second")), after=("first",)),
        job("first", Step("x", program(NOTE, order, "first"))),
    ]
    assert run(jobs, tmp_path, [Pair(), Pair()]) == {"first": DONE, "second": DONE}
    assert order.read_text().split() == ["first", "second"]


def test_a_note_of_what_is_done_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "reproduced.json").write_text("[")
    with pytest.raises(UserError, match="must be readable JSON"):
        DoneSteps(tmp_path / "a").has(Step("x", program("pass")))


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel to end a child with its parent")
def test_the_processes_of_a_killed_command_die_with_it(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom affwildnet.reproduce import schedule\n"
        "from affwildnet.reproduce.gpu_pairs import Pair\nfrom affwildnet.reproduce.row_jobs import Job, Step\n"
        "from affwildnet.experiments.config import Experiment\n"
        "wait = (sys.executable, '-c', 'import os, sys, time; open(sys.argv[1], \"w\").write(str(os.getpid())); "
        "time.sleep(60)', sys.argv[1])\n"
        "job = Job('a', Experiment('a', ''), ('a',), (Step('train', wait),))\n"
        "schedule.run([job], Path(sys.argv[2]), [Pair()], print)"
    )
    note = tmp_path / "pid"
    driver = subprocess.Popen([sys.executable, "-c", code, str(note), str(tmp_path)], cwd=ROOT)
    until = time.monotonic() + 60
    while not (note.exists() and note.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    child = int(note.read_text())
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    while time.monotonic() < until and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_the_folder_of_another_experiment_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    check_folder(job("a"), tmp_path)
    write_json(tmp_path / "a" / "experiment.json", {"experiment": {"name": "tests/other"}})
    with pytest.raises(UserError, match=r"must hold tests/a\. Received: a run of tests/other"):
        check_folder(job("a"), tmp_path)


def test_the_last_line_of_a_log_is_its_error(tmp_path):
    log = tmp_path / "log"
    log.write_text("step 1\nerror: first\nerror: no room\n\nat exit\n\n")
    assert job_runs._last_line(log) == "no room"
    log.write_text("step 1\nKilled\n")
    assert job_runs._last_line(log) == "Killed"
    log.write_text("")
    assert job_runs._last_line(log) == ""
