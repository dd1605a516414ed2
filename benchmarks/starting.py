"""Starting: seconds from a command's line to its first step, and to its scores; and what they are spent on.

    python -m benchmarks.starting --data_dir=data/sample_packed [--turns=5] [--output=build/starting.json]
    python -m benchmarks.starting --data_dir=data/sample_packed --before=FOLDER     # a checkout of an earlier commit

Each turn starts train.py of the sample's experiment in a process of its own until the line of step 1, evaluate.py of
the run that it has left until the scores are printed and until it ends, train.py's parts one after the other, and the
least that a script of Keras does to take one step of the same network. With `--before`, both commands of the earlier
commit take turns with ours, and the ratios are medians over the turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import as_script, show
from benchmarks.sides.first_step import side_of
from tfrecords_tools.records import manifest

EXPERIMENT = "sample/affwildnet"
HERE = Path(__file__).resolve().parent.parent
COMMANDS = {"train": "train.py to step 1", "scores": "evaluate.py to its scores", "ended": "evaluate.py to its end"}


def commands(checkout: Path, data_dir: Path, folder: Path) -> dict[str, float]:
    """Return the seconds of train.py and evaluate.py of a checkout, by the keys of `COMMANDS`."""
    run = folder / "run"
    own = [f"--experiment={EXPERIMENT}", f"--data_dir={data_dir}", f"--workdir={run}"]
    settings = ["--set", f"model.image_size={side_of(data_dir)}", "--set", "training.steps=2"]
    step, _ = _seconds(checkout, ["train.py", *own, *settings], "step      1")
    scored, ended = _seconds(
        checkout, ["evaluate.py", f"--workdir={run}", "--split=test", "--checkpoint=latest"], "this checkpoint"
    )
    return {"train": step, "scores": scored, "ended": ended}


def _seconds(checkout: Path, arguments: list[str], line: str) -> tuple[float, float]:
    """Return the seconds until a command prints a line that begins so, and until it ends."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONUNBUFFERED": "1"}
    began, seen, printed = time.perf_counter(), None, []
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for text in process.stdout:
        printed.append(text)
        if seen is None and text.startswith(line):
            seen = time.perf_counter() - began
    if process.wait() or seen is None:
        raise SystemExit(f"{checkout}: {arguments[0]} failed:\n{''.join(printed)}")
    return seen, time.perf_counter() - began


def parts(way: str, data_dir: Path) -> dict[str, float]:
    """Return the seconds of each part of coming to the first step, in a process of its own."""
    script = HERE / "benchmarks" / "sides" / "first_step.py"  # by its path: its packages import TensorFlow
    command = [sys.executable, str(script), way, EXPERIMENT, str(data_dir)]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "TF_CPP_MIN_LOG_LEVEL": "2"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{script.name} {way} failed:\n{ended.stderr}")
    return json.loads(ended.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="the packed sample corpus")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    data_dir = options.data_dir.resolve()
    manifest.load(data_dir)
    checkouts = {"now": HERE, **({"before": options.before.resolve()} if options.before else {})}
    seconds = {name: [] for name in (*checkouts, "bare", "parts")}
    for _ in range(options.turns):
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(commands(checkout, data_dir, Path(folder)))
        seconds["bare"].append(parts("bare", data_dir))
        seconds["parts"].append(parts("train", data_dir))
    rows = []
    for key, what in COMMANDS.items():
        row = {"what": what} | {f"{name}, s": _median(seconds[name], key) for name in checkouts}
        if options.before:
            ratios = [now[key] / before[key] for now, before in zip(seconds["now"], seconds["before"], strict=True)]
            row |= {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
        rows.append(row)
    facts = {}
    for name, what in (("parts", "train.py"), ("bare", "a bare script")):
        own = {part: _median(seconds[name], part) for part in seconds[name][0]}
        facts |= {f"{what}, {part}, s": value for part, value in own.items()}
    bare = [
        now["train"] / (sum(each.values()) - each["the second step"])
        for now, each in zip(seconds["now"], seconds["bare"], strict=True)
    ]
    show("Starting", rows, options.output, **facts, **{"train.py to step 1 / a bare script": statistics.median(bare)})


def _median(turns: list[dict[str, float]], key: str) -> float:
    return statistics.median(turn[key] for turn in turns)


if __name__ == "__main__":
    as_script(main)
