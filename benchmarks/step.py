"""The training step of `affwildnet.training` beside PyTorch's on the same processor, and beside the products alone.

    python -m benchmarks.step [--networks affwildnet_vggface cnn_m] [--precisions float32] [--output=build/step.json]

Ours, PyTorch eager and PyTorch compiled (`torch.compile`), both with channels last, run in processes of their own, with
the same weights and the same batch, and take turns; PyTorch's is the faster of the two. bfloat16 is mixed precision on
all. Predictions, loss and gradient are compared before. It needs PyTorch (`pip install torch==2.13.0`). With
`--before=FOLDER`, a checkout of an earlier commit, that commit's step takes turns too.

The products alone are each convolution and each large matrix of the network in TensorFlow, forward, for the gradient of
its input and for that of its weights, one after the other, with nothing between them: no step with these kernels is
faster.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.results import as_script, show
from benchmarks.sides.side_process import Side, Work

NETWORKS = ("affwildnet_vggface", "affwildnet_resnet50")
OURS = ("step_tensorflow", True)
SIDES = {"ours": OURS, "eager": ("step_pytorch", False), "compiled": ("step_pytorch", True)}


def measure(work: Work, rounds: int, with_products: bool, before: Path | None) -> dict:
    """Return one row of the table."""
    sides = {}
    try:
        for name, (module, compiled) in {**({"before": OURS} if before else {}), **SIDES}.items():
            own = Work(**{**vars(work), "compiled": compiled})
            sides[name] = Side(module, own, before if name == "before" else None)
            sides[name].wait()
            if module == "step_pytorch":
                sides[name].call("prepare")
            else:
                sides[name].call("compile")
            sides[name].call("check", batch=1, frames=min(16, work.frames), gradient=True)
        turns = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                turns[name].append(side.call("train", steps=1))
        products = sides["ours"].call("bare_products", rounds=3) if with_products else {}
    finally:
        for side in sides.values():
            side.end()
    outputs = [np.load(work.outputs(name)) for name in ("tensorflow", "pytorch")]
    seconds = {name: statistics.median(values) for name, values in turns.items()}
    fastest = min(("eager", "compiled"), key=seconds.get)
    ratios = [other / own for own, other in zip(turns["ours"], turns[fastest], strict=True)]
    row = {
        "network": work.network,
        "precision": work.precision,
        "ours, s": seconds["ours"],
        "PyTorch eager, s": seconds["eager"],
        "compiled, s": seconds["compiled"],
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }
    if before:
        ratios = [earlier / now for earlier, now in zip(turns["before"], turns["ours"], strict=True)]
        row |= {"before, s": seconds["before"], "before / ours": statistics.median(ratios)}
        row |= {"its lowest": min(ratios), "its highest": max(ratios)}
    if products:
        row["products alone, s"] = sum(products.values())
        row["ours / products"] = seconds["ours"] / sum(products.values())
    for part in ("loss", "norm"):
        row[f"difference of {part}"] = float(abs(outputs[0][part] - outputs[1][part]) / abs(outputs[1][part]))
    return {**row, "products": products}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=1, help="windows in a batch")
    parser.add_argument("--frames", type=int, default=80, help="in a window")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without_products", action="store_true")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows, facts = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for network in options.networks:
            for precision in options.precisions:
                work = Work(network, precision, options.batch, options.frames, options.width, folder)
                row = measure(work, options.rounds, not options.without_products, options.before)
                for part, seconds in row.pop("products").items():
                    facts[f"{network}, {precision}, {part}, s"] = seconds
                rows.append(row)
    show(f"A training step of {options.batch} x {options.frames} frames, all cores", rows, options.output, **facts)


if __name__ == "__main__":
    as_script(main, "torch")
