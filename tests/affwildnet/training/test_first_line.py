"""The first step is logged at once, with when an estimate comes; the lines after it are as before."""

from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from affwildnet.training.log import TrainingLog
from affwildnet.training.step import StepOutcome
from tests.helpers.trainings import plain_model


def test_the_first_step_says_how_long_it_took_and_when_an_estimate_comes(tmp_path, shown):
    log = TrainingLog(Workdir(tmp_path), steps=100, frames_per_step=8, first_step=0)
    log.add(StepOutcome(0.75, 1.0))
    log.started(1, 10)
    log.write(1, 0, plain_model())
    (line,) = shown().splitlines()
    assert line.startswith("step      1/100  loss 0.7500  0:00:0")
    assert line.endswith("to compile and compute it; step 10 says how long the rest takes")
    log.add(StepOutcome(0.25, 1.0))
    log.add(StepOutcome(0.35, 1.0))
    log.write(3, 0, plain_model())
    assert "loss 0.3000" in shown()
    first, second = read_lines(tmp_path / "training.jsonl")
    assert (first["step"], first["loss"]) == (1, 0.75)
    assert "frames_per_second" not in first  # it would be of the compilation
    assert second["step"] == 3
    assert second["frames_per_second"] > 0


def test_with_a_line_for_each_step_there_is_none_beside_it(tmp_path, shown):
    log = TrainingLog(Workdir(tmp_path), steps=100, frames_per_step=8, first_step=0)
    log.add(StepOutcome(0.75, 1.0))
    log.started(1, 1)
    assert shown() == ""
    log.write(1, 0, plain_model())
    (line,) = shown().splitlines()
    assert line.startswith("step      1/100  epoch   0  loss 0.7500")
    assert line.endswith("gradient   1.000")  # no speed and no time left: it compiled
