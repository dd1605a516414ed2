"""Run functions in processes of their own: one that crashes spoils its own result and nothing else.

`results` is for many items in several processes; `alone` for one long call that reports and can be stopped.
"""

import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tfrecords_tools.errors import UserError

TRIES = 2  # of an item that ends its process: the first time, memory may have been short
_SECONDS = 5  # that a process has to end by itself
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Crash:
    """What comes in place of a result: the process that worked on the item was ended as often as it was tried.

    Attributes:
      ending: how, such as "SIGSEGV" or "exit status 1".
    """

    ending: str


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    item: int | None = None  # that it works on
    since: float = 0.0  # by `time.monotonic`
    began: bool = False

    def give(self, item: int, items: Sequence[Any]) -> None:
        """Have it work on an item."""
        self.item, self.since = item, time.monotonic()
        with suppress(OSError):  # it has ended, as is seen when its answer is read
            self.pipe.send(items[item])

    def answer(self) -> Any:
        """Return what it has sent, a result or that it begins; or a `Crash` if it has ended."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            return self._crash()
        self.item, self.began = None, True
        return answer

    def stopped(self, patience: float) -> Crash:
        """End it for working on an item for too long."""
        self.pipe.close()
        self.process.kill()
        return _nothing_in(patience)

    def _crash(self) -> Crash:
        self.pipe.close()
        if not self.began:
            self.process.join()
            raise UserError("The worker processes end before they begin, perhaps for lack of memory. Lower `workers`.")
        return _crash_of(self.process)


def _nothing_in(patience: float) -> Crash:
    return Crash(f"nothing came of it in {patience:g} seconds")


def _crash_of(process: BaseProcess) -> Crash:
    process.join()
    status = process.exitcode or 0
    return Crash(signal.Signals(-status).name if status < 0 else f"exit status {status}")


def results(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int,
    begin: Callable[[], None] | None = None,
    patience: float = math.inf,
) -> Iterator[tuple[int, Any]]:
    """Yield the index of each item and what `function` returns for it, or a `Crash`, in the order in which they end.

    The processes are spawned, not forked: OpenCV and TensorFlow hold threads that a fork would break. They end with the
    process that calls this, however it ends.

    Args:
      function: of a module, so that it can be sent; items and results can be sent too.
      workers: number of processes.
      begin: called once in each process, before the first item.
      patience: seconds after which a process that still works on an item is ended; the item is not tried again.

    Raises:
      UserError: if the processes end before they begin.
      Exception: the one that `function` raised.
    """
    waiting, tries, unfinished = deque(range(len(items))), [0] * len(items), len(items)
    held = [_start(function, begin) for _ in range(min(workers, len(items)))]
    try:
        while unfinished:
            for worker in held:
                if worker.began and worker.item is None and waiting:
                    worker.give(waiting.popleft(), items)
            ready = wait([worker.pipe for worker in held], _seconds_left(held, patience))
            for place, worker in enumerate(held):
                if worker.pipe not in ready:
                    if worker.item is not None and time.monotonic() - worker.since >= patience:
                        stopped, held[place] = worker.stopped(patience), _start(function, begin)
                        unfinished -= 1
                        yield worker.item, stopped
                    continue
                item, answer = worker.item, worker.answer()
                if isinstance(answer, Crash):
                    held[place] = _start(function, begin)
                if item is None:  # it has begun, or ended without work
                    continue
                if isinstance(answer, Crash):
                    tries[item] += 1
                    if tries[item] < TRIES:
                        waiting.append(item)
                        continue
                if isinstance(answer, Exception):
                    raise answer
                unfinished -= 1
                yield item, answer
    finally:
        for worker in held:
            worker.pipe.close()
        for worker in held:
            worker.process.join(_SECONDS)
            worker.process.kill()


def _seconds_left(held: Sequence[_Worker], patience: float) -> float | None:
    """Return for how long no process has worked too long yet; None without a limit."""
    since = [worker.since for worker in held if worker.item is not None]
    return max(0.0, min(since) + patience - time.monotonic()) if since and math.isfinite(patience) else None


def alone(
    function: Callable[[Any, Callable[[Any], None]], Any],
    argument: Any,
    reported: Callable[[Any], None],
    stop: threading.Event,
    patience: float,
) -> Any:
    """Run `function(argument, report)` in a process of its own; return its result, or a `Crash` if it was ended.

    The process is spawned, and ends with this one; what it has left half written is for the caller to delete.

    Args:
      function: of a module, so that it can be sent; argument, reports and result can be sent too.
      argument: of the function.
      reported: called here, in this thread, with what the function reports.
      stop: ends the process once it is set.
      patience: seconds without a report after which the process is ended.

    Raises:
      Exception: the one that `function` raised.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(theirs, function, argument), daemon=True)
    process.start()
    theirs.close()
    heard = time.monotonic()
    try:
        while not stop.is_set():
            if not ours.poll(_POLL_SECONDS):
                if time.monotonic() - heard > patience:
                    return _nothing_in(patience)
                continue
            heard = time.monotonic()
            try:
                kind, value = ours.recv()
            except (EOFError, OSError):
                return _crash_of(process)
            if kind == _RETURNED:
                return value
            if kind == _RAISED:
                raise value
            reported(value)
        return Crash("stopped")
    finally:
        ours.close()
        process.kill()
        process.join()


_REPORTED, _RETURNED, _RAISED = "reported", "returned", "raised"


def _report(pipe: Connection, function: Callable, argument: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    try:
        answer = _RETURNED, function(argument, lambda value: pipe.send((_REPORTED, value)))
    except Exception as error:
        answer = _RAISED, error
    pipe.send(answer)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """Have this process end when the one that started it ends: one that was killed cannot end its own."""
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _start(function: Callable, begin: Callable | None) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function, begin), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, function: Callable, begin: Callable | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    end_with_parent()
    if begin is not None:
        begin()
    with suppress(EOFError, ConnectionError):  # the process that started this one has ended, or needs it no more
        pipe.send(None)
        while True:
            item = pipe.recv()
            try:
                answer = function(item)
            except Exception as error:
                answer = error
            pipe.send(answer)
