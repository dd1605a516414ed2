"""The commands of a table as a shell runs them, for `--dry_run`."""

import shlex
from collections.abc import Iterator, Sequence

from affwildnet.reproduce.gpu_pairs import VARIABLE, Pair, visible
from affwildnet.reproduce.row_jobs import Job


def listed(jobs: Sequence[Job], pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield the command lines of jobs, which a shell runs one job after the other, a comment above those of each.

    Args:
      pairs: of GPUs. They are taken in turn here; `schedule.run` gives the next job to the pair that is free.
    """
    number = 0
    for job in jobs:
        yield f"# {job.name}{f' (for {chr(44).join(job.rows)})' if job.rows else ''}"
        yield from (f"# lacks {each}" for each in job.lacking)
        pair = pairs[number % len(pairs)]
        start = "# " if job.lacking else ""  # it would fail
        folders = dict.fromkeys(str(step.output.parent) for step in job.steps if step.output is not None)
        if folders:
            yield f"{start}{shlex.join(['mkdir', '-p', *folders])}"
        for step in job.steps:
            if step.beside:
                yield f"{start}{_on(pair.train, step.command)} &"
                yield f"{start}{_on(pair.evaluate, step.beside)}; wait $!"
            else:
                yield f"{start}{_on(pair.train, step.command)}"
        number += not job.lacking


def _on(gpu: int, command: Sequence[str]) -> str:
    return f"{VARIABLE}={visible(gpu)} {shlex.join(command)}"
