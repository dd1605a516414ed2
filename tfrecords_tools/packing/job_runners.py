"""Run packing jobs: in this process, in several on this machine, or in an Apache Beam pipeline.

A runner is a function `(jobs, workers, beam_options) -> results`, with the results in any order.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess

import cv2

from tfrecords_tools.errors import UserError
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.jobs import Job
from tfrecords_tools.records.manifest import LeftOut, VideoEntry

Result = VideoEntry | LeftOut


def local(todo: Sequence[Job], workers: int, beam_options: Sequence[str] = ()) -> Iterable[Result]:
    """Run the jobs on this machine, `workers` videos at once."""
    if beam_options:
        raise UserError(f"`beam_options` must be empty unless `runner` is beam. Received: {' '.join(beam_options)}")
    return map(jobs.run, todo) if workers == 1 else _in_processes(todo, workers)


def _in_processes(todo: Sequence[Job], workers: int) -> Iterator[Result]:
    # Spawned, not forked: dlib, OpenCV and TensorFlow hold threads that a fork would break.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker) as pool:
        try:
            for future in as_completed([pool.submit(jobs.run, job) for job in todo]):
                yield future.result()
        except BrokenProcessPool:
            raise UserError("A packing process was killed, probably for lack of memory. Lower `workers`.") from None
        finally:
            pool.shutdown(cancel_futures=True)


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


def _without_result(job: Job) -> None:
    _one_thread()
    jobs.run(job)


def _begin_worker() -> None:
    _one_thread()
    # A process that was killed cannot end its workers, which would go on writing.
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _one_thread() -> None:
    cv2.setNumThreads(1)


RUNNERS: dict[str, Callable[[Sequence[Job], int, Sequence[str]], Iterable[Result]]] = {"local": local, "beam": beam}
