"""Packing: frames per second and core, the time of each phase, and what a second process adds.

python -m benchmarks.packing VIDEO [VIDEO ...] [--repeat=2] [--output=build/packing.json]
"""

import argparse
import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest import mock

import cv2

from benchmarks.results import as_script, show
from tfrecords_tools.faces import tracking
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.layouts.labels import no_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import kept_crops
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.source_reading import AheadReader, Read, read_source
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.video.reading import Frames

LOOPS = 64
FRAMES = 1_200_000  # Aff-Wild has 1,224,100 (ijcv2019 table 2)
# The thesis's extension took five days on four computers for finding and cropping the faces (thesis section 3.3).
THESIS = "five days on four computers for its extension"


class FunctionTimes:
    """Seconds spent in some functions, by phase; the functions work as before."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self._patches = contextlib.ExitStack()

    def watch(self, owner: object, name: str, phase: str) -> None:
        """Add the time of a function to a phase."""
        call = getattr(owner, name)

        def timed(*arguments, **more):
            began = time.perf_counter()
            try:
                return call(*arguments, **more)
            finally:
                self.seconds[phase] += time.perf_counter() - began

        self._patches.enter_context(mock.patch.object(owner, name, timed))

    def close(self) -> None:
        """Put the functions back."""
        self._patches.close()


def by_phase(videos: list[VideoSource], options: PackOptions) -> tuple[dict[str, float], float, int]:
    """Return the seconds of each phase, of the whole, and the number of frames."""
    from tfrecords_tools.records import writer

    times = FunctionTimes()
    times.watch(Frames, "__next__", "decode")
    detector = type(options.finder.detector)
    times.watch(detector, "detect", "detect in the whole image")
    times.watch(detector, "detect_near", "detect near a face")
    times.watch(LandmarkPredictor, "predict", "landmarks")
    times.watch(tracking, "histogram", "appearance")
    times.watch(Aligner, "__call__", "crop")
    times.watch(kept_crops, "encode_face", "JPEG")
    times.watch(writer.VideoRecords, "write", "records")
    try:
        whole, frames = run(videos, options)
    finally:
        times.close()
    return {**times.seconds, "rest": whole - sum(times.seconds.values())}, whole, frames


def run(videos: list[VideoSource], options: PackOptions, read: Read = read_source) -> tuple[float, int]:
    """Pack the videos one after the other in this process; return seconds and number of frames."""
    frames, began = 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for index, video in enumerate(videos):
            frames += pack_video(video, options, Path(folder) / str(index), read).frames_decoded
    return time.perf_counter() - began, frames


def decoding_ahead(videos: list[VideoSource], options: PackOptions, rounds: int = 3) -> float:
    """Return how many times the frames/s of one process a thread gives that decodes ahead; the median of turns."""
    ratios = []
    for _ in range(rounds):
        plain, _ = run(videos, options)
        with AheadReader(lambda: True) as reader:
            ahead, _ = run(videos, options, reader)
        ratios.append(plain / ahead)
    return median(ratios)


class Scaling(NamedTuple):
    """What a second worker process adds, medians of turns.

    Attributes:
      one_over_two: seconds of packing the videos with one worker over those with two, all started beforehand.
      slower: how many times as long a video takes while another is packed beside it; the cores share their caches.
      waiting: share of the time of two workers in which one has no video left.
      bare_loop: `one_over_two` of as many loops that add numbers: what the machine gives.
    """

    one_over_two: float
    slower: float
    waiting: float
    bare_loop: float


def scaling(videos: list[VideoSource], options: PackOptions, rounds: int = 3) -> Scaling:
    """Pack the videos with one worker process and with two in turns, the largest first, as `pack` does."""
    videos, turns = sorted(videos, key=lambda video: -video.path.stat().st_size), []
    with contextlib.ExitStack() as stack:
        pools = []
        for workers in (1, 2):
            pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
            pools.append(stack.enter_context(pool))
            # A sleeping process takes no second job: each gets one.
            list(pool.map(_ready, [options] * workers))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = [folder / str(index) for index in range(len(videos))]
        for _ in range(rounds):
            whole, busy = zip(
                *(_timed(pool, _pack, videos, [options] * len(videos), paths) for pool in pools), strict=True
            )
            bare = [_timed(pool, _loop, range(LOOPS))[0] for pool in pools]
            turns.append(Scaling(whole[0] / whole[1], busy[1] / busy[0], 1 - busy[1] / 2 / whole[1], bare[0] / bare[1]))
    return Scaling(*(median(values) for values in zip(*turns, strict=True)))


def _timed(pool: ProcessPoolExecutor, function: Callable[..., float], *arguments) -> tuple[float, float]:
    """Return the seconds of all calls, and the sum of those of each."""
    began = time.perf_counter()
    seconds = sum(pool.map(function, *arguments))
    return time.perf_counter() - began, seconds


def _pack(video: VideoSource, options: PackOptions, path: Path) -> float:
    began = time.perf_counter()
    pack_video(video, options, path)
    return time.perf_counter() - began


def _loop(_) -> float:
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return time.perf_counter() - began


def _ready(options: PackOptions) -> None:
    import_tensorflow()
    _ = options.finder.detector, options.finder.predictor
    time.sleep(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--repeat", type=int, default=2, help="how often each video is packed")
    parser.add_argument("--every", type=int, default=tracking.EVERY)
    parser.add_argument("--detector", choices=("blaze", "dlib"), default=PackOptions.detector)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    import_tensorflow()
    packing = PackOptions(every=options.every, detector=options.detector)
    videos = [
        VideoSource(f"{path.stem}_{number}", "train", path.stem, path, no_labels)
        for number in range(options.repeat)
        for path in options.videos
    ]
    run(videos[:1], packing)  # loads models and libraries
    seconds, _, frames = by_phase(videos, packing)
    whole, _ = run(videos, packing)
    rows = [
        {"phase": phase, "ms/frame": 1000 * value / frames, "share": value / sum(seconds.values())}
        for phase, value in seconds.items()
    ]
    rate = frames / whole
    show(
        f"packing {frames} frames on one core",
        rows,
        options.output,
        frames_per_second_and_core=rate,
        **scaling(videos, packing)._asdict(),
        decoding_ahead_over_plain=decoding_ahead(videos, packing),
        hours_for_1_200_000_frames_on_one_core=FRAMES / rate / 3600,
        the_thesis=THESIS,
    )


if __name__ == "__main__":
    as_script(main)
