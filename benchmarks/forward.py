"""The bare network against the same network in PyTorch, on the same crops, with the same weights.

    python -m benchmarks.forward [--data_dir=data/sample_packed] [--output=...]

Each side runs in a process of its own, and they take turns, so that their threads do not compete. Ours is a compiled
graph, as `python -m affwildnet.predict` runs it. PyTorch is eager, with channels last and inference mode, and needs its
CPU build (`pip install torch==2.13.0`). Both get uint8 crops and all cores, and their predictions are compared. The GRU
has the form that both know (`reset_after`).

In bfloat16, ours rounds to bfloat16 and, on processors without such instructions, multiplies in float32, see
`affwildnet.models.precision`; PyTorch's network is converted with `.to(torch.bfloat16)`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.results import as_script, show
from tfrecords_tools.files import folder_at

NETWORKS = ("affwildnet_vggface", "cnn_m")


def crops(data_dir: Path | None, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (1, T, 96, 96, 3) uint8 crops and (1, T, 68, 2) landmarks: the first of a corpus, or random ones."""
    if data_dir is None:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (1, frames, 96, 96, 3), np.uint8), rng.random((1, frames, 68, 2), np.float32)
    from affwildnet.data import Corpus, evaluation_batches
    from affwildnet.experiments.config import EvaluationConfig

    batch = next(iter(evaluation_batches(Corpus.open(data_dir, "test", 96), EvaluationConfig(1, frames))))
    return batch["frames"].numpy(), batch["landmarks"].numpy()


class Side:
    """One side in a process of its own; `run` computes once and returns the seconds that it took."""

    def __init__(self, name: str, network: str, precision: str, folder: Path):
        command = [sys.executable, "-m", "benchmarks.forward", f"--side={name}", f"--network={network}"]
        command += [f"--precision={precision}", f"--folder={folder}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self) -> float:
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("one side ended; see its error above")
        return json.loads(line)["seconds"]

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def serve(name: str, network: str, precision: str, folder: Path) -> None:
    """Run in a side's process: compute once for each line of standard input."""
    import time

    given = np.load(folder / "crops.npz")
    compute = (_ours if name == "ours" else _pytorch)(network, precision, folder, given["frames"], given["landmarks"])
    for _ in sys.stdin:
        began = time.perf_counter()
        predictions = compute()
        seconds = time.perf_counter() - began
        np.save(folder / f"{name}.npy", predictions)
        print(json.dumps({"seconds": seconds}), flush=True)


def _ours(network: str, precision: str, folder: Path, frames: np.ndarray, landmarks: np.ndarray):
    import keras
    import tensorflow as tf

    from affwildnet import models
    from affwildnet.devices import has_bfloat16
    from affwildnet.experiments.networks import NETWORKS as CONFIGS
    from affwildnet.models.precision import with_precision

    keras.utils.set_random_seed(0)
    model = models.build(replace(CONFIGS[network], reset_after=True))
    # Give batch normalisation statistics and scales that are not the identity.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([value + 0.1 for value in layer.get_weights()])
    np.savez(folder / "weights.npz", **{
        f"{layer.name}/{index}": value for layer in model.layers for index, value in enumerate(layer.get_weights())
    })  # fmt: skip
    model = with_precision(model, precision, has_bfloat16())
    values = {"frames": tf.constant(frames), "landmarks": tf.constant(landmarks)}
    inputs = {tensor.name: values[tensor.name] for tensor in model.inputs}
    compiled = tf.function(lambda: model(inputs, training=False))
    return lambda: compiled().numpy()


def _pytorch(network: str, precision: str, folder: Path, frames: np.ndarray, landmarks: np.ndarray):
    import torch

    from affwildnet.experiments.networks import NETWORKS as CONFIGS
    from benchmarks.sides.pytorch_networks import Network

    weights = dict(np.load(folder / "weights.npz"))
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    model = Network(CONFIGS[network], weights).to(dtype).to(memory_format=torch.channels_last).eval()
    images, points = torch.from_numpy(frames), torch.from_numpy(landmarks)

    def compute() -> np.ndarray:
        with torch.inference_mode():
            return model(images, points).float().numpy()

    return compute


def measure(network: str, precision: str, frames: int, rounds: int, folder: Path) -> dict:
    """Return one row of the table."""
    ours = Side("ours", network, precision, folder)
    ours.run()  # writes the weights
    pytorch = Side("pytorch", network, precision, folder)
    sides = {"ours": ours, "pytorch": pytorch}
    for side in sides.values():
        side.run()  # warms up
    seconds = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            seconds[name].append(side.run())
    for side in sides.values():
        side.end()
    found = {name: np.load(folder / f"{name}.npy").reshape(frames, -1) for name in sides}
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "network": network,
        "precision": precision,
        "ours, frames/s": frames / median["ours"],
        "PyTorch, frames/s": frames / median["pytorch"],
        "ratio": statistics.median(b / a for a, b in zip(seconds["ours"], seconds["pytorch"], strict=True)),
        "difference": f"{np.abs(found['ours'] - found['pytorch']).max() / np.abs(found['pytorch']).max():.1e}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=folder_at)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--precisions", nargs="+", default=("float32", "bfloat16"))
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    for name in ("side", "network", "precision", "folder"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(options.side, options.network, options.precision, Path(options.folder))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        frames, landmarks = crops(options.data_dir, options.frames)
        np.savez(Path(folder) / "crops.npz", frames=frames, landmarks=landmarks)
        for network in options.networks:
            for precision in options.precisions:
                rounds = options.rounds if precision == "float32" else max(2, options.rounds // 3)
                rows.append(measure(network, precision, options.frames, rounds, Path(folder)))
    show(f"Forward pass of {options.frames} frames, 96x96, all cores", rows, options.output)


if __name__ == "__main__":
    as_script(main, "torch")
