"""Tracking a face with few whole-frame detections: speed and landmarks against detection in every frame.

python -m benchmarks.tracking VIDEO [VIDEO ...] [--every=10] [--agree=0.15] [--output=build/tracking.json]

Seconds are processor time of this process for detection, landmarks and tracking together, without decoding. Landmark
deviations are in percent of the distance between the outer eye corners, over all landmarks of the frames in which both
find a face.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import as_script, show
from tfrecords_tools.faces.boxes import choose
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.faces.tracking import track_faces
from tfrecords_tools.faces.tracks import choose_track
from tfrecords_tools.video.reading import Frame, read_frames


def in_every_frame(frames: Iterator[Frame], detector: FaceDetector, predictor: LandmarkPredictor) -> dict:
    """Return the landmarks by frame number, with detection in the whole of every frame."""
    found, previous = {}, None
    for frame in frames:
        box = choose(detector.detect(frame.image), previous)
        if box is not None:
            previous, found[frame.number] = box, predictor.predict(frame.image, box)
    return found


def deviations(found: dict, reference: dict) -> np.ndarray:
    """Return the deviation of every landmark of the frames that both have, in percent of the eye distance."""
    shared = sorted(found.keys() & reference.keys())
    return 100 * np.concatenate([
        np.linalg.norm(found[n] - reference[n], axis=1) / np.linalg.norm(reference[n][36] - reference[n][45])
        for n in shared
    ] or [[np.nan]])  # fmt: skip


def timed(run: Callable, frames: list[Frame]) -> tuple[dict, float]:
    """Return what `run` finds in the frames, and its processor seconds per frame."""
    began = time.process_time()
    found = run(iter(frames))
    return found, (time.process_time() - began) / len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--every", type=int, nargs="+", default=[10])
    parser.add_argument("--agree", type=float, nargs="+", default=[0.15])
    parser.add_argument("--max_frames", type=int, default=500, help="limit per video; the frames are held in memory")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    detector, predictor = FaceDetector(), LandmarkPredictor(find_model())
    rows = []
    for path in options.videos:
        frames = [frame for frame, _ in zip(read_frames(path), range(options.max_frames), strict=False)]
        reference, reference_seconds = timed(partial(in_every_frame, detector=detector, predictor=predictor), frames)
        for every in options.every:
            for agree in options.agree:
                follow = partial(track_faces, detector=detector, predictor=predictor, every=every, agree=agree)
                tracks, seconds = timed(follow, frames)
                found = choose_track(tracks).landmarks if tracks else {}
                percent = deviations(found, reference)
                rows.append({
                    "video": path.name,
                    "every": every,
                    "agree": agree,
                    "frames": len(frames),
                    "with face": len(reference),
                    "lost": len(reference.keys() - found.keys()),
                    "gained": len(found.keys() - reference.keys()),
                    "ms/frame": 1000 * seconds,
                    "times as fast": reference_seconds / seconds,
                    "median %": float(np.median(percent)),
                    "95th %": float(np.percentile(percent, 95)),
                })  # fmt: skip
    show("tracking, against detection in every frame", rows, options.output)


if __name__ == "__main__":
    as_script(main)
