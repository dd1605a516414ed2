"""A table from beginning to end: the folder is taken, the jobs run, the files written after each of them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from affwildnet.reproduce import row_jobs, row_order, row_results, schedule, table_files
from affwildnet.reproduce.gpu_pairs import Pair
from affwildnet.reproduce.job_runs import DONE, DoneSteps, check_folder
from affwildnet.reproduce.row_jobs import Job
from affwildnet.reproduce.row_order import Order
from affwildnet.reproduce.row_results import Results
from affwildnet.reproduce.table_request import Request
from affwildnet.reproduce.wanted_figures import Figures
from affwildnet.runs.json_files import read_json, write_json
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.files.locks import hold

_log = logging.getLogger(__name__)

# In the table's working directory: what it is of.
NOTE = "reproduction.json"


def reproduce(
    request: Request, jobs: Sequence[Job], pairs: Sequence[Pair], figures: Figures | None = None
) -> dict[str, str]:
    """Run the jobs of a table, write its files, and return the state of each job.

    Args:
      jobs: as `row_jobs.plan` returns them.
      pairs: of GPUs.
      figures: the papers' figures to draw; None draws none.

    Raises:
      UserError: if the working directory is of another table or corpus, another process works there, or the figures
        are of a video that no split has.
    """
    folder = request.workdir
    _check(request, jobs)
    if figures is not None:
        figures.check(request)
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder / ".reproduce.lock", f"reproduces a table in {folder}"):
        write_json(folder / NOTE, _note(request))
        where = "" if any(pair.train >= 0 for pair in pairs) else ", on the CPU (--pairs=0:1 names GPUs)"
        _log.info(f"{request.table.name}: {request.table.title}, {count(len(jobs), 'run')} in {folder}{where}")
        try:
            states = schedule.run(jobs, folder, pairs, lambda states: _write(request, jobs, states))
        except KeyboardInterrupt:
            _log.info(f"stopped. The same command goes on. What is done is in {folder / table_files.NAMES[0]}")
            raise
        paths = _write(request, jobs, states, figures)
    _log.info("\n".join(f"{path.suffix[1:]:<6}{path}" for path in paths))
    return states


def _write(request: Request, jobs: Sequence[Job], states: dict[str, str], figures: Figures | None = None) -> list[Path]:
    """Write the table as far as it is."""
    # Rows that were not asked for this time may be done since an earlier one.
    every = row_jobs.plan(replace(request, only=()))
    found = {job.name: _state(job, request) for job in every} | {job.name: "not run yet" for job in jobs}
    results = row_results.gather(request, jobs, {**found, **states})
    drawn = []
    if figures is not None:
        from affwildnet.reproduce import paper_figures

        drawn = paper_figures.draw(results, figures)
    return table_files.write(results, _order(results), drawn)


def _order(results: Results) -> Order:
    return row_order.order(results.rows)


def _state(job: Job, request: Request) -> str:
    """Return the state of a job that has not been run by this command."""
    done = DoneSteps(request.workdir / job.name)
    return DONE if job.steps and all(done.has(step) for step in job.steps) else "not asked for"


def _note(request: Request) -> dict:
    return {
        "table": request.table.name,
        "data_dir": str(request.data_dir.resolve()),
        "settings": list(request.settings),
    }


def _check(request: Request, jobs: Sequence[Job]) -> None:
    """Raise a `UserError` if something else lies in the working directory."""
    held, wanted = read_json(request.workdir / NOTE), _note(request)
    for name in ("table", "data_dir") if held else ():
        if held.get(name) != wanted[name]:
            raise UserError(
                f"{request.workdir}: must be of one table and one corpus. Received: {name} {wanted[name]}; it holds "
                f"{held.get(name)}. Use another --workdir."
            )
    for job in jobs:
        check_folder(job, request.workdir)
