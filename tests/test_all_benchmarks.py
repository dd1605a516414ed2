"""`benchmarks.all`: what it runs, within which time, and how two of its files compare."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.all import BENCHMARKS, compare, earlier, run
from benchmarks.results import as_script, write
from tfrecords_tools.errors import UserError


def test_all_together_take_less_than_half_an_hour():
    assert sum(each.minutes for each in BENCHMARKS.values()) < 30


def test_each_is_a_script_and_every_script_is_there_or_needs_a_machine_of_its_own():
    scripts = {path.stem for path in Path("benchmarks").glob("*.py") if "def main(" in path.read_text("utf-8")}
    assert {each.module for each in BENCHMARKS.values()} == scripts - {"all", "gpu"}


def test_what_is_missing_is_named():
    with pytest.raises(LookupError, match="it needs --data_dir"):
        BENCHMARKS["reading"].command(None, [])
    with pytest.raises(LookupError, match="it needs --videos"):
        BENCHMARKS["packing"].command(Path("data"), [])
    with pytest.raises(LookupError, match="it needs the package no_such_package"):
        replace(BENCHMARKS["step"], needs=("no_such_package",)).command(None, [])


def test_a_script_ends_with_one_line_for_what_is_wrong(capsys):
    def main():
        raise FileNotFoundError(2, "No such file or directory", "nowhere.mp4")

    for packages, words in ((), "nowhere.mp4"), (("no_such_package",), "no_such_package, which this is compared with"):
        with pytest.raises(SystemExit) as ended:
            as_script(main, *packages)
        line = capsys.readouterr().err
        assert ended.value.code
        assert words in line
        assert line.count("\n") == 1


def test_every_script_is_run_as_one():
    for path in Path("benchmarks").glob("*.py"):
        source = path.read_text("utf-8")
        assert ("def main(" in source) == ("\n    as_script(main" in source), path


def test_videos_and_corpus_are_put_in_place():
    command = BENCHMARKS["reading"].command(Path("some/corpus"), [])
    assert command[1:4] == ["-m", "benchmarks.reading", "--data_dir=some/corpus"]
    videos = [Path("a.mp4"), Path("b c.mp4")]
    assert replace(BENCHMARKS["packing"], arguments="VIDEOS").command(None, videos)[3:] == ["a.mp4", "b c.mp4"]
    assert replace(BENCHMARKS["packing"], arguments="VIDEO").command(None, videos)[3:] == ["a.mp4"]


def test_all_tables_of_a_benchmark_are_kept(tmp_path):
    write("speed", [{"way": "plain", "frames/s": 20}], tmp_path / "predicting-speed.json")
    write("memory", [{"minutes": 1.0, "peak MiB": 800}], tmp_path / "predicting-memory.json")
    found = run("predicting", [sys.executable, "-c", ""], 1, tmp_path)
    assert found["rows"] == [{"minutes": 1.0, "peak MiB": 800}, {"way": "plain", "frames/s": 20}]
    assert "left_out" not in found


@pytest.mark.parametrize(("held", "own"), [(400, 0), (0, 200)])
def test_the_peak_of_memory_is_that_of_the_process_and_not_of_the_one_that_started_it(held, own):
    """`ru_maxrss` of a child is at least its parent's, on Linux."""
    # By its path: the package loads TensorFlow.
    read = "import runpy; peak = runpy.run_path('benchmarks/memory.py')['peak']"
    measured = f"{read}; own = b'x' * ({own} << 20); del own; print(peak())"
    program = (
        "import subprocess, sys\n"
        f"held = b'x' * ({held} << 20)\n"
        f"subprocess.run([sys.executable, '-c', {measured!r}], check=True)"
    )
    found = float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    assert own + 5 < found < own + 100


@pytest.mark.parametrize(
    ("program", "minutes", "reason"),
    [
        ("raise SystemExit(3)", 1, "it ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", 1, "it ended with status -9"),
        ("import time; time.sleep(60)", 0.005, "it took more than 0.005 minutes"),
    ],
)
def test_one_that_fails_is_noted(tmp_path, program, minutes, reason):
    assert run("step", [sys.executable, "-c", program], minutes, tmp_path) == {"left_out": reason}


def test_figures_compare_as_now_to_before():
    before = {
        "reading": {"rows": [{"way": "ours", "frames/s": 200, "share": "-"}, {"way": "thesis", "frames/s": 50}]},
        "step": {"left_out": "it took more than 4 minutes"},
    }
    now = {
        "reading": {"rows": [{"way": "ours", "frames/s": 300, "share": 0.5}], "bytes_ratio": 20.0, "seconds": 9.0},
        "step": {"rows": [{"network": "cnn_m", "ratio": 1.2}]},
    }
    (row,) = compare(before, now)
    assert (row["benchmark"], row["figure"]) == ("reading", "ours: frames/s")
    assert (row["before"], row["now"], row["ratio"]) == (200, 300, 1.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        '{"rows": []}',
        '{"benchmarks": [1]}',
        '{"benchmarks": {"step": 1}}',
        '{"benchmarks": {"step": {"rows": [1]}}}',
    ],
)
def test_a_file_of_another_kind_is_refused_before_anything_runs(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"^`--compare` must be a file that .* Received: .*other\.json, which is none"):
        earlier(path)


def test_the_file_of_an_earlier_run_is_read(tmp_path):
    found = {
        "reading": {"rows": [{"way": "ours", "frames/s": 200}]},
        "step": {"left_out": "it needs the package torch"},
    }
    write("all benchmarks", [], tmp_path / "all.json", benchmarks=found)
    assert earlier(tmp_path / "all.json") == found
