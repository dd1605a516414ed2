"""Several jobs at once, one a pair of GPUs, in an order that has what each starts from done before it."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from affwildnet.reproduce import progress_lines
from affwildnet.reproduce.gpu_pairs import Pair
from affwildnet.reproduce.job_runs import DONE, FAILED, RUNNING, JobRun
from affwildnet.reproduce.progress_lines import Progress
from affwildnet.reproduce.row_jobs import Job

POLL_SECONDS = 0.5
LACKS, BLOCKED = "lacks", "not run"


def run(
    jobs: Sequence[Job], folder: Path, pairs: Sequence[Pair], finished: Callable[[dict[str, str]], None]
) -> dict[str, str]:
    """Run all jobs that can be run, as many at once as there are pairs; return the state of each in a few words.

    Args:
      folder: the table's working directory.
      finished: called with the states whenever a job has ended.

    Raises:
      KeyboardInterrupt: after Ctrl-C or SIGTERM, once the processes have ended.
    """
    states = {job.name: f"{LACKS}: {'; '.join(job.lacking)}" for job in jobs if job.lacking}
    waiting = [job for job in jobs if not job.lacking]
    running: list[JobRun] = []
    durations: list[float] = []
    progress = Progress(list(jobs))
    with _interrupts():
        try:
            while True:
                _block(waiting, states)
                free = list(pairs)
                for each in running:
                    free.remove(each.pair)
                for job in [job for job in waiting if _ready(job, states)][: len(free)]:
                    waiting.remove(job)
                    running.append(JobRun(job, folder, free.pop(0)))
                for each in list(running):
                    each.poll()
                    if each.state != RUNNING:
                        running.remove(each)
                        states[each.job.name] = each.state if each.state == DONE else f"{each.state}: {each.message}"
                        durations += [time.monotonic() - each.began] if each.state == DONE else []
                        finished(states)
                now = {each.job.name: progress_lines.described(each) for each in running}
                now |= {job.name: progress_lines.waiting(job) for job in waiting}
                left = progress_lines.seconds_left(running, len(waiting), durations, len(pairs))
                progress.show({job.name: {**now, **states}[job.name] for job in jobs}, progress_lines.shown(left))
                if not running and not any(_ready(job, states) for job in waiting):
                    return states
                time.sleep(POLL_SECONDS)
        finally:
            for each in running:
                each.stop()


def _ready(job: Job, states: dict[str, str]) -> bool:
    return all(states.get(name) == DONE for name in job.after)


def _block(waiting: list[Job], states: dict[str, str]) -> None:
    """Give up the jobs that start from one that has failed or cannot be run."""
    for job in list(waiting):
        bad = [name for name in job.after if states.get(name, DONE).partition(":")[0] in (FAILED, LACKS, BLOCKED)]
        if bad:
            waiting.remove(job)
            states[job.name] = f"{BLOCKED}: it starts from {bad[0]}, which {_reason(states[bad[0]])}"


def _reason(state: str) -> str:
    kind, _, what = state.partition(": ")
    return f"{kind}: {what}" if kind == LACKS else kind if kind == FAILED else "was not run"


@contextmanager
def _interrupts() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C is."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
