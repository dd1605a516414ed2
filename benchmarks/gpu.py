"""One GPU: training steps and forward passes of the networks, by our own step, by Keras on JAX and by PyTorch.

    python -m benchmarks.gpu [--networks cnn_m cnn_3rnn] [--precisions tf32 bfloat16] [--output=build/gpu.json]
        [--sides tensorflow pytorch]

Each side runs in a process of its own, with the same weights and inputs that lie on the GPU, and they take turns. Ours
is the step of `affwildnet.training`, where TensorFlow has a GPU, with XLA and without; by Keras on JAX, it is the same
network and the same loss. PyTorch has `torch.compile`, channels last, a fused Adam and cuDNN's GRU. All have the form
of the GRU that cuDNN runs (`reset_after`), so that predictions, loss and gradient can be compared with those of the
first side; our step has the form of TensorFlow 1 too.

Needed are JAX or TensorFlow with CUDA, PyTorch with CUDA, Keras, OpenCV and scikit-image. A share of the peak is that
of the products alone (`benchmarks.sides.keras_weights.products`), by the card's datasheet, dense.
"""

import argparse
import importlib.util
import statistics
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.results import as_script, show, write
from benchmarks.sides.side_process import Side, Work

NETWORKS = ("affwildnet_vggface", "cnn_m", "affwildnet_resnet50", "cnn_3rnn")
PRECISIONS = ("bfloat16", "tf32", "float32")
# Floating-point operations per second by the datasheets, dense; float32 is that of the ordinary units.
_HOPPER = {"float32": 67e12, "tf32": 494e12, "bfloat16": 989e12}
PEAKS = {"H100": _HOPPER, "H200": _HOPPER, "A100": {"float32": 19.5e12, "tf32": 156e12, "bfloat16": 312e12}}


class Form(NamedTuple):
    """One way of a step: what it is called, the side's module, the form of the GRU, and whether XLA compiles ours."""

    name: str
    module: str
    reset_after: bool = True
    jit_compile: str = "auto"


# The first one there is what the others are compared with; it writes the weights that PyTorch reads.
FORMS = {
    "jax": [Form("Keras on JAX", "step_jax")],
    "tensorflow": [
        Form("ours", "step_tensorflow"),
        Form("ours, jit_compile=false", "step_tensorflow", jit_compile="false"),
        Form("ours, jit_compile=true", "step_tensorflow", jit_compile="true"),
        Form("ours, reset_after=false", "step_tensorflow", reset_after=False),
        Form("ours, reset_after=false, jit_compile=false", "step_tensorflow", False, "false"),
    ],
    "pytorch": [Form("PyTorch", "step_pytorch")],
}
QUIET = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TORCHINDUCTOR_COMPILE_THREADS": "6", "TF_CPP_MIN_LOG_LEVEL": "2"}


class Benchmark:
    """Runs jobs, a few at a time in preparation, one at a time on the GPU."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self._options, self._folder = options, folder
        self._gpu = threading.Lock()
        self._ends = time.monotonic() + options.budget
        self.rows: list[dict] = []
        self.notes: list[str] = []
        self.facts: dict = {}

    def run(self) -> None:
        """Measure everything; what fails, or does not fit in the budget, is noted."""
        self._noted("ceilings", self._ceilings)
        jobs = [(f"{n}, {p}", lambda n=n, p=p: self._steps(n, p)) for p in self._options.precisions
                for n in self._options.networks]  # fmt: skip
        parts = {"recurrence": self._recurrence, "turns": self._turns_of_the_loop}
        jobs[3:3] = [(name, parts[name]) for name in self._options.parts]
        with ThreadPoolExecutor(self._options.together) as pool:
            list(pool.map(lambda job: self._noted(*job), jobs))

    def _noted(self, name: str, job) -> None:
        if time.monotonic() > self._ends:
            self.notes.append(f"{name}: left out, the time is over")
            return
        began = time.monotonic()
        try:
            job()
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        except Exception as error:  # one that fails must not cost the others
            traceback.print_exc()
            self.notes.append(f"{name}: failed, {error}")
        self.save()

    def save(self) -> None:
        """Write what there is so far."""
        if self._options.output:
            write("GPU", self.rows, self._options.output, notes=self.notes, **self.facts)

    def _ceilings(self) -> None:
        side = Side("ceilings", self._work("cnn_m", "float32"), **QUIET)
        self.facts |= side.wait()
        small = self.facts["device"] == "cpu"
        self.facts["products_per_second"] = side.call("products", side=512 if small else 8192, rounds=10)
        self.facts["bytes_per_second"] = side.call("copying", size=10**7 if small else 4 * 10**9, rounds=10)
        self.facts["decoded_crops_per_second"] = side.call("decoding", seconds=self._options.decoding)
        side.end()

    def _steps(self, network: str, precision: str) -> None:
        work = self._work(network, precision)
        works = {form.name: self._work_of(form, work, number) for number, form in enumerate(self._forms(work))}
        modules = {form.name: form.module for form in self._forms(work)}
        first, *others = works
        sides = {first: Side(modules[first], works[first], **QUIET)}
        try:
            facts = sides[first].wait()
            for name in others:
                sides[name] = Side(modules[name], works[name], **QUIET)
            for name in others:
                sides[name].wait()
            if "PyTorch" in sides:
                sides["PyTorch"].call("prepare")
            with self._gpu:
                compiled = self._compiled(sides, f"{network}, {precision}")
                turns = self._turns(sides)
                small = {"batch": 1, "frames": min(16, work.frames), "gradient": precision == "float32"}
                checked = {name: side.call("check", **small) for name, side in sides.items()}
        finally:
            for side in sides.values():
                side.end()
        outputs = {
            name: np.load(own.outputs(modules[name].removeprefix("step_")))
            for name, own in works.items()
            if own.reset_after and name in compiled
        }
        differences = _differences(outputs)
        for name in sides:
            self.rows.append(
                self._row(name, work, facts["products"], compiled[name], turns, checked[name], differences)
            )

    def _compiled(self, sides: dict[str, Side], job: str) -> dict[str, dict]:
        """Return what each form says of its compiling; one that fails is noted and taken out."""
        found = {}
        for name in list(sides):
            try:
                found[name] = sides[name].call("compile")
            except RuntimeError as error:
                self.notes.append(f"{job}, {name}: failed, {error}")
                sides.pop(name).end()
        return found

    def _forms(self, work: Work) -> list[Form]:
        """Return the forms that differ for a network: without a recurrent layer, that of the GRU is none."""
        forms = [form for side in self._options.sides for form in FORMS[side] if form.name not in self._options.without]
        if work.config.recurrent != "none":
            return forms
        return [form for form in forms if form.reset_after and form.jit_compile != "true"]

    def _work_of(self, form: Form, work: Work, number: int) -> Work:
        """Return the work of a form; ours but the first have a folder of their own, so that their files are theirs."""
        folder = Path(work.folder)
        if number and form.module != "step_pytorch":
            folder = folder / str(number)
            folder.mkdir(exist_ok=True)
        return replace(work, reset_after=form.reset_after, jit_compile=form.jit_compile, folder=str(folder))

    def _turns(self, sides: dict[str, Side]) -> dict[tuple[str, str], list[float]]:
        """Return the seconds of each turn by form and pass."""
        turns = {(name, part): [] for name in sides for part in ("train", "forward")}
        counts = {}
        for number in range(self._options.rounds + 1):
            for (name, part), found in turns.items():
                count = counts.get((name, part), 1)
                argument = {"steps": count} if part == "train" else {"passes": count}
                seconds = sides[name].call(part, **argument)
                if number:
                    found.append(seconds)
                else:
                    counts[name, part] = min(200, max(3, round(self._options.turn / seconds)))
        return turns

    def _row(self, name, work, products, compiled, turns, checked, differences) -> dict:
        frames = work.batch * work.frames
        peak = next((peaks for card, peaks in PEAKS.items() if card in self.facts.get("device", "")), None)
        train, forward = (statistics.median(turns[name, part]) for part in ("train", "forward"))
        rate = products["train"] * frames / train
        measured = self.facts.get("products_per_second", {}).get(work.precision)
        beside = statistics.median(turns["PyTorch", "train"]) / train if "PyTorch" in differences else None
        passes = statistics.median(turns["PyTorch", "forward"]) / forward if beside else None
        return {
            "network": work.network,
            "precision": work.precision,
            "side": name,
            "step, ms": 1000 * train,
            "spread": (max(turns[name, "train"]) - min(turns[name, "train"])) / train,
            "frames/s": round(frames / train),
            "PyTorch's time / its": beside,
            "GiB": compiled["train_bytes"] / 2**30 if "train_bytes" in compiled else None,
            "TFLOP/s": rate / 1e12,
            "of the peak": rate / peak[work.precision] if peak else None,
            "of a product": rate / measured if measured else None,
            "forward, frames/s": round(frames / forward),
            "forward, PyTorch's time / its": passes,
            "forward, of the peak": products["forward"] * frames / forward / peak[work.precision] if peak else None,
            "compiling, s": compiled["compile_s"],
            **{f"difference of {part}": value for part, value in differences.get(name, {}).items()},
            "difference to the CPU": checked.get("difference_to_cpu"),
        }

    def _recurrence(self) -> None:
        work = self._work("affwildnet_vggface", "float32")
        side, other = Side("recurrence_jax", work, **QUIET), Side("recurrence_pytorch", work, **QUIET)
        forms = side.wait()["forms"]
        other.wait()
        found = {}
        with self._gpu:
            found["gru, PyTorch"] = other.call("measure", batch=work.batch, frames=work.frames, rounds=20)
            for form in forms:
                long = form.startswith("attention")
                size = (
                    {"batch": 1, "frames": 10 * work.frames} if long else {"batch": work.batch, "frames": work.frames}
                )
                found[form] = side.call("measure", form=form, rounds=10, training="folded" not in form, **size)
        side.end(), other.end()
        self.facts["recurrence"] = found

    def _turns_of_the_loop(self) -> None:
        work = self._work("affwildnet_vggface", "float32")
        side = Side("recurrence_jax", work, **QUIET)
        side.wait()
        found = self.facts["frames a turn"] = {}
        sizes = {"gru, cuDNN's form": (work.batch, work.frames), "attention": (1, 10 * work.frames)}
        with self._gpu:
            for turn in (1, 4, 8, 20):
                for form, (batch, frames) in sizes.items():
                    measured = {"batch": batch, "frames": frames, "rounds": 10, "training": form != "attention"}
                    found[f"{form}, {turn}"] = side.call("measure", form=form, turn=turn, **measured)
        side.end()

    def _work(self, network: str, precision: str) -> Work:
        options = self._options
        return Work(network, precision, options.batch, options.frames, options.width, str(self._folder))


def _differences(outputs: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Return how far each form's predictions, loss and norm of the gradient are from those of the first."""
    first = next(iter(outputs.values()))
    return {
        name: {part: float(np.abs(values[part] - first[part]).max() / np.abs(first[part]).max()) for part in first}
        for name, values in outputs.items()
    }


def _has_a_gpu(library: str) -> bool:
    """Return whether a library is there, and, of TensorFlow, whether it finds a GPU."""
    if importlib.util.find_spec({"pytorch": "torch"}.get(library, library)) is None:
        return False
    if library != "tensorflow":
        return True
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--precisions", nargs="*", default=PRECISIONS)
    parts = ("recurrence", "turns")
    parser.add_argument("--parts", nargs="*", choices=parts, default=parts, help="beside the steps")
    parser.add_argument("--batch", type=int, default=4, help="windows in a batch")
    parser.add_argument("--frames", type=int, default=80, help="in a window")
    parser.add_argument("--width", type=float, default=1.0, help="of the networks")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--turn", type=float, default=0.3, help="seconds of a turn")
    parser.add_argument("--together", type=int, default=3, help="jobs in preparation")
    parser.add_argument("--decoding", type=float, default=3.0, help="seconds of decoding crops")
    parser.add_argument("--budget", type=float, default=1e9, help="seconds after which no job is begun")
    parser.add_argument("--sides", nargs="+", choices=FORMS, help="by default those of the libraries that are there")
    parser.add_argument("--without", nargs="*", default=(), help="forms of ours to leave out, by their names")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.sides = options.sides or [side for side in FORMS if _has_a_gpu(side)]
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(options, Path(folder))
        benchmark.run()
    if benchmark.rows:
        shown = ("network", "precision", "side", "step, ms", "spread", "frames/s", "PyTorch's time / its", "GiB",
                 "TFLOP/s", "of the peak", "forward, frames/s", "forward, PyTorch's time / its")  # fmt: skip
        show("GPU", [{name: row[name] for name in shown} for row in benchmark.rows], None, **benchmark.facts)
    for note in benchmark.notes:
        print(note)
    benchmark.save()


if __name__ == "__main__":
    as_script(main)
