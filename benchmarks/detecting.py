"""Detectors: faces that are hard to find, false ones, time for a frame, and what packing takes.

python -m benchmarks.detecting [VIDEO ...] [--detectors blaze dlib] [--rounds=3] [--output=build/detecting.json]

The hard faces and the frames without one are made afresh (`benchmarks/hard_faces.py`). A face counts as found if a box
overlaps its own by 0.4. The detectors take turns; times, of the processor, and ratios are medians over them.
Packing is that of the named videos, or of a clip of the sample corpus, scaled to both sizes. With videos, the frames in
which each detector finds a face are counted too.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks.hard_faces import EMPTY, KINDS, empty_frames, hard_faces
from benchmarks.results import as_script, show
from tfrecords_tools.faces.boxes import Detector
from tfrecords_tools.faces.face_finder import FaceFinder
from tfrecords_tools.faces.face_settings import DETECTORS
from tfrecords_tools.faces.tracking import track_faces
from tfrecords_tools.faces.tracks import choose_track, remove_jumps
from tfrecords_tools.layouts.labels import no_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.sample.sample_corpus import write_sample
from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.writing import VideoWriter

SIZES = ((640, 360), (1280, 720))
FOUND = 0.4  # overlap with the true box
BASE = "dlib"  # whose speed the others are compared with
FRAMES = 240  # of a video, for packing


def recall(detector: Detector, seeds: int) -> dict:
    """Return the share of hard faces that a detector finds, by kind, and how many false boxes it gives."""
    found, false = Counter(), 0
    for seed in range(seeds):
        for face in hard_faces(seed):
            found[face.kind] += any(box.overlap(face.box) >= FOUND for box in detector.detect(face.image))
        false += sum(len(detector.detect(image)) for image in empty_frames(seed))
    faces = {kind: 2 * len(strengths) * seeds for kind, strengths in KINDS.items()}
    return {
        "recall": sum(found.values()) / sum(faces.values()),
        **{kind: found[kind] / faces[kind] for kind in KINDS},
        f"false in {EMPTY}": false / seeds,
    }


def milliseconds(detectors: dict[str, Detector], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median time of a frame, by detector and size; the detectors take turns."""
    frames = {size: [_resized(face.image, size) for face in list(hard_faces())[::7]] for size in SIZES}
    times = {name: {size: [] for size in SIZES} for name in detectors}
    for _ in range(rounds):
        for size in SIZES:
            for image in frames[size]:
                for name, detector in detectors.items():
                    began = time.process_time()
                    detector.detect(image)
                    times[name][size].append(time.process_time() - began)
    return {
        name: {f"ms at {width}x{height}": 1000 * median(own[width, height]) for width, height in SIZES}
        for name, own in times.items()
    }


def packing(names: list[str], videos: list[Path], rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the frames per second of packing, by detector and size, and how many times as fast as with dlib."""
    import_tensorflow()
    rates = {name: {} for name in names}
    for size in SIZES:
        sources = [_scaled(video, size, folder) for video in videos]
        taken = {name: [] for name in names}
        for turn in range(rounds + 1):  # the first loads models and libraries
            for name in names:
                began, frames = time.process_time(), 0
                for source in sources:
                    frames += pack_video(source, PackOptions(detector=name), folder / "records").frames_decoded
                if turn:
                    taken[name].append((time.process_time() - began) / frames)
        for name in names:
            label = f"{size[0]}x{size[1]}"
            rates[name][f"packed/s {label}"] = 1 / median(taken[name])
            if BASE in names:
                ratios = [base / own for base, own in zip(taken[BASE], taken[name], strict=True)]
                rates[name][f"times {BASE} {label}"] = median(ratios)
    return rates


def frames_with_face(finder: FaceFinder, path: Path) -> int:
    """Return in how many frames of a video packing would find the face."""
    tracks = track_faces(read_frames(path), finder.detector, finder.predictor)
    return len(remove_jumps(choose_track(tracks))[0].boxes) if tracks else 0


def _scaled(video: Path, size: tuple[int, int], folder: Path) -> VideoSource:
    path = folder / f"{video.stem}-{size[0]}.mp4"
    with VideoWriter(path, 30, size) as writer:
        for frame, _ in zip(read_frames(video), range(FRAMES), strict=False):
            writer.write(_resized(frame.image, size))
    return VideoSource(path.stem, "train", video.stem, path, no_labels)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--detectors", choices=DETECTORS, nargs="+", default=["blaze", "dlib"])
    parser.add_argument("--yunet_model", type=Path)
    parser.add_argument("--upsample", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="how often the hard faces are made afresh")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    finders = {
        name: FaceFinder(name, upsample=options.upsample, yunet_model=options.yunet_model if name == "yunet" else None)
        for name in options.detectors
    }
    detectors = {name: finder.detector for name, finder in finders.items()}
    found = {name: recall(detector, options.seeds) for name, detector in detectors.items()}
    times = milliseconds(detectors, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        videos = options.videos
        if not videos:
            write_sample(Path(folder) / "sample", clips=3, min_seconds=FRAMES / 30, max_seconds=FRAMES / 30)
            videos = sorted((Path(folder) / "sample").glob("videos/train/*.mp4"))[:1]
        packed = packing([name for name in finders if name != "yunet"], videos, options.rounds, Path(folder))
    measured = {name: {**found[name], **times[name], **packed.get(name, {})} for name in finders}
    for path in options.videos:
        for name, finder in finders.items():
            measured[name][f"faces in {path.name}"] = frames_with_face(finder, path)
    measures = dict.fromkeys(measure for own in measured.values() for measure in own)
    rows = [{"measure": each, **{name: own.get(each, "") for name, own in measured.items()}} for each in measures]
    show("detectors", rows, options.output, seeds=options.seeds, rounds=options.rounds)


if __name__ == "__main__":
    as_script(main)
