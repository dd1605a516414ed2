"""`benchmarks.all`: what it runs, within which time, and how two of its files compare."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.all import BENCHMARKS, compare


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


def test_videos_and_corpus_are_put_in_place():
    command = BENCHMARKS["reading"].command(Path("some/corpus"), [])
    assert command[1:4] == ["-m", "benchmarks.reading", "--data_dir=some/corpus"]
    videos = [Path("a.mp4"), Path("b c.mp4")]
    assert replace(BENCHMARKS["packing"], arguments="VIDEOS").command(None, videos)[3:] == ["a.mp4", "b c.mp4"]
    assert replace(BENCHMARKS["packing"], arguments="VIDEO").command(None, videos)[3:] == ["a.mp4"]


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
