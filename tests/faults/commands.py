"""Runs commands in forked processes, kills them where a test says, and says what became of them."""

import json
import os
import re
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.paths import ROOT

# The exit status of an error that was not foreseen.
UNFORESEEN = 70
LONG = os.environ.get("AFFWILDNET_LONG_FAULTS") == "1"

FUNCTIONS = {
    "tools": "tfrecords_tools.cli:main",
    "train": "affwildnet.commands.train_command:main",
    "evaluate": "affwildnet.commands.evaluate_command:main",
    "predict": "affwildnet.commands.predict_command:main",
    "export": "affwildnet.commands.export_command:main",
}
_CHATTER = re.compile(r"^(I|W|E)\d{4} |^\d{4}-\d\d-\d\d .*: [IWE] |^WARNING: All log messages|^(packing|predicting)\b")


@dataclass
class Ended:
    """A command that has ended: its exit status (-9 if it was killed, None if it hung), and what it printed."""

    status: int | None
    output: str
    errors: str
    operations: list[str] = field(default_factory=list)

    @property
    def lines_of_errors(self):
        """The lines of standard error without progress bars and what TensorFlow prints on its own."""
        lines = self.errors.replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip() and not _CHATTER.match(line) and "|" not in line]

    def assert_one_line(self):
        """Assert that it failed with one line that says why."""
        assert self.status not in (0, None), (self.status, self.output, self.errors)
        assert self.status > 0, f"died of signal {-self.status}\n{self.errors}"
        assert self.status != UNFORESEEN, self.errors
        assert "Traceback" not in self.errors, self.errors
        said = [line for line in self.lines_of_errors if line.startswith("error: ")]
        assert len(said) == 1, self.errors
        return said[0]


class Commands:
    """The process that forks commands, with a folder for what they print.

    With `own_networks` the experiments have their networks, not a small one that stands for all of them.
    """

    def __init__(self, folder: Path, own_networks: bool = False):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._number = 0
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forked_commands", *(["own_networks"] if own_networks else [])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "server").open("w"),
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "CUDA_VISIBLE_DEVICES": "-1",
                "MPLBACKEND": "agg",
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )
        assert self._answer() == {"ready": True}

    def close(self):
        self._server.stdin.close()
        self._server.wait(120)

    def start(self, command, *arguments, root=None, **more):
        """Start a command; `wait` for what this returns."""
        self._number += 1
        paths = {name: str(self._folder / f"{self._number}.{name}") for name in ("output", "errors", "count_to")}
        request = {
            "function": FUNCTIONS.get(command, command),
            "arguments": [str(argument) for argument in arguments],
            "root": None if root is None else str(root),
            **paths,
            **more,
        }
        return self._asked({"do": "start", **request})["pid"], paths

    def wait(self, started, seconds=120):
        process, paths = started
        status = self._asked({"do": "wait", "pid": process, "seconds": seconds})["status"]
        texts = {name: Path(path).read_text(errors="replace") for name, path in paths.items() if Path(path).exists()}
        return Ended(status, texts.get("output", ""), texts.get("errors", ""), texts.get("count_to", "").splitlines())

    def poll(self, started):
        """The exit status of a command, None while it runs; once it has ended it cannot be asked again."""
        return self._asked({"do": "poll", "pid": started[0]})["status"]

    def run(self, command, *arguments, seconds=120, **more):
        return self.wait(self.start(command, *arguments, **more), seconds)

    def _asked(self, request):
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return self._answer()

    def _answer(self):
        ready, _, _ = select.select([self._server.stdout], [], [], 900)  # a busy machine takes its time
        line = self._server.stdout.readline() if ready else ""
        assert line, (self._folder / "server").read_text()[-2000:]
        return json.loads(line)


def points(number, few=7):
    """Before which of the operations, counted from 1, a command is killed: all in the long form, else `few` of them."""
    chosen = set(range(1, number + 1))
    if not LONG and number > few:
        chosen = {1 + round(i * (number - 1) / (few - 1)) for i in range(few)}
    print(f"killed at {len(chosen)} of {number} operations")
    return sorted(chosen)
