"""Run a function on many items in several processes; one that crashes spoils its own item and nothing else."""

import os
import signal
import threading
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
    began: bool = False

    def give(self, item: int, items: Sequence[Any]) -> None:
        """Have it work on an item."""
        self.item = item
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

    def _crash(self) -> Crash:
        self.pipe.close()
        self.process.join()
        if not self.began:
            raise UserError("The worker processes end before they begin, perhaps for lack of memory. Lower `workers`.")
        status = self.process.exitcode or 0
        return Crash(signal.Signals(-status).name if status < 0 else f"exit status {status}")


def results(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int, begin: Callable[[], None] | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield the index of each item and what `function` returns for it, or a `Crash`, in the order in which they end.

    The processes are spawned, not forked: OpenCV and TensorFlow hold threads that a fork would break. They end with the
    process that calls this, however it ends.

    Args:
      function: of a module, so that it can be sent; items and results can be sent too.
      workers: number of processes.
      begin: called once in each process, before the first item.

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
            ready = wait([worker.pipe for worker in held])
            for place, worker in enumerate(held):
                if worker.pipe not in ready:
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
    pipe.send(None)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = function(item)
        except Exception as error:
            answer = error
        pipe.send(answer)
