"""`--pairs`: what is read of it, GPUs that are not there, and the commands of a dry run on them."""

import subprocess
import sys

import pytest

from affwildnet import devices
from affwildnet.experiments.config import Experiment
from affwildnet.reproduce.command_listing import listed
from affwildnet.reproduce.gpu_pairs import Pair, check, parse
from affwildnet.reproduce.row_jobs import Job, Step
from tfrecords_tools.errors import UserError


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("", [Pair()]), ("0:1", [Pair(0, 1)]), ("0:1,2:3", [Pair(0, 1), Pair(2, 3)]), ("0:-1,1:-1", [Pair(0), Pair(1)])],
)
def test_pairs(text, pairs):
    assert parse(text) == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0:0", "must name each GPU once. Received: 0 twice"),
        ("0:1,1:2", "must name each GPU once. Received: 1 twice"),
        ("0", "must be like 0:1,2:3"),
        ("0:1:2", "must be like 0:1,2:3"),
        ("0:1,", "must be like 0:1,2:3"),
        ("a:b", "must be like 0:1,2:3"),
        ("0:1_0", "must be like 0:1,2:3"),
        ("0:-2", "must name GPUs from 0 on"),
    ],
)
def test_pairs_that_are_none_are_one_line(text, message):
    with pytest.raises(UserError, match=message):
        parse(text)


def test_gpus_that_are_not_there_are_one_line(monkeypatch):
    monkeypatch.setattr(devices, "count_gpus", lambda: 2)
    check([Pair(0, 1), Pair(-1, -1)])
    with pytest.raises(UserError, match=r"must name GPUs from 0 to 1: TensorFlow finds 2\. Received: 2"):
        check([Pair(0, -1), Pair(2, 1)])
    monkeypatch.setattr(devices, "count_gpus", lambda: 0)
    check([Pair()])
    with pytest.raises(UserError, match=r"there is none\. Received: 1\. Leave it out to run on the CPU\."):
        check([Pair(0, 1)])


def test_a_shell_runs_what_a_dry_run_prints(tmp_path):
    def noting(what, output=None):
        code = "import os, sys; open(sys.argv[1], 'a').write(sys.argv[2] + os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')"
        return (sys.executable, "-c", code, str(output or tmp_path / "log.txt"), what)

    new = tmp_path / "a folder" / "x.txt"
    first = (Step("import weights", noting("i", new), output=new), Step("train", noting("t"), noting("w")))
    jobs = [
        Job("a", Experiment("t/a", ""), ("row 1", "row 2"), first),
        Job("b", Experiment("t/b", ""), (), (Step("train", noting("no")),), lacking=("weights",)),
        Job("c", Experiment("t/c", ""), ("row 3",), (Step("score", noting("s")),)),
    ]
    lines = list(listed(jobs, [Pair(4, 5), Pair(6, 7)]))
    assert "# a (for row 1,row 2)" in lines
    assert lines[lines.index("# b") + 1] == "# lacks weights"
    subprocess.run(["sh", "-c", "\n".join(lines)], check=True)
    assert new.read_text() == "i4\n"
    *both, last = (tmp_path / "log.txt").read_text().splitlines()
    assert (sorted(both), last) == (["t4", "w5"], "s6")
