"""Training above a frozen VGG-16: from frames, while the cache of its features fills, and from the cache.

    python -m benchmarks.frozen_layers [--network=attention] [--cache=float32] [--output=build/frozen_layers.json]

The networks are those of thesis case c0 in full size, on random crops of 96 pixels. A step is what the trainer's loop
does from one batch to the next: reading, decoding, computing, updating. All take turns, and each ratio is the median
over the rounds of one turn's frames/s to those of the turn from frames beside it. The limit is the step
of what is trained on one batch of features in memory.
"""

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet import experiments, models
from affwildnet.data import Corpus, training_batches
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.experiments.config import TrainingConfig
from affwildnet.training.freezing import mark
from affwildnet.training.step import TrainStep, make_optimizer
from benchmarks.results import as_script, show
from tfrecords_tools.records import index, manifest
from tfrecords_tools.records.face_encoding import encode_face
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.writer import VideoRecords

NETWORKS = {"attention": "thesis2018/vggface_attention_c0", "gru": "thesis2018/vggface_gru_c0"}
FRAMES = 240  # of each of the videos, of which a batch holds 80 each


def write_corpus(folder: Path, videos: int, side: int) -> Corpus:
    """Write videos of smooth random crops and labels; return them as a training split."""
    folder.mkdir(parents=True)
    rng, entries = np.random.default_rng(0), []
    for video in range(videos):
        path = folder / f"bench-train.tfrecord-{video:05d}-of-{videos:05d}"
        labels = np.cumsum(rng.normal(0, 0.03, (FRAMES, 2)), axis=0).clip(-1, 1).astype("float32")
        with VideoRecords(path) as records:
            for frame, label in enumerate(labels, start=1):
                small = rng.integers(0, 256, (side // 8, side // 8, 3), "uint8")
                records.write({
                    "video": f"v{video}",
                    "subject": f"v{video}",
                    "frame": frame,
                    "timestamp": frame / 30,
                    "face": encode_face(np.kron(small, np.ones((8, 8, 1), "uint8"))),
                    "box": (0, 0, side, side),
                    "landmarks": rng.random((68, 2)),
                    "label": label,
                })  # fmt: skip
        rows = index.rows(range(1, FRAMES + 1), records.record_bytes, labels)
        size = sum(records.record_bytes)
        entries.append(
            VideoEntry(f"v{video}", "train", f"v{video}", path.name, records.sha256, 30.0, FRAMES, 0, size, rows)
        )
    manifest.save(Manifest("bench", "thesis", side, "crop", 0.1, tuple(entries)), folder)
    return Corpus.open(folder, "train", side)


def step_seconds(step: TrainStep, batches: Iterator[dict[str, tf.Tensor]], steps: int) -> float:
    """Return the seconds of a step, mean over `steps` after one that is not counted."""
    step(next(batches))()
    began = time.perf_counter()
    for _ in range(steps):
        step(next(batches))()
    return (time.perf_counter() - began) / steps


def measure(name: str, kind: str, rounds: int, width: float, folder: Path) -> list[dict]:
    """Return the rows of one network."""
    experiment = experiments.get(NETWORKS[name])
    model_config = replace(experiment.model, width=width)
    config: TrainingConfig = replace(experiment.training, cache=kind, cache_gb=100.0, stages=())
    corpus = write_corpus(folder / "corpus", 4, model_config.image_size)
    keras.utils.set_random_seed(0)
    model = models.build(model_config)
    mark(model, experiment.training.stages[0], [layer.name for layer in model.layers if layer.weights])
    model.compile(optimizer=make_optimizer(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    filling, filled = (FrozenFeatures.of(model, corpus, folder / part, config) for part in ("first", "later"))
    filled.fill(config, lambda: True, most=1.0)
    strategy = tf.distribute.get_strategy()
    whole, above = TrainStep(model, config, strategy), TrainStep(model, config, strategy, (), filled.network)
    times: dict[str, list[float]] = {"from frames": [], "the cache fills": [], "from the cache": [], "limit": []}
    for _ in range(rounds):
        times["from frames"].append(step_seconds(whole, iter(training_batches(corpus, config)), 2))
        shutil.rmtree(filling.cache.folder)
        filling.cache.prepare()
        times["the cache fills"].append(
            step_seconds(above, filling.over(training_batches(corpus, config, cache=filling.cache)), 2)
        )
        times["from the cache"].append(
            step_seconds(above, filled.over(training_batches(corpus, config, cache=filled.cache)), 30)
        )
        batch = next(filled.over(training_batches(corpus, config, cache=filled.cache)))
        times["limit"].append(step_seconds(above, itertools.repeat(batch), 30))
    frames = config.batch_size * config.window
    rows = []
    for turn, seconds in times.items():
        ratios = [before / now for before, now in zip(times["from frames"], seconds, strict=True)]
        row = {"network": name, "step": turn, "seconds": statistics.median(seconds)}
        row |= {"frames/s": frames / statistics.median(seconds), "times": statistics.median(ratios)}
        rows.append({**row, "least": min(ratios), "most": max(ratios)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, help="one of them (default: both)")
    parser.add_argument("--cache", choices=("float16", "bfloat16", "float32"), default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=float, default=1.0, help="of the network; below 1, to try the script")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    rows = []
    for name in [options.network] if options.network else NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(name, options.cache, options.rounds, options.width, Path(folder))
    show("training above a frozen VGG-16", rows, options.output, cache=options.cache, rounds=options.rounds)


if __name__ == "__main__":
    as_script(main)
