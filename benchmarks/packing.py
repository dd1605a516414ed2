"""Packing: frames per second and core, and where the time goes.

python -m benchmarks.packing --source=data/sample [--output=build/packing.json]
"""

import argparse
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import show
from tfrecords_tools.alignment import Aligner
from tfrecords_tools.faces import FaceDetector, choose
from tfrecords_tools.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.pack import PackOptions, pack_video
from tfrecords_tools.video import read_frames
from tfrecords_tools.writer import encode_face


def stages(path: Path, model: Path) -> tuple[dict[str, float], int]:
    """Seconds in each stage of packing one video, each on its own, and the number of frames."""
    detector, predictor, aligner = FaceDetector(), LandmarkPredictor(model), Aligner()
    seconds: dict[str, float] = defaultdict(float)
    previous, count, mark = None, 0, time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal mark
        now = time.perf_counter()
        seconds[stage] += now - mark
        mark = now

    for frame in read_frames(path):
        lap("decode")
        previous = choose(detector.detect(frame.image), previous) or previous
        lap("detect")
        if previous is None:
            continue
        points = predictor.predict(frame.image, previous)
        lap("landmarks")
        face, _ = aligner(frame.image, previous, points)
        lap("crop")
        encode_face(face)
        lap("JPEG")
        count = frame.number
    return seconds, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--layout", default="aff_wild", choices=sorted(LAYOUTS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--videos", type=int, default=3)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    model = find_model()
    videos, _ = LAYOUTS[options.layout](options.source)
    videos = videos[: options.videos]
    totals, frames = defaultdict(float), 0
    for video in videos:
        seconds, count = stages(video.path, model)
        frames += count
        for stage, value in seconds.items():
            totals[stage] += value
    began, packed = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        for index, video in enumerate(videos):
            packed += pack_video(video, PackOptions(model, Aligner()), Path(folder) / str(index)).frames_decoded
    whole = (time.perf_counter() - began) / packed
    totals["records, labels, rest"] = max(0.0, whole * frames - sum(totals.values()))
    rows = [
        {"stage": stage, "ms/frame": 1000 * value / frames, "share": value / sum(totals.values())}
        for stage, value in totals.items()
    ]
    rate = 1 / whole
    days = 1.2e6 / rate / os.cpu_count() / 86_400
    show(
        "packing, one core",
        rows,
        options.output,
        frames_per_second_and_core=rate,
        days_for_1_200_000_frames_on_all_cores=float(np.round(days, 3)),
    )


if __name__ == "__main__":
    main()
