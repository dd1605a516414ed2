"""The first step is logged at once, with when an estimate comes; the lines after it are as before."""

from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from affwildnet.training.log import TrainingLog


def test_the_first_step_says_how_long_it_took_and_when_an_estimate_comes(tmp_path, shown):
    log = TrainingLog(Workdir(tmp_path), steps=100, frames_per_step=8, first_step=0)
    log.add(0.75)
    log.started(1, 10)
    (line,) = shown().splitlines()
    assert line.startswith("step      1/100  loss 0.7500  0:00:0")
    assert line.endswith("to compile and compute it; step 10 says how long the rest takes")
    log.add(0.25)
    log.write(2, 0, 1.0, 1e-3)
    assert "loss 0.5000" in shown()
    assert [entry["step"] for entry in read_lines(tmp_path / "training.jsonl")] == [2]


def test_with_a_line_for_each_step_there_is_none_beside_it(tmp_path, shown):
    log = TrainingLog(Workdir(tmp_path), steps=100, frames_per_step=8, first_step=0)
    log.add(0.75)
    log.started(1, 1)
    assert shown() == ""
