"""Corpora of any size: what opening, planning, balancing and describing one takes as it grows, and in how much memory.

    python -m benchmarks.corpora --data_dir=data/sample_packed [--frames=120000,1200000,12000000] [--output=...]

Each corpus is made of hard links of one file of 3,000 frames, so that it takes no room, and an index as packing writes
it. What is timed runs in a process of its own, after the imports; memory is what is resident beyond theirs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.memory import peak
from benchmarks.results import as_script, show
from tfrecords_tools.records import index, manifest
from tfrecords_tools.records.packed_corpus import VideoEntry

FRAMES = 3000  # of a video
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
SUBJECT = 10  # videos
SECONDS = 5  # of reading, for its rate


def long_video(source: Path, path: Path) -> VideoEntry:
    """Write the records of a packed corpus one after the other to one file, until they suffice; return its entry."""
    packed, sizes, labels = manifest.load(source), [], []
    with path.open("wb") as file:
        for entry in cycle(packed.videos):
            file.write((source / entry.file).read_bytes())
            sizes.append(entry.record_bytes)
            labels.append(entry.index["label"])
            if sum(map(len, sizes)) >= FRAMES:
                break
    sizes, labels = np.concatenate(sizes), np.concatenate(labels)
    rows = index.rows(np.arange(1, len(sizes) + 1), sizes, labels)
    return replace(entry, file=path.name, file_bytes=int(sizes.sum()), index=rows, frames_decoded=len(rows))


def make(source: Path, folder: Path, frames: int) -> None:
    """Write a corpus of about `frames` frames."""
    folder.mkdir()
    video = folder / "video"
    entry, entries = long_video(source, video), []
    for split, share in SHARES.items():
        total = max(1, round(share * frames / entry.frames))
        for number in range(total):
            file = f"big-{split}.tfrecord-{number:05d}-of-{total:05d}"
            os.link(video, folder / file)
            name, subject = f"{split}{number:05d}", f"{split}{number // SUBJECT:04d}"
            entries.append(replace(entry, video=name, subject=subject, split=split, file=file))
    video.unlink()
    packed = replace(manifest.load(source), name="big", videos=tuple(entries), left_out=(), expression=False)
    manifest.save(packed, folder)


def measure(folder: Path) -> dict[str, float]:
    """Return seconds, frames a second and megabytes of one corpus."""
    import tensorflow as tf

    from affwildnet.data import Corpus, training_batches
    from affwildnet.data.balance import PAPER_SHARES
    from affwildnet.experiments.config import TrainingConfig
    from tfrecords_tools.study import partition_report, stats
    from tfrecords_tools.study.partition import shares_of_splits

    tf.constant(0)
    before = peak()
    config = TrainingConfig(batch_size=2, window=80)
    start = time.perf_counter()
    batches = iter(training_batches(Corpus.open(folder, "train"), config))
    next(batches)
    found = {"seconds: first batch": time.perf_counter() - start}
    start, read = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        read += next(batches)["frames"].shape[0] * config.window
    found["frames/s"] = round(read / (time.perf_counter() - start))
    found["MB"] = round(peak() - before)
    del batches
    found["load"] = _seconds(lambda: manifest.load(folder))
    balanced = replace(config, balance=PAPER_SHARES)
    found["balanced start"] = _seconds(lambda: next(iter(training_batches(Corpus.open(folder, "train"), balanced))))
    found["stats"] = _seconds(lambda: stats.statistics(folder))
    wanted = shares_of_splits((0.6, 0.2, 0.2))
    found["partition"] = _seconds(lambda: partition_report.partition(folder, wanted))
    return found


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="a packed corpus")
    parser.add_argument("--frames", default="120000,1200000,12000000", help="sizes of the corpora")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # the corpus that this process measures
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    rows = []
    for frames in (int(number) for number in options.frames.split(",")):
        # On the file system of the source: links do not leave it.
        with tempfile.TemporaryDirectory(dir=options.data_dir.parent) as folder:
            make(options.data_dir, Path(folder) / "big", frames)
            command = [sys.executable, "-m", "benchmarks.corpora", f"--data_dir={options.data_dir}"]
            measured = subprocess.run(
                [*command, f"--measure={Path(folder) / 'big'}"], check=True, stdout=subprocess.PIPE, text=True
            )
        rows.append({"frames": f"{frames:,}", **json.loads(measured.stdout.splitlines()[-1])})
    show("Corpora of any size", rows, options.output)


if __name__ == "__main__":
    as_script(main)
