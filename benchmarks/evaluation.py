"""Evaluation: scoring a split, against bare forward passes over as many frames in memory.

    python -m benchmarks.evaluation --data_dir=data/sample_packed [--network=affwildnet_vggface] [--output=...]

Scoring is everything that evaluate.py's evaluator does with a network: reading, decoding, the network, gathering and
scores, from a standing start and with the reading begun beforehand. Bare is the same compiled network on one batch of
whole windows, again and again, for as many frames as the split has. All take turns, and the ratio is the median over
the turns. The first turn of each, which compiles, is reported separately. Last, the plots of a report on 30 videos are
drawn, of random predictions.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet import models
from affwildnet.data import Corpus, evaluation_batches
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.reporting.learning_curves import Progress
from affwildnet.evaluation.reporting.plots import Plots
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.experiments.networks import NETWORKS
from benchmarks.results import as_script, show
from tfrecords_tools.files import folder_at

WAIT = 0.3  # seconds for the first batches


def scoring(model: keras.Model, corpus: Corpus, config: EvaluationConfig) -> Callable[[], np.ndarray]:
    """Return a function that scores the split once and returns how long it took, see `_seconds`."""
    evaluator = Evaluator(corpus, config)
    return lambda: _seconds(lambda: evaluator(model))


def scoring_begun(model: keras.Model, corpus: Corpus, config: EvaluationConfig) -> Callable[[], np.ndarray]:
    """Return the same with the reading begun beforehand, as the watcher does while it waits for a checkpoint."""
    evaluator = Evaluator(corpus, config)

    def run() -> np.ndarray:
        evaluator.begin()
        time.sleep(WAIT)
        return _seconds(lambda: evaluator(model))

    return run


def bare_passes(model: keras.Model, corpus: Corpus, config: EvaluationConfig) -> Callable[[], np.ndarray]:
    """Return a function that runs the network on as many frames as the split has, and returns how long it took."""
    batch = next(iter(evaluation_batches(corpus, replace(config, carry_state=False, overlap=0))))
    inputs = {tensor.name: tf.constant(batch[tensor.name]) for tensor in model.inputs}
    forward = tf.function(lambda: model(inputs, training=False))
    frames = sum(entry.frames for entry in corpus.videos)
    passes = -(-frames // (config.batch_size * config.window))

    def run():
        for _ in range(passes):
            predictions = forward()
        predictions.numpy()

    return lambda: _seconds(run) * frames / (passes * config.batch_size * config.window)


def drawing(videos: int = 30) -> float:
    """Return the seconds that the plots of a report take to be drawn, as PNG files, on the second time."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(videos):
        frames = np.arange(1, rng.integers(200, 600))
        labels = 0.8 * np.sin(frames[:, None] / rng.uniform(20, 60, 2)).astype(np.float32)
        predictions = labels + rng.normal(0, 0.2, labels.shape).astype(np.float32)
        times = (frames / 30).astype(np.float32)
        made.append(VideoPredictions(f"v{number}", f"s{number}", frames, times, labels, predictions))
    training = [{"step": step, "loss": float(np.exp(-step / 500))} for step in range(0, 2000, 10)]
    for _ in range(2):
        began = time.perf_counter()
        with Plots(Evaluation.of("test", made), Progress(training)) as plots:
            plots.drawn()
    return time.perf_counter() - began


def _seconds(run: Callable) -> np.ndarray:
    """Return seconds of wall-clock time, and of all processor cores together."""
    began = np.array([time.perf_counter(), time.process_time()])
    run()
    return np.array([time.perf_counter(), time.process_time()]) - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=folder_at, required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--network", choices=NETWORKS, default="affwildnet_vggface")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--window", type=int, default=80)
    parser.add_argument("--carry_state", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    corpus = Corpus.open(options.data_dir, options.split)
    network = replace(NETWORKS[options.network], width=options.width, image_size=corpus.manifest.image_size)
    config = EvaluationConfig(options.batch_size, options.window, carry_state=options.carry_state)
    model = models.build(network)
    ways = {
        "bare, constant batch": bare_passes(model, corpus, config),
        "Evaluator": scoring(model, corpus, config),
        "Evaluator, reading begun": scoring_begun(model, corpus, config),
    }
    first = {name: run() for name, run in ways.items()}
    turns = np.array([[run() for run in ways.values()] for _ in range(options.rounds)])  # by turn, way, clock
    ratios = turns / turns[:, :1]
    frames = sum(entry.frames for entry in corpus.videos)
    rows = [
        {
            "way": name,
            "first time, s": first[name][0],
            "later, s": seconds[0],
            "frames/s": round(frames / seconds[0]),
            "processor, s": seconds[1],
            "ratio": ratio[0],
            "of the processor": ratio[1],
        }
        for name, seconds, ratio in zip(ways, np.median(turns, 0).tolist(), np.median(ratios, 0).tolist(), strict=True)
    ]
    title = f"evaluation {options.network}, width {options.width:g}: {frames:,} frames of {options.split}"
    show(
        title,
        rows,
        options.output,
        **{"plots of 30 videos, s": drawing()},
        lowest_ratios=ratios[:, 1:, 0].min(0).tolist(),
        highest_ratios=ratios[:, 1:, 0].max(0).tolist(),
    )


if __name__ == "__main__":
    as_script(main)
