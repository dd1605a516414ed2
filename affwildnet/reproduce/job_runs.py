"""One job on one pair of GPUs: its processes, what they have done, and what they said when they failed."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affwildnet.reproduce.gpu_pairs import VARIABLE, Pair, visible
from affwildnet.reproduce.row_jobs import Job, Step
from affwildnet.runs.json_files import read_json, write_json
from tfrecords_tools.errors import UserError

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
_PR_SET_PDEATHSIG = 1
# A trainer that is asked to stop saves a checkpoint first.
_STOP_SECONDS = 60.0


class DoneSteps:
    """Which steps of a job are done, kept in its folder, so that a killed command goes on.

    A step counts as done while its command line is the one that was run and its output is there. Once one is run anew,
    all after it are.
    """

    def __init__(self, folder: Path):
        self._path = folder / "reproduced.json"

    def has(self, step: Step) -> bool:
        """Return whether a step is done."""
        if _missing(step):
            return False
        return self._held().get(step.title) == _lines(step)

    def check(self) -> None:
        """Raise a `UserError` if the note of what is done cannot be read."""
        self._held()

    def add(self, step: Step, earlier: Sequence[Step]) -> None:
        """Note that a step is done; forget those that are not among the earlier ones."""
        held = self._held()
        kept = {each.title: held[each.title] for each in earlier if each.title in held}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, {**kept, step.title: _lines(step)})

    def _held(self) -> dict:
        return read_json(self._path) or {}


def _missing(step: Step) -> list[Path]:
    """Return the files that are there once a step is done, and are not."""
    return [path for path in (step.output, step.chosen) if path is not None and not path.exists()]


def _lines(step: Step) -> list[list[str]]:
    return [list(step.command), list(step.beside)]


@dataclass
class JobRun:
    """A job that runs: `poll` starts, watches and ends its processes.

    Attributes:
      job: what is run.
      folder: of the table's working directory, in which the job has its own.
      pair: the GPUs.
      state: `RUNNING`, `DONE`, `FAILED` or `STOPPED`.
      message: of a failure, the line that the process ended with.
      step: index of the step that runs.
      began: when it was started, by `time.monotonic`.
    """

    job: Job
    folder: Path
    pair: Pair
    state: str = RUNNING
    message: str = ""
    step: int = -1
    began: float = field(default_factory=time.monotonic)
    step_began: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self._own = self.folder / self.job.name
        self._done = DoneSteps(self._own)
        self._processes: dict[str, subprocess.Popen] = {}
        self._logs: dict[str, Path] = {}
        self._next()

    @property
    def current(self) -> Step | None:
        """The step that runs."""
        return self.job.steps[self.step] if 0 <= self.step < len(self.job.steps) else None

    def poll(self) -> None:
        """Look at the processes, and start the next step where one has ended."""
        if self.state != RUNNING:
            return
        main, beside = self._processes.get("main"), self._processes.get("beside")
        if beside is not None and beside.poll() not in (None, 0):
            self._end("beside")
        elif main.poll() not in (None, 0):
            self._end("main")
        elif main.poll() == 0 and (beside is None or beside.poll() == 0):
            step = self.current
            if missing := _missing(step):
                skipped = "".join(f": {line}" for line in _lines_with("skipped: ", self._logs.get("beside"))[-1:])
                self._fail(f"{step.title} ended well, but did not write {missing[0]}{skipped}")
                return
            self._done.add(step, self.job.steps[: self.step])
            self._next()

    def stop(self) -> None:
        """End the processes: a trainer saves a checkpoint first."""
        if self.state == RUNNING:
            self._kill()
            self.state = STOPPED

    def _next(self) -> None:
        self._processes = {}
        self.step += 1
        while self.step < len(self.job.steps) and self._done.has(self.job.steps[self.step]):
            self.step += 1
        if self.step == len(self.job.steps):
            self.state = DONE
            return
        step = self.current
        self.step_began = time.monotonic()
        if step.output is not None:
            step.output.parent.mkdir(parents=True, exist_ok=True)
        for role, command in (("main", step.command), ("beside", step.beside)):
            if command:
                self._start(role, step, command)

    def _start(self, role: str, step: Step, command: Sequence[str]) -> None:
        logs = self._own / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        suffix = "-watch" if role == "beside" else ""
        path = self._logs[role] = logs / f"{self.step + 1}-{step.title.replace(' ', '_')}{suffix}.txt"
        with path.open("ab") as log:
            self._processes[role] = subprocess.Popen(
                list(command),
                env={**os.environ, VARIABLE: visible(self.pair.evaluate if role == "beside" else self.pair.train)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this command alone, which then ends them in order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
            )

    def _end(self, role: str) -> None:
        status = self._processes[role].poll()
        self._kill()
        step = self.current
        what = f"the watcher of {step.title}" if role == "beside" else step.title
        self._fail(f"{what}: {_last_line(self._logs[role]) or f'ended with status {status}'} (see {self._logs[role]})")

    def _fail(self, message: str) -> None:
        self.state, self.message = FAILED, message

    def _kill(self) -> None:
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _die_with(parent: int):
    """Return what a new process does first: ask to be killed when this one dies, however that happens."""
    library = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask


def _last_line(log: Path) -> str:
    """Return the last error of a log, or its last line."""
    lines = _lines_with("error: ", log) or _lines_with("", log)
    return next((line for line in reversed(lines) if line.strip()), "")


def _lines_with(begin: str, log: Path | None) -> list[str]:
    """Return the rests of the lines of a log that begin so."""
    lines = log.read_text("utf-8", errors="replace").splitlines() if log is not None else []
    return [line.removeprefix(begin) for line in lines if line.startswith(begin)]


def check_folder(job: Job, folder: Path) -> None:
    """Raise a `UserError` if a job's folder holds the run of another experiment."""
    DoneSteps(folder / job.name).check()
    path = folder / job.name / "experiment.json"
    found = read_json(path)
    if found is None:
        return
    experiment = found.get("experiment")
    held = experiment.get("name") if isinstance(experiment, dict) else None
    if not isinstance(held, str):
        raise UserError(f"{path}: must name an experiment. Received: none. Use another --workdir.")
    if held not in (job.experiment.name, "decision_fusion"):
        raise UserError(
            f"{path.parent}: must hold {job.experiment.name}. Received: a run of {held}. Use another --workdir."
        )
