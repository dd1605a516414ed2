"""Every benchmark, one after the other: one file of figures, and how they compare with an earlier one.

    python -m benchmarks.all --data_dir=data/sample_packed --videos data/sample/videos/*.mp4 [--output=build/all.json]
    python -m benchmarks.all ... --compare=earlier.json     # with the figures of an earlier run beside the new ones
    python -m benchmarks.all ... --only reading step        # some of them
    python -m benchmarks.all --list                         # what there is, and what each needs

All together takes less than half an hour on two cores. Each runs in a process of its own, within a limit of minutes;
one that fails, or that needs what is not there, is noted and costs the others nothing. Add one by a line in
`BENCHMARKS`.

Two runs are compared figure by figure, now / before. Figures that are ratios of what took turns compare from one
machine to another; times and frames/s only on the same, quiet one.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from benchmarks.results import as_script, show, write
from tfrecords_tools.errors import UserError


@dataclass(frozen=True)
class Benchmark:
    """A script and what it is given.

    Attributes:
      module: its name in `benchmarks`.
      minutes: after which it is stopped.
      arguments: of its command line; DATA is the packed corpus, VIDEOS are the videos, VIDEO is the first.
      needs: packages, beside those of the project.
    """

    module: str
    minutes: float
    arguments: str = ""
    needs: tuple[str, ...] = ()

    def command(self, data_dir: Path | None, videos: list[Path]) -> list[str]:
        """Return its command line; raise a `LookupError` for what it needs and is not there."""
        if missing := [name for name in self.needs if importlib.util.find_spec(name) is None]:
            raise LookupError(f"it needs the package {missing[0]}")
        command = [sys.executable, "-m", f"benchmarks.{self.module}"]
        for word in self.arguments.split():
            if "DATA" in word and data_dir is None:
                raise LookupError("it needs --data_dir")
            if "VIDEO" in word and not videos:
                raise LookupError("it needs --videos")
            several = {"VIDEOS": videos, "VIDEO": videos[:1]}
            command += (
                [str(video) for video in several[word]] if word in several else [word.replace("DATA", str(data_dir))]
            )
        return command


# The minutes add up to less than half an hour.
BENCHMARKS = {
    "starting": Benchmark("starting", 1.2, "--data_dir=DATA --turns=1"),
    "reading": Benchmark("reading", 1, "--data_dir=DATA --seconds=2"),
    "training": Benchmark("training", 2, "--data_dir=DATA --rounds=2"),
    "evaluation": Benchmark("evaluation", 3, "--data_dir=DATA --rounds=2"),
    "forward": Benchmark("forward", 2.5, "--rounds=3", ("torch",)),
    "step": Benchmark("step", 3.5, "--precisions float32 --rounds=2 --without_products", ("torch",)),
    "frozen_layers": Benchmark("frozen_layers", 3, "--network=gru --rounds=1"),
    "recurrence": Benchmark("recurrence", 1.5, "--rounds=5"),
    "folded_attention": Benchmark("folded_attention", 1.5, "--rounds=3"),
    "rounded_weights": Benchmark("rounded_weights", 0.4, "--rounds=3"),
    "packing": Benchmark("packing", 2, "VIDEO --repeat=1"),
    "detecting": Benchmark("detecting", 1.5, "--rounds=1"),
    "tracking": Benchmark("tracking", 0.3, "VIDEO --max_frames=200"),
    "predicting": Benchmark("predicting", 3, "VIDEO --precisions float32 --seconds=3 --minutes 1 --rounds=5"),
    "corpora": Benchmark("corpora", 2, "--data_dir=DATA --frames=120000,1200000"),
    "verifying": Benchmark("verifying", 1.5, "--data_dir=DATA --frames=300000 --seconds=3"),
}


def run(name: str, command: list[str], minutes: float, folder: Path) -> dict:
    """Run a benchmark; return what it wrote, or why there is nothing."""
    output, began = folder / f"{name}.json", time.monotonic()
    try:
        status = subprocess.run([*command, f"--output={output}"], timeout=60 * minutes).returncode
    except subprocess.TimeoutExpired:
        return {"left_out": f"it took more than {minutes:g} minutes"}
    # One with several tables writes a file for each, beside the one that it is given.
    parts = [*folder.glob(f"{name}.json"), *sorted(folder.glob(f"{name}-*.json"))]
    if status or not parts:
        return {"left_out": f"it ended with status {status}"}
    tables = [json.loads(part.read_text()) for part in parts]
    rows = [row for table in tables for row in table["rows"]]
    return {**tables[0], "rows": rows, "seconds": time.monotonic() - began}


def earlier(path: Path) -> dict[str, dict]:
    """Return what an earlier run wrote, by benchmark; raise a `UserError` if the file is none of this script's."""
    try:
        found = json.loads(path.read_text("utf-8"))["benchmarks"]
        if not all(isinstance(row, dict) for each in found.values() for row in each.get("rows", [])):
            raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f"`--compare` must be a file that `python -m benchmarks.all` has written. Received: {path}, which is none."
        ) from None
    return found


def figures(found: dict) -> dict[str, float]:
    """Return the numbers of a benchmark by name: those of a row are `<words that it begins with>: <column>`."""
    values = {}
    for row in found.get("rows", []):
        words = ", ".join(takewhile(lambda value: isinstance(value, str), row.values()))
        for column, value in row.items():
            if _is_figure(value):
                values[f"{words}: {column}"] = float(value)
    for name, value in found.items():
        if _is_figure(value) and name != "seconds":
            values[name] = float(value)
    return values


def compare(before: dict, now: dict) -> list[dict]:
    """Return a row for each figure that both runs have: before, now, and now / before."""
    rows = []
    for name, found in now.items():
        earlier = figures(before.get(name, {}))
        for figure, value in figures(found).items():
            if earlier.get(figure):
                ratio = value / earlier[figure]
                rows.append(
                    {"benchmark": name, "figure": figure, "before": earlier[figure], "now": value, "ratio": ratio}
                )
    return rows


def _is_figure(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, help="a packed corpus, such as that of `make demo`")
    parser.add_argument(
        "--videos", type=Path, nargs="*", default=[], help="videos of faces, 640x360 for the figures as given"
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, help="run only these")
    parser.add_argument("--compare", type=Path, help="the JSON file of an earlier run")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks.json"))
    parser.add_argument("--list", action="store_true", help="list the benchmarks and end")
    options = parser.parse_args()
    if options.list:
        columns = ("module", "minutes", "arguments", "needs")
        rows = [{column: getattr(each, column) for column in columns} for each in BENCHMARKS.values()]
        show("benchmarks", rows, None)
        return
    before = earlier(options.compare) if options.compare else {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or BENCHMARKS:
            benchmark = BENCHMARKS[name]
            print(f"== {name}", flush=True)
            try:
                command = benchmark.command(options.data_dir, options.videos)
                found[name] = run(name, command, benchmark.minutes, Path(folder))
            except LookupError as missing:
                found[name] = {"left_out": str(missing.args[0])}
            if reason := found[name].get("left_out"):
                print(f"left out: {reason}")
            write("all benchmarks", [], options.output, benchmarks=found)
    print(f"written to {options.output}")
    if rows := compare(before, found):
        show(f"beside {options.compare}", rows, None)


if __name__ == "__main__":
    as_script(main)
