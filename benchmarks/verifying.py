"""Verifying: all records of a corpus read again in several processes, against decoding its JPEGs alone on all cores.

    python -m benchmarks.verifying --data_dir=data/sample_packed [--frames=300000] [--output=build/verifying.json]

The corpus has videos of 3,000 frames, each in all three splits by hard links, so that nothing but their one subject is
amiss. The time of verifying has the start of the processes in it.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.corpora import FRAMES
from benchmarks.reading import _decode_with_opencv, _decode_with_tensorflow, rate_of_decoding
from benchmarks.results import as_script, show
from tfrecords_tools.records import index, manifest
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.records.verify import verify
from tfrecords_tools.records.writer import VideoRecords


def make(source: Path, folder: Path, frames: int) -> None:
    """Write a corpus of about `frames` frames whose records are those of a packed corpus, in longer videos."""
    folder.mkdir()
    packed = manifest.load(source)
    found = (record for entry in packed.videos for record in read_records(source, entry, fields=packed.fields))
    records, entries = list(islice(cycle(found), FRAMES)), []
    total = max(1, round(frames / FRAMES / len(SPLITS)))
    for number in range(total):
        name = f"video{number:05d}"
        files = [folder / f"long-{split}.tfrecord-{number:05d}-of-{total:05d}" for split in SPLITS]
        with VideoRecords(files[0], packed.fields) as written:
            for frame, record in enumerate(records, start=1):
                written.write({**record, "video": name, "subject": name, "frame": frame, "timestamp": frame / 30})
        columns = {
            key: np.array([record[key] for record in records]) for key in ("label", "expression") if key in records[0]
        }
        rows = index.rows(range(1, FRAMES + 1), written.record_bytes, columns["label"], columns.get("expression"))
        for split, file in zip(SPLITS, files, strict=True):
            if split != SPLITS[0]:
                os.link(files[0], file)
            known = {"video": name, "subject": name, "split": split, "file": file.name, "sha256": written.sha256}
            size = sum(written.record_bytes)
            entries.append(replace(packed.videos[0], **known, file_bytes=size, frames_decoded=FRAMES, index=rows))
    videos = sorted(entries, key=lambda entry: SPLITS.index(entry.split))
    manifest.save(replace(packed, name="long", videos=tuple(videos), left_out=()), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="a packed corpus")
    parser.add_argument("--frames", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of verifying")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement of decoding")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    entry = manifest.load(options.data_dir).videos[0]
    jpegs = [record["face"] for record in read_records(options.data_dir, entry)]
    ways = {"OpenCV": _decode_with_opencv, "TensorFlow": _decode_with_tensorflow}
    # Before and after verifying: what disturbs the machine disturbs both.
    rates = {name: rate_of_decoding(jpegs, options.seconds, decode) for name, decode in ways.items()}
    with tempfile.TemporaryDirectory(dir=options.data_dir.parent) as folder:
        make(options.data_dir, Path(folder) / "big", options.frames)
        frames = sum(entry.frames for entry in manifest.load(Path(folder) / "big").videos)
        began = time.perf_counter()
        problems = verify(Path(folder) / "big", workers=options.workers)
        seconds = time.perf_counter() - began
    for name, decode in ways.items():
        rates[name] = max(rates[name], rate_of_decoding(jpegs, options.seconds, decode))
    limit = max(rates.values())
    rows = [{"way": "verify", "frames/s": round(frames / seconds), "to the limit": frames / seconds / limit}]
    rows += [
        {"way": f"decode only, {name}", "frames/s": round(r), "to the limit": r / limit} for name, r in rates.items()
    ]
    show("verifying", rows, options.output, frames=frames, seconds=seconds, problems=len(problems))


if __name__ == "__main__":
    as_script(main)
