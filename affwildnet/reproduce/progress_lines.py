"""How far each row is, and how long the rest will take."""

import math
import shutil
import sys
import time
from pathlib import Path

from affwildnet.reproduce.job_runs import RUNNING, WAITING, JobRun
from affwildnet.reproduce.row_jobs import Job
from tfrecords_tools.files import json_text, regular

# Between two lines of a row, where lines cannot be drawn over each other.
EVERY_SECONDS = 60.0
_TAIL_BYTES = 4096


class Progress:
    """Shows a line for each job: on a terminal drawn over again, elsewhere printed when something changes."""

    def __init__(self, jobs: list[Job]):
        self._width = max((len(job.name) for job in jobs), default=0)
        self._drawn = 0
        self._said: dict[str, tuple[str, float]] = {}
        self._terminal = sys.stdout.isatty()

    def show(self, states: dict[str, str], left: str = "") -> None:
        """Show the state of each job in a few words, and the time left."""
        lines = [f"{name:<{self._width}}  {state}" for name, state in states.items()]
        if self._terminal:
            self._draw(lines, [state.partition(":")[0] == RUNNING for state in states.values()], left)
            return
        now = time.monotonic()
        for name, line in zip(states, lines, strict=True):
            before, when = self._said.get(name, ("", 0.0))
            kind = states[name].partition(":")[0]
            if kind != before or (kind == RUNNING and now - when > EVERY_SECONDS):
                self._said[name] = (kind, now)
                print(f"{line}{f', about {left} left in all' if left and kind == RUNNING else ''}", flush=True)

    def _draw(self, lines: list[str], run: list[bool], left: str) -> None:
        """Draw the lines over those before; where the terminal is too low for all, those that run come first."""
        columns, rows = shutil.get_terminal_size()
        room = max(1, rows - 2)
        if len(lines) > room:
            first = sorted(range(len(lines)), key=lambda index: not run[index])[: room - 1]
            kept = [lines[index] for index in sorted(first)]
            lines = [*kept, f"and {len(lines) - len(kept)} more"]
        lines = [*lines, f"time left: {left}"] if left else lines
        up = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        print(up + "".join(f"{line[: columns - 1]}\n" for line in lines), end="", flush=True)
        self._drawn = len(lines)


def described(run: JobRun) -> str:
    """Return how far a running job is, such as "running: train, step 1,200 of 100,000, best CCC 0.41"."""
    step = run.current
    if step is None:
        return run.state
    parts = [step.title]
    if step.logs_in is not None and (at := _step(step.logs_in)):
        parts.append(f"step {at:,} of {run.job.experiment.training.steps:,}")
        if (best := _best(step.logs_in)) is not None:
            parts.append(f"best mean {best:.3f}")
    return f"{RUNNING}: {', '.join(parts)}"


def seconds_left(runs: list[JobRun], waiting: int, durations: list[float], pairs: int) -> float | None:
    """Return an estimate of the time until all is done; None while nothing is known.

    Args:
      runs: those that run.
      waiting: number of jobs that have not begun.
      durations: seconds that those took which are done.
      pairs: how many run at once.
    """
    rests, wholes = [], list(durations)
    for run in runs:
        step, rest = run.current, None
        if step is not None and step.logs_in is not None and (at := _step(step.logs_in)):
            steps = run.job.experiment.training.steps
            began = _first_step(step.logs_in)
            took = time.monotonic() - run.step_began
            if at > began:
                rest = took / (at - began) * (steps - at)
                wholes.append(time.monotonic() - run.began + rest)
        rests.append(rest)
    if not wholes or any(rest is None for rest in rests):
        return None
    return max(rests, default=0.0) + waiting * sum(wholes) / len(wholes) / max(1, pairs)


def shown(seconds: float | None) -> str:
    """Return a duration in words: "2 h 10 min", "3 min", or "" where it is not known."""
    if seconds is None:
        return ""
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _logs(folder: Path, name: str) -> list[Path]:
    """Return the logs of that name in a run's folder or its stages', the last written one last."""
    found = [path for path in (folder / name, *folder.glob(f"*/{name}")) if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _tail(path: Path) -> list[dict]:
    with regular(path).open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    found = []
    for line in lines:
        try:
            found.append(json_text.loads(line))
        except ValueError:  # cut off at the beginning, being written, or damaged
            continue
    return [line for line in found if isinstance(line, dict) and isinstance(line.get("step"), int)]


def _rank(line: dict) -> float | None:
    ranking = line.get("ranking")
    rank = ranking.get("mean") if isinstance(ranking, dict) else None
    return rank if isinstance(rank, int | float) and math.isfinite(rank) else None


def _step(folder: Path) -> int:
    logs = _logs(folder, "training.jsonl")
    lines = _tail(logs[-1]) if logs else []
    return lines[-1]["step"] if lines else 0


_first: dict[Path, int] = {}


def _first_step(folder: Path) -> int:
    """Return the step at which this process first saw a run."""
    return _first.setdefault(folder, _step(folder))


def _best(folder: Path) -> float | None:
    logs = _logs(folder, "metrics.jsonl")
    ranks = map(_rank, _tail(logs[-1])) if logs else ()
    return max((rank for rank in ranks if rank is not None), default=None)


def waiting(job: Job) -> str:
    """Return what a job waits for."""
    return f"{WAITING}: for {', '.join(job.after)}" if job.after else WAITING
