"""Waiting for a trainer: for its run to begin, or for what it has not written yet."""

import logging
import time

from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError

_log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


def until_begun(workdir: Workdir, timeout_minutes: float = 0) -> None:
    """Return when a run has begun in a working directory; what is waited for is logged at once.

    Args:
      timeout_minutes: give up after so long; 0 waits without end.

    Raises:
      UserError: if it gave up.
    """
    since = time.monotonic()
    if not workdir.begun:
        _log.info(f"waiting for a run to begin in {workdir.path}")
    while not workdir.begun:
        a_little(workdir, since, timeout_minutes)


def check_trained(workdir: Workdir, run: Run) -> None:
    """Raise a `UserError` for a fusion of decisions: no trainer writes checkpoints there, one would wait for ever."""
    if run.experiment.model.fusion == "decision" and run.experiment.model.members:
        raise UserError(
            f"{workdir.path}: must be a run that is trained, to be watched. Received: a fusion of networks that were."
        )


def a_little(workdir: Workdir, since: float, timeout_minutes: float) -> None:
    """Sleep a little; raise a `UserError` if that has gone on since `since`, of `time.monotonic`, for too long."""
    if timeout_minutes and time.monotonic() - since > timeout_minutes * 60:
        workdir.open()  # raises its own error if nothing has begun here at all
        raise UserError(f"{workdir.path}: no stage has begun for {timeout_minutes:g} minutes. Does train.py run?")
    time.sleep(POLL_SECONDS)
