"""Prediction: frames per second from video to table, a step against the network before its recurrence, and memory.

    python -m benchmarks.predicting VIDEO ... [--networks affwildnet_vggface cnn_m] [--minutes 1 60] [--output=FILE]

Networks have their full size and random weights: their predictions mean nothing, but cost the same.

Frames per second are those of `python -m affwildnet.predict`, with the network compiled beforehand; the shares are of
that time. The plain command, `--look_ahead` and `--overlay` take turns; what they cost is the median over the rounds. A
step is the network with states on one frame. In turns with it runs the same network up to the input of its first
recurrent layer, its CNN (the whole of a network without recurrence). Memory is the peak of a process of its own that
predicts from the first video at half its size, played forwards and backwards for as many minutes at 25 frames a second,
with a network of a few thousand weights.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from affwildnet import experiments, models
from affwildnet.devices import has_bfloat16
from affwildnet.models.precision import PRECISIONS, with_precision
from affwildnet.predict import Predictor
from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.predict_options import PredictOptions
from affwildnet.predict.predict_source import predict_source, warm_up
from affwildnet.predict.source_search import find_sources
from affwildnet.predict.stateful_networks import KerasNetwork
from affwildnet.predict.timing import PHASES
from benchmarks.memory import peak
from benchmarks.results import as_script, show
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.records.schema import LANDMARKS
from tfrecords_tools.video.reading import Frame, read_frames

LOOPED = 60  # frames
WAYS = {"plain": {}, "look_ahead": {"look_ahead": True}, "overlay": {"overlay": True}}


def built(name: str, precision: str) -> keras.Model:
    """Return the network of an experiment of the IJCV paper, with random weights."""
    keras.utils.set_random_seed(0)
    model = models.build(experiments.get(f"ijcv2019/{name}").model)
    return model if precision == "float32" else with_precision(model, precision, has_bfloat16())


def speed(
    name: str, precision: str, model: keras.Model, videos: list[Path], seconds: float | None, rounds: int
) -> list[dict]:
    """Return a row for each video and each of `WAYS`, which take turns."""
    network = KerasNetwork(model)
    predictor = Predictor(network, Aligner(network.image_size))
    warm_up(predictor)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for video in videos:
            (source,) = find_sources(video)
            found = {way: [] for way in WAYS}
            for _ in range(rounds):
                for way, asked in WAYS.items():
                    options = PredictOptions(Path(folder), progress=False, overwrite=True, seconds=seconds, **asked)
                    predictor.reset()
                    found[way].append(predict_source(source, predictor, options))
            plain = [done.seconds for done in found["plain"]]
            for way, turns in found.items():
                ratios = [done.seconds / base for done, base in zip(turns, plain, strict=True)]
                shares = {f"{phase} %": 100 * turns[0].shares[phase] for phase in (*PHASES, "other")}
                rows.append({
                    "network": name, "precision": precision, "video": video.name, "way": way,
                    "frames": turns[0].frames,
                    "frames/s": statistics.median(done.frames / done.seconds for done in turns),
                    "times plain": statistics.median(ratios), **shares,
                })  # fmt: skip
    return rows


def step_cost(name: str, precision: str, model: keras.Model, rounds: int) -> dict:
    """Return the milliseconds of a step and of the CNN alone on one frame, in turns."""
    network = KerasNetwork(model)
    recurrent = [layer for layer in model.layers if hasattr(layer, "state_shapes")]
    before = keras.Model(model.inputs, recurrent[0].input if recurrent else model.output)
    bare = tf.function(
        lambda inputs: before(inputs, training=False),
        input_signature=[[tf.TensorSpec([1, 1, *tensor.shape[2:]], tensor.dtype) for tensor in model.inputs]],
    )
    rng = np.random.default_rng(0)
    face = rng.integers(0, 256, (1, network.image_size, network.image_size, 3), dtype=np.uint8)
    points = rng.random((1, LANDMARKS, 2), dtype=np.float32)
    inputs = [face[None], points[None]][: len(model.inputs)]
    states = network.initial_states()

    def step() -> None:
        nonlocal states
        _, states = network.run(face, points, states)

    def alone() -> None:
        bare([tf.convert_to_tensor(values) for values in inputs]).numpy()

    calls, times = {"step": step, "CNN": alone}, {"step": [], "CNN": []}
    for turn in range(rounds + 3):
        for which, call in calls.items():
            began = time.perf_counter()
            call()
            if turn >= 3:
                times[which].append(time.perf_counter() - began)
    ratios = [one / other for one, other in zip(times["step"], times["CNN"], strict=True)]
    ms = {f"{which} ms": 1000 * statistics.median(found) for which, found in times.items()}
    return {"network": name, "precision": precision, **ms, "ratio": statistics.median(ratios)}


def looped(video: Path, minutes: float) -> FrameSource:
    """Return a video of any length at 25 frames per second: some frames forwards and backwards again and again."""
    images = [cv2.resize(frame.image, None, fx=0.5, fy=0.5) for frame in itertools.islice(read_frames(video), LOOPED)]
    turn = [*images, *images[-2:0:-1]]

    def frames():
        for number, image in zip(range(1, round(25 * 60 * minutes) + 1), itertools.cycle(turn), strict=False):
            yield Frame(number, (number - 1) / 25, image.copy(), number)

    return FrameSource("looped", "looped", frames, lambda: 25.0, lambda: None)


def memory(video: Path, minutes: float, overlay: bool) -> dict:
    """Return the row that a process of its own measures."""
    flags = ["--child", str(minutes), *(["--overlay"] if overlay else [])]
    command = [sys.executable, "-m", "benchmarks.predicting", str(video), *flags]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def child(video: Path, minutes: float, overlay: bool) -> None:
    """Predict from a looped video and print the peak memory."""
    config = experiments.get("ijcv2019/affwildnet_vggface").model
    network = KerasNetwork(models.build(replace(config, backbone="cnn_m", width=0.03)))
    predictor = Predictor(network, Aligner(network.image_size))
    warm_up(predictor)
    with tempfile.TemporaryDirectory() as folder:
        options = PredictOptions(Path(folder), progress=False, overlay=overlay)
        done = predict_source(looped(video, minutes), predictor, options)
    row = {"minutes": minutes, "overlay": overlay, "frames": done.frames, "with face": done.frames_with_face}
    print(json.dumps({**row, "peak MiB": peak(), "frames/s": done.frames / done.seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--networks", nargs="*", default=["affwildnet_vggface", "cnn_m"], help="of the IJCV paper")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--seconds", type=float, help="predict only the first so many seconds")
    parser.add_argument("--rounds", type=int, default=40, help="of the step")
    parser.add_argument("--turns", type=int, default=3, help="of each way to predict a video")
    parser.add_argument("--minutes", nargs="*", type=float, default=[1, 60], help="lengths of the looped video")
    parser.add_argument("--overlay", action="store_true", help="measure memory with an overlay")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.videos[0], options.child, options.overlay)
        return
    speeds, steps = [], []
    for name, precision in itertools.product(options.networks, options.precisions):
        model = built(name, precision)
        speeds += speed(name, precision, model, options.videos, options.seconds, options.turns)
        steps.append(step_cost(name, precision, model, options.rounds))
        keras.backend.clear_session()
    memories = [memory(options.videos[0], minutes, options.overlay) for minutes in options.minutes]
    for name, title, rows in (
        ("speed", "prediction from video to table", speeds),
        ("step", "a step with states against the CNN alone, on one frame", steps),
        ("memory", "peak memory by length", memories),
    ):
        if rows:
            output = options.output and options.output.with_name(f"{options.output.stem}-{name}.json")
            show(title, rows, output)


if __name__ == "__main__":
    as_script(main)
