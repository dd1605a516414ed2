"""Run packing jobs: in this process, in several on this machine, or in an Apache Beam pipeline.

A runner is a function `(jobs, workers, beam_options) -> results`, with the results in any order.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import zip_longest
from multiprocessing import get_context
from typing import Any

import cv2

from tfrecords_tools.errors import UserError
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.disk_room import size_of
from tfrecords_tools.packing.jobs import Job
from tfrecords_tools.packing.source_reading import AheadReader, Coming
from tfrecords_tools.records.packed_corpus import LeftOut, VideoEntry
from tfrecords_tools.worker_processes import cores, end_with_parent

Result = VideoEntry | LeftOut


def local(todo: Sequence[Job], workers: int, beam_options: Sequence[str] = ()) -> Iterable[Result]:
    """Run the jobs on this machine, `workers` videos at once.

    A video that ends the process which packs it, because a library crashes, is left out with the signal as its reason;
    the others go on. One worker is this process itself: what ends it is met once, and runs alone when packing is
    started again, as the command does at once.
    """
    if beam_options:
        raise UserError(f"`beam_options` must be empty unless `runner` is beam. Received: {' '.join(beam_options)}")
    return _in_processes(todo, workers) if workers > 1 else _in_this_process(todo)


def _in_this_process(todo: Sequence[Job]) -> Iterator[Result]:
    before, several = jobs.suspects(todo), cores() > 1
    with AheadReader(lambda: several) as reader:
        for job, coming in zip_longest(todo, todo[1:]):
            if job in before:
                yield by_itself(job)
                continue
            awaited = coming is not None and coming not in before and jobs.is_new(coming)
            reader.expect(job.source, Coming(coming.source, coming.options, coming.begun) if awaited else None)
            yield jobs.run(job, reader)


def _in_processes(todo: Sequence[Job], workers: int) -> Iterator[Result]:
    # The largest first, so that at the end no worker is busy for long while the others have nothing left to do.
    remaining = sorted(todo, key=lambda job: -size_of(job.source.path))
    while remaining:
        yield from _until_a_crash(remaining, workers)
        # One of those that ran has ended its process: each of them runs alone, so that it can end nothing else.
        alone = jobs.suspects(remaining)
        if remaining and not alone:
            raise UserError(
                "The packing processes end before they begin, probably for lack of memory. Lower `workers`."
            )
        for job in alone:
            remaining.remove(job)
            yield by_itself(job)


def _until_a_crash(remaining: list[Job], workers: int) -> Iterator[Result]:
    """Run jobs, and take those that have ended from the list."""
    # Spawned, not forked: dlib, OpenCV and TensorFlow hold threads that a fork would break.
    context = get_context("spawn")
    busy = context.Value("i", min(workers, len(remaining)), lock=False)
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(busy,)) as pool:
        try:
            submitted = {pool.submit(_run_in_worker, job): job for job in remaining}
            for future in as_completed(submitted):
                result = future.result()
                remaining.remove(submitted[future])
                busy.value = min(workers, len(remaining))
                yield result
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(cancel_futures=True)


def by_itself(job: Job) -> Result:
    """Run a job in a process of its own; return its result, or the reason that it has ended the process."""
    process = get_context("spawn").Process(target=_alone, args=(job,))
    process.start()
    process.join()
    if process.exitcode == 0:
        return jobs.read(job)
    if process.exitcode > 0:
        raise OSError(process.exitcode, os.strerror(process.exitcode), str(job.staging))
    return jobs.give_up(job, -process.exitcode)


def _alone(job: Job) -> None:
    _begin_worker()
    try:
        jobs.run(job)
    except OSError as error:  # the disk is full, which ends all of packing
        os._exit(error.errno or errno.EIO)


def beam(todo: Sequence[Job], workers: int, beam_options: Sequence[str] = ()) -> Iterable[Result]:
    """Run the jobs as a pipeline of Apache Beam; every worker must see the source and the staging folder.

    Args:
      todo: the jobs.
      workers: not used: Beam decides how many run at once.
      beam_options: flags of Beam and its runner, such as `--runner=DirectRunner`, `--direct_num_workers=4`.

    Raises:
      UserError: if Beam is not installed, or a job has left no result.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise UserError('`runner` beam needs Apache Beam. Get it with `pip install -e ".[beam]"`.') from None
    with apache_beam.Pipeline(options=PipelineOptions(list(beam_options), save_main_session=False)) as pipeline:
        # Reshuffled, or Beam would fuse all the videos into one bundle of one worker.
        created = pipeline | "videos" >> apache_beam.Create(list(todo)) | apache_beam.Reshuffle()
        _ = created | "pack" >> apache_beam.Map(_without_result)
    return [jobs.read(job) for job in todo]


# Of a worker process: `busy`, how many of them have a video, which they share; the other cores are idle.
_worker: dict[str, Any] = {}


def _without_result(job: Job) -> None:
    _one_thread()
    jobs.run(job)


def _begin_worker(busy: Any = None) -> None:
    _one_thread()
    end_with_parent()
    _worker["busy"] = busy


def _run_in_worker(job: Job) -> Result:
    busy, all_cores = _worker["busy"], cores()
    with AheadReader(lambda: busy.value < all_cores) as reader:
        return jobs.run(job, reader)


def _one_thread() -> None:
    cv2.setNumThreads(1)


RUNNERS: dict[str, Callable[[Sequence[Job], int, Sequence[str]], Iterable[Result]]] = {"local": local, "beam": beam}
